package supervise

import (
	"time"

	"golang.org/x/sys/unix"
)

// sweep ends who is left of a program when its process group has ended: what setsid and the like have taken away. Its
// cgroup tells, or what [orphan] says. It comes before the next start of the program, and after its removal; a program
// that is done, or has failed for good, is left alone until then. At a stop of all, strays does it. Of a program with a
// gate it comes once that is given up, and at the stop too, where there is a cgroup.
type sweep struct {
	dir     string // where: a cgroup, or, without, the name of the program
	name    string
	session int               // of the program's last process; 0: it tells nothing
	asked   map[identity]bool // to end
	seen    bool              // without a cgroup: the last look has told of all who were left
	forcing bool              // KILL from now on
	resists bool              // somebody had it, and was there at the last look
	unsure  bool              // all that there was at the last look may be what is being launched, see sweepAfter
	limit   alarm             // of asking, then of forcing
	again   alarm
	wait    time.Duration
}

// leastPatience is what everybody has from TERM to KILL, however little is left of StopTimeout.
const leastPatience = 200 * time.Millisecond

// cgroup is that of a program's processes; "": none.
func (l *loop) cgroup(p *Program) string {
	if l.Cgroup == "" {
		return ""
	}
	return cgroupOf(l.Cgroup, p)
}

// place is where a program's processes are swept from: its cgroup, or, without, its name; "": nowhere.
func (l *loop) place(p *Program) string {
	if dir := l.cgroup(p); dir != "" || !l.Orphans || l.Mark == "" {
		return dir
	}
	return p.Name
}

func (s *sweep) inCgroup() bool { return s.dir != s.name }

// swept reports whether nobody is left of what p was; otherwise p is admitted once that is so.
func (l *loop) swept(p *program) bool {
	dir := l.place(p.spec)
	switch {
	case dir == "":
		return true
	case l.sweeps[dir] != nil:
		return false
	case p.spec.Kill == KillProcess:
		return true
	case p.starts == 0, p.swept && dir == p.spec.Name:
		return true
	}
	return l.sweep(p, p.spec)
}

// leaveCgroup is for a program that is about to be something else, or gone.
func (l *loop) leaveCgroup(p *program, was *Program) {
	dir := l.place(was)
	inCgroup := dir != was.Name
	if dir == "" || p.starts == 0 || p.wanted != nil && l.place(p.wanted) == dir ||
		inCgroup && l.kernel.removeCgroup(dir) {
		return
	}
	if l.stopping != nil || was.Kill == KillProcess {
		if inCgroup {
			l.inhabited[dir] = was.Kill
		}
		return
	}
	l.sweep(p, was)
}

// sweep begins one, and reports whether it is over already.
func (l *loop) sweep(p *program, was *Program) bool {
	s := &sweep{dir: l.place(was), name: was.Name, session: p.session, asked: map[identity]bool{}}
	if l.sweeps[s.dir] != nil {
		return false
	}
	if l.kin.keeps[s.session] {
		s.session = 0 // what was started in it lives on
	}
	patience := was.stopTimeout()
	if was.Gate != nil {
		patience = min(patience, was.Gate.Timeout) // another machine may have the permission, and runs it after that
	}
	if p.told > p.born {
		patience -= time.Since(l.epoch) - p.told
	}
	l.sweeps[s.dir] = s
	l.alarms.in(max(patience, leastPatience), &s.limit, func() { l.forceSweep(s) })
	return l.sweepOn(s)
}

func (l *loop) forceSweep(s *sweep) {
	if s.forcing {
		return
	}
	s.forcing, s.wait = true, 0
	l.alarms.in(10*time.Second, &s.limit, func() { l.sweepFails(s) })
	l.sweepAgain(s)
}

// giveTime is for those who were asked to end as soon as they were found, and that was late.
func (l *loop) giveTime(s *sweep) {
	left := leastPatience
	if !s.forcing {
		left = max(left, time.Until(s.limit.at))
	}
	s.forcing = false
	l.alarms.in(left, &s.limit, func() { l.forceSweep(s) })
}

func (l *loop) sweepFails(s *sweep) {
	switch {
	case s.unsure:
		return // the program is not launched before that has landed either
	case s.resists:
		l.Log.Error("program " + s.name + ": KILL has had no effect on what had left its group")
	default: // the look hangs
		l.Log.Warn("program " + s.name + ": it cannot be told whether anybody is left who had left its group")
	}
	l.sweepIsOver(s)
	l.readmit(s)
}

// sweepAfter has the sweep go on that could not tell who was left from what was on its way to its executable.
func (l *loop) sweepAfter(x *launch) {
	s := l.sweeps[x.name]
	switch {
	case s == nil || !s.unsure:
	case s.forcing:
		s.forcing = false
		l.forceSweep(s) // which has its time anew
	default:
		l.sweepAgain(s)
	}
}

func (l *loop) sweepAgain(s *sweep) {
	if l.sweepOn(s) {
		l.readmit(s)
	}
}

// sweepOn looks who is left, and reports whether it is over as far as that can be told at once.
func (l *loop) sweepOn(s *sweep) bool {
	if !s.inCgroup() {
		l.unsurveyed = append(l.unsurveyed, s)
		return false
	}
	return l.sweepOver(s, l.alive(l.kernel.inCgroup(s.dir)), false)
}

// sweepOver deals with who is left, and reports whether nobody is; unsure says that there may be others.
func (l *loop) sweepOver(s *sweep, members []proc, unsure bool) bool {
	left, spares := l.toEnd(members)
	s.resists, s.unsure = s.forcing && len(left) > 0, unsure && len(left) == 0
	if len(left) == 0 {
		if s.unsure {
			return false
		}
		l.sweepIsOver(s)
		return true
	}
	fresh := note(s.asked, left)
	late := len(fresh) > 0 && !s.seen && !s.inCgroup() // else they were forked since the last look
	switch {
	case s.forcing && !late:
		if spares || !s.inCgroup() {
			for _, p := range left {
				l.kernel.signal(p, unix.SIGKILL)
			}
		} else {
			l.kernel.endCgroup(s.dir)
		}
		if s.wait == 0 {
			l.Log.Warn("program " + s.name + ": had left its group and did not end: killed " + list(left))
		}
	case len(fresh) > 0:
		text := "program " + s.name + ": had left its group, and are asked to end: " + list(fresh)
		if p := l.programs[s.name]; p != nil && p.wentAway() {
			text += "; a program has to stay in the foreground"
		}
		l.Log.Info(text)
		for _, p := range fresh {
			l.kernel.signal(p, unix.SIGTERM, unix.SIGCONT)
		}
		if late {
			l.giveTime(s)
		}
	}
	l.sweepLater(s)
	return false
}

// wentAway says that the last process of p has ended as one does that has put itself into the background.
func (p *program) wentAway() bool { return p.status == 0 && p.told <= p.born && !p.spec.OneShot }

func (l *loop) sweepLater(s *sweep) {
	s.wait = min(max(2*s.wait, time.Millisecond), 256*time.Millisecond)
	l.alarms.in(s.wait, &s.again, func() { l.sweepAgain(s) })
}

func (l *loop) sweepIsOver(s *sweep) {
	l.alarms.off(&s.limit)
	l.alarms.off(&s.again)
	delete(l.sweeps, s.dir)
	if !s.inCgroup() {
		if p := l.programs[s.name]; p != nil {
			p.swept = true
		}
		return
	}
	// After cgroup.kill the kernel goes on to kill whom clone3 puts into the group (seen with Linux 6.18): it is made
	// anew. And so it is for another program of that name, which may have no bounds.
	if p := l.programs[s.name]; s.forcing || p == nil || p.starts == 0 || l.cgroup(p.spec) != s.dir {
		if !l.kernel.removeCgroup(s.dir) {
			l.inhabited[s.dir] = KillGroup // by who is spared
		}
	}
}

// readmit lets the program go on that has waited for the end of a sweep.
func (l *loop) readmit(s *sweep) {
	if p := l.programs[s.name]; p != nil && p.state == blocked {
		l.admit(p)
	}
}

// alive are the processes of these PIDs.
func (l *loop) alive(pids []int) (members []proc) {
	for _, pid := range pids {
		if p, ok := l.kernel.process(pid); ok && !p.dead {
			members = append(members, p)
		}
	}
	return members
}

// toEnd are those who are to end; spares says that there are others.
func (l *loop) toEnd(members []proc) (left []proc, spares bool) {
	if len(members) == 0 {
		return nil, false
	}
	spared, besides := l.sparedNow()
	for _, p := range members {
		switch {
		case spared[p.pid] || besides[p.session]:
			spares = true
		default:
			left = append(left, p)
		}
	}
	return left, spares
}

// sparedNow are who is to be spared when something is removed while we go on: who has asked, its ancestors, and the
// sessions of those below us.
func (l *loop) sparedNow() (pids, sessions map[int]bool) {
	pids, sessions = map[int]bool{l.kernel.self(): true}, map[int]bool{}
	l.eachSpared(func(pid int, below bool) {
		pids[pid] = true
		if p, ok := l.kernel.process(pid); ok && below && p.session != l.ownSession() {
			sessions[p.session] = true
		}
	})
	return pids, sessions
}

// cgroupVerdicts tells of who is in a cgroup of ours, at the stop, whether it is to be kept.
func (l *loop) cgroupVerdicts() map[int]bool {
	kept := map[int]bool{}
	for dir, kill := range l.inhabited {
		for _, pid := range l.kernel.inCgroup(dir) {
			kept[pid] = kill == KillProcess
		}
	}
	return kept
}

// removeCgroups is the end: what is still inhabited stays.
func (l *loop) removeCgroups() {
	if l.Cgroup == "" {
		return
	}
	for dir := range l.inhabited {
		l.kernel.removeCgroup(dir)
	}
	l.kernel.comeBack(l.Cgroup)
	l.kernel.removeCgroup(l.Cgroup)
}
