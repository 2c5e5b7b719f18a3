package supervise

import (
	"maps"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mayEnd is asked for each who is killed with its cgroup.
func (j *judge) mayEnd(x *process) {
	switch {
	case !j.leftInCgroup(x) || x.spec.Kill == KillProcess:
		j.breaks("T4: %s is killed with its cgroup", x)
	case x.termed < 0 || j.m.now() < x.termed+150*time.Millisecond && !j.hurried():
		j.breaks("T4: %s is killed before its time", x)
	}
}

// maySignal is asked at every signal. There is somebody.
func (j *judge) maySignal(leader int, group bool, sig syscall.Signal, somebody bool) {
	now := j.m.now()
	x := j.m.procs[leader]
	if sig == 0 {
		for _, r := range j.refs {
			if r.x != nil && r.x.pid == leader && !r.x.buried && r.x.reapedAt > 0 &&
				(!somebody || now-r.x.reapedAt > 100*time.Millisecond) {
				j.bury(r)
			}
		}
		return
	}
	if x == nil {
		if !group || !j.m.holds(leader) {
			j.breaks("T4: %v to %d, which has been reaped", sig, leader)
		}
		return
	}
	switch {
	case x.kind == "gate":
		if r := j.refs[x.name]; r != nil && r.x != nil && !r.x.dead && r.x.gate == x && !j.hurried() && !x.dead {
			j.breaks("G: the gate of %s is given up while its process runs", x.name)
		}
		return
	case x.kind != "main":
		return
	case x.spec.Kill == KillProcess && group:
		j.breaks("T4: %v to the whole group of %s", sig, x)
	case x.spec.Kill == KillGroup && !group && sig != unix.SIGHUP && sig != unix.SIGUSR1:
		j.breaks("T4: %v to %s alone", sig, x)
	}
	if x.dead {
		x.asked = x.asked || sig == unix.SIGTERM
		return
	}
	if w := j.wanted[x.name]; w != nil && w.Kill == KillProcess {
		j.keepBelow(x)
	}
	switch sig {
	case unix.SIGTERM:
		if x.termed < 0 {
			j.mayTerm(x)
			x.patience = x.spec.stopTimeout()
		}
	case unix.SIGHUP:
		if !x.mayReload {
			j.breaks("R1: %s gets a reload signal", x)
		}
		x.mayReload = false
	case unix.SIGUSR1:
		if !x.mayPoke {
			j.breaks("O1: %s gets a signal that nobody has asked for", x)
		}
		x.mayPoke = false
	case unix.SIGKILL:
		lost := j.lostAt(x)
		switch {
		case j.hurried(), x.killed >= 0:
		case x.termed >= 0 && now >= x.termed+x.patience:
		case lost >= 0 && now >= lost+x.spec.Gate.Timeout:
		default:
			j.breaks("T1: %s is killed before its time", x)
		}
	}
}

// lostAt is when the gate of a process was lost, as far as the loop can know; -1: it was not.
func (j *judge) lostAt(x *process) time.Duration {
	g := x.gate
	switch {
	case g == nil:
		return -1
	case g.reapedAt > 0:
		return min(g.reapedAt, g.silentAt())
	case g.silentAt() < j.m.now():
		return g.silentAt()
	}
	return -1
}

// mayTerm holds a stop against its reasons and its order.
func (j *judge) mayTerm(x *process) {
	now := j.m.now()
	rd := x.spec.Ready
	switch {
	case x.bad > 0 && x.spec.Check != nil, j.lostAt(x) >= 0:
		return
	case rd != nil && rd.FD > 0 && x.readied < 0 && now-x.born >= rd.Timeout && x.unwanted < 0:
		return
	case x.unwanted < 0 && x.mayReload && now-x.readied < soon: // the loop had not heard of that when it was changed
		x.unwanted, x.toldAt, x.mayReload = now, j.turnNo, false
		j.refs[x.name].anew(now)
	case x.unwanted < 0:
		j.breaks("R4: %s is stopped, and nobody wants that", x)
		return
	}
	if y := j.blocks(x); y != nil {
		j.breaks("C5: %s is stopped before %s, which comes after it", x, y)
	}
}

// blocks returns who comes after x and is to stop before it.
func (j *judge) blocks(x *process) *process {
	for _, name := range slices.Sorted(maps.Keys(j.refs)) {
		y := j.refs[name].x
		if y != nil && y.reapedAt == 0 && y.unwanted >= 0 && y.toldAt <= x.toldAt && y != x &&
			slices.Contains(y.spec.needs(), x.name) {
			return y
		}
	}
	return nil
}
