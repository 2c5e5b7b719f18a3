package supervise

import (
	"maps"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// reap takes the children that have died.
//
// While a process is being launched, whoever is not known may be that one, which has died already: it is left alone
// until it is known.
func (l *loop) reap() {
	l.heldBack = false
	for l.Orphans && l.flight == nil {
		if !l.reapNext() {
			return
		}
	}
	// It looks before it takes: what this Set has not started is left to whoever did.
	for {
		l.heldBack = l.heldBack || l.flight != nil
		pid := l.kernel.zombie(unix.P_ALL, 0)
		switch {
		case pid == 0:
			return
		case l.byPID[pid] != nil || l.tasks[pid] != nil:
			l.reapOne(pid)
		default:
			// waitid(2) shows the first in line only, and that one is none of ours yet. Ours are asked one by one.
			l.reapEach()
			return
		}
	}
}

// reapFirst is for SIGCHLD. It leaves the others, if there are any, until the first one's successor is on its way:
// mostly there is nobody else, and with many children the kernel takes long to tell.
func (l *loop) reapFirst() {
	switch {
	case !l.Orphans || l.flight != nil:
		l.reap()
	case !l.reapNext():
	case len(l.queue)+len(l.unsurveyed) > 0:
		l.heldBack = true
	default:
		l.reap()
	}
}

// reapNext is for a process that has no other children: one call takes whoever has died, and one more says that nobody
// is left of its group, as is true of most. It reports whether there may be more.
func (l *loop) reapNext() bool {
	pid, ws := l.kernel.waitAny()
	if pid == 0 {
		return false
	}
	t, p := l.tasks[pid], l.byPID[pid]
	if t == nil && p == nil {
		return true // what others have left to us
	}
	alone := t == nil && p.spec.Kill == KillProcess || l.kernel.kill(-pid, 0) != nil
	if !alone {
		l.killRest(pid)
	}
	l.gone(pid, ws, alone)
	return true
}

// killRest ends the group of a leader that was reaped. Once nobody is in it, its number may be another's: a child of
// ours in it, which only we reap, keeps it; where there is none, its members are looked for, each held by a pidfd.
func (l *loop) killRest(leader int) {
	if l.within[leader] || !l.kernel.holds(leader) {
		l.signalMembers(leader, unix.SIGKILL)
		return
	}
	l.kernel.kill(-leader, unix.SIGKILL)
}

func (l *loop) reapEach() {
	for _, pid := range slices.Sorted(maps.Keys(l.byPID)) {
		if l.kernel.zombie(unix.P_PID, pid) != 0 {
			l.reapOne(pid)
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(l.tasks)) {
		if l.kernel.zombie(unix.P_PID, pid) != 0 {
			l.reapOne(pid)
		}
	}
}

// reapOne reaps a zombie; before that it ends what is left of the group, whose number the zombie keeps from strangers.
func (l *loop) reapOne(pid int) {
	t, p := l.tasks[pid], l.byPID[pid]
	if t != nil || p.spec.Kill == KillGroup {
		l.signalGroup(pid, unix.SIGKILL)
	}
	l.gone(pid, l.kernel.wait(pid), false)
}

// gone is for a child that was reaped; alone says that nobody is known to be left of its group, or to matter.
func (l *loop) gone(pid int, ws syscall.WaitStatus, alone bool) {
	t, p := l.tasks[pid], l.byPID[pid]
	if t != nil {
		l.taskReaped(t, ws)
		return
	}
	delete(l.byPID, pid)
	l.hearLast(p)
	p.pid = 0
	l.alarms.off(&p.alarm) // whatever is still to come of its group, this was its end
	l.unwatch(p)
	g := &groupEnd{PID: pid, Status: ws, Lived: time.Since(l.epoch) - p.born}
	if alone || p.spec.Kill == KillProcess {
		l.reaped(p, g)
		return
	}
	p.withFeatures().groupEnd = g
	l.awaitGroup(p, time.Millisecond)
}

// groupEnd is the leader of a group that has been reaped, while the rest of the group is waited for.
type groupEnd struct {
	PID    int                `json:"pid"`
	Status syscall.WaitStatus `json:"status"`
	Lived  time.Duration      `json:"lived,omitempty"` // by the process
}

// awaitGroup buries p when the rest of its group, which was killed, has gone too: the next process may want its ports,
// and whoever stops us expects nothing to be left. It looks again after 1, 2, 4 … 64 ms; what is not reaped by then by
// whoever has inherited it is a zombie.
func (l *loop) awaitGroup(p *program, wait time.Duration) {
	g := p.groupEnd
	if l.kernel.kill(-g.PID, 0) != nil || wait > 64*time.Millisecond {
		p.groupEnd = nil
		l.reaped(p, g)
		return
	}
	l.alarms.in(wait, &p.groupCheck, func() { l.awaitGroup(p, 2*wait) })
}
