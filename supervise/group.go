package supervise

import (
	"strings"
	"syscall"
)

// signal sends a signal to what p is: its group, or its process alone. That has not been reaped,
// so the number is its own.
func (l *loop) signal(p *program, sig syscall.Signal) {
	if p.pid <= 1 {
		return
	}
	if w := p.wanted; p.spec.Kill == KillProcess || w != nil && w.Kill == KillProcess {
		l.keep(p.pid)
		l.trace()
	}
	if p.spec.Kill == KillProcess {
		l.kernel.kill(p.pid, sig)
		return
	}
	l.signalGroup(p.pid, sig)
}

// signalGroup goes to a group whose leader we have started and not reaped; where somebody in it is to be spared, to the
// others one by one.
func (l *loop) signalGroup(leader int, sig syscall.Signal) {
	if !l.within[leader] {
		l.kernel.kill(-leader, sig)
		return
	}
	l.kernel.kill(leader, sig)
	l.signalMembers(leader, sig)
}

// signalMembers goes to all in a group but its leader and those who are to be spared.
func (l *loop) signalMembers(leader int, sig syscall.Signal) {
	seen := map[int]bool{leader: true}
	for more := true; more; { // until there is nobody who was started meanwhile
		more = false
		for _, m := range l.kernel.everybody() {
			if m.group == leader && !m.dead && !seen[m.pid] && !l.spared[m.pid] {
				more, seen[m.pid] = true, true
				l.kernel.signal(m, sig)
			}
		}
	}
}

// askSpare finds out who is to be spared, beside those who have been found already.
func (l *loop) askSpare() { l.eachSpared(l.spare) }

// eachSpared calls do with whoever Options.Spare names, and with all their ancestors; those below us come first.
func (l *loop) eachSpared(do func(pid int, below bool)) {
	if l.Spare == nil {
		return
	}
	for _, pid := range l.Spare() {
		below := true
		for _, pid := range append([]int{pid}, ancestors(pid, l.kernel.process)...) {
			below = below && pid != l.kernel.self()
			do(pid, below)
		}
	}
}

// spare takes note of one of them and, below us, of its session: without those whom it has a pipe to, as in "stop | tee
// FILE", it would not come to its end. A program's own session is none of that kind.
func (l *loop) spare(pid int, below bool) {
	if l.spared[pid] {
		return
	}
	if l.spared == nil {
		l.spared, l.within, l.besides = map[int]bool{}, map[int]bool{}, map[int]bool{}
	}
	l.spared[pid] = true
	if group := l.kernel.group(pid); group != pid { // a leader is a program's own main process, which is not spared
		l.within[group] = true
	}
	if p, ok := l.kernel.process(pid); ok && below && l.byPID[p.session] == nil && p.session != l.ownSession() {
		l.besides[p.session] = true
	}
}

func (l *loop) ownSession() int {
	p, _ := l.kernel.process(l.kernel.self())
	return p.session
}

// sparedMark is in the environment of a program with KillProcess in place of the mark, which is for what may be ended.
func sparedMark(mark string) string {
	name, value, found := strings.Cut(mark, "=")
	if !found {
		return ""
	}
	return name + "_SPARED=" + value
}
