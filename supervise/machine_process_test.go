package supervise

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process of the model.
type process struct {
	pid, group, parent int
	kind, name         string // main, check, gate, hook; helper of a main; stray, which has left its group; stranger
	n                  int
	p                  *program // of a main or a gate
	start              int
	g                  *gate
	gp                 *program // of a gate
	launching          bool     // it is not known to the Set
	forked             time.Duration
	holding            bool // it cannot be killed before its exec
	late               bool // it was given up
	killedBefore       func()
	spec               *Program
	marked, spared     bool
	kept               bool // its program was to be ended alone when it lost it
	cgroup             string
	orphaned           bool // it is in the group of what was given up: killed with it, and not waited for
	fate

	created                              time.Duration
	born, readied, termed, killed, ended time.Duration // -1: not
	left                                 time.Duration // when its parent was told
	dead                                 bool
	ws                                   syscall.WaitStatus

	words []notice // that nobody has read

	mainOf
	gateSpec       *Gate // of a gate
	openAt, lineAt time.Duration
}

// spawn is a fork that works.
func (m *machine) spawn(kind, name string, n int, f fate, parent *process) *process {
	m.lastPID++
	x := &process{pid: m.lastPID, group: m.lastPID, parent: us, kind: kind, name: name, n: n, fate: f,
		created: m.now(), born: m.now(), readied: -1, termed: -1, killed: -1, ended: -1}
	if parent != nil {
		x.parent, x.marked, x.spared, x.spec, x.cgroup = parent.pid, parent.marked, parent.spared, parent.spec, parent.cgroup
		if kind != "stray" {
			x.group = parent.group
		}
	}
	x.openAt, x.lineAt = -1, -1
	x.unwanted, x.faulty, x.stuck = -1, -1, -1
	m.procs[x.pid] = x
	if f.life >= 0 {
		m.later(f.life, func() { m.die(x, f.status) })
	}
	return x
}

func (m *machine) die(x *process, ws syscall.WaitStatus) {
	if x.dead {
		return
	}
	m.say("  %s dies, %#x", x, int(ws))
	x.dead, x.ws, x.ended = true, ws, m.now()
	if x.onKill > 30*time.Millisecond {
		m.slowly = m.now()
	}
	if x.kind == "main" {
		m.moment("death")
	}
	if x.killedBefore != nil {
		x.killedBefore()
	}
	for _, pid := range slices.Sorted(maps.Keys(m.procs)) {
		if c := m.procs[pid]; c.parent == x.pid {
			c.parent = 1
			if m.orphans {
				c.parent = us
			}
			if c.dead {
				m.leave(c)
			}
		}
	}
	m.leave(x)
}

// leave has the parent of a dead process know.
func (m *machine) leave(x *process) {
	x.left = m.now()
	switch x.parent {
	case us:
		m.zombies = append(m.zombies, x)
		if m.signalDue {
			return // one is pending, and is for both
		}
		m.signalDue = true
		m.later(time.Duration(m.rnd.IntN(200))*time.Microsecond, func() {
			m.signalDue = false
			select {
			case m.died <- unix.SIGCHLD:
			default:
			}
		})
	case 1:
		m.later(time.Duration(m.rnd.IntN(20))*time.Millisecond, func() { delete(m.procs, x.pid) })
	}
}

func (x *process) String() string { return fmt.Sprintf("%s %s#%d (%d)", x.kind, x.name, x.n, x.pid) }

// deliver is how a process takes a signal.
func (m *machine) deliver(x *process, sig syscall.Signal) {
	if x.dead {
		return
	}
	m.say("  %s gets %s", x, unix.SignalName(sig))
	switch sig {
	case unix.SIGKILL:
		if x.killed < 0 {
			x.killed = m.now()
			m.later(x.onKill, func() { m.die(x, wsKilled) })
		}
	case unix.SIGTERM:
		if x.termed < 0 {
			x.termed = m.now()
			if x.onTerm >= 0 {
				m.later(x.onTerm, func() { m.die(x, wsTermed) })
			}
		}
	}
}

func (m *machine) process(pid int) (proc, bool) {
	m.sync()
	defer m.sync()
	x := m.procs[pid]
	if x == nil {
		return proc{}, false
	}
	return x.proc(), true
}
