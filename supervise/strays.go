package supervise

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hunt is for who is left when every program has ended: whoever has left its program's group, and descends from us
// since its parents have died.
type hunt struct {
	asked   map[identity]bool // to end
	killed  map[identity]bool
	forcing bool // KILL from now on
	end     alarm
	again   alarm
	wait    time.Duration
}

// strays sends TERM to those that are not to live on, and KILL when the time of the stop is nearly over. It reports
// whether any are left. It looks after 1, 2, 4 … 256 ms; that the last of our children has gone is seen at once.
func (l *loop) strays() bool {
	h := &l.hunt
	if !l.Orphans || l.kernel.childless() {
		return false
	}
	l.reap()
	if h.again.index > 0 {
		return true
	}
	w := l.whose()
	if len(w.ours) == 0 {
		l.tellSpared(w)
		return false
	}
	if h.asked == nil {
		h.asked, h.killed = map[identity]bool{}, map[identity]bool{}
		if !h.forcing {
			l.alarms.in(l.patience(), &h.end, l.force)
		}
	}
	h.wait = min(max(2*h.wait, time.Millisecond), 256*time.Millisecond)
	fresh := note(h.asked, w.ours)
	if len(fresh) > 0 {
		l.Log.Info("had left their program's group, and are asked to end: " + list(fresh))
		for _, p := range fresh {
			l.kernel.signal(p, unix.SIGTERM, unix.SIGCONT)
		}
		if h.forcing {
			h.wait = 200 * time.Millisecond // the programs have taken all the time: this is what Stop has on top
		}
	}
	if h.forcing { // also while there are others each time, as the next command of a script that does not end
		late := slices.DeleteFunc(w.ours, func(p proc) bool { return slices.Contains(fresh, p) })
		if killed := note(h.killed, late); len(killed) > 0 {
			l.Log.Warn("had left their program's group and did not end: killed " + list(killed))
		}
		for _, p := range late {
			l.kernel.signal(p, unix.SIGKILL)
		}
	}
	l.alarms.in(h.wait, &h.again, func() {})
	return true
}

// patience is how long those get who were asked to end: the time that the stop has left, but for a tenth, and no more
// than 2 s of it, for what comes after the stop.
func (l *loop) patience() time.Duration {
	end, ok := l.stopping.ctx.Deadline()
	if !ok {
		return 10 * time.Second
	}
	left := time.Until(end)
	return left - min(left/10, 2*time.Second)
}

// force has the hunt look at once, and send KILL from now on.
func (l *loop) force() {
	l.hunt.forcing, l.hunt.wait = true, 0
	l.alarms.off(&l.hunt.again)
}

// identity is what runs in a process. A shell's child that was between fork and exec has taken TERM for the shell, and
// lost it: it is somebody else after its exec, and is asked again.
type identity struct {
	pid   int
	start uint64
	name  string
}

// note returns those that were not noted before.
func note(noted map[identity]bool, ps []proc) (fresh []proc) {
	for _, p := range ps {
		if who := (identity{p.pid, p.start, p.name}); !noted[who] {
			noted[who] = true
			fresh = append(fresh, p)
		}
	}
	return fresh
}

// whose are our descendants, by who is to say whether they live on.
type whose struct{ ours, kept, unknown []proc }

// whose tells by cgroup, or by descent, as far as it was seen, then by the environment; what descends from a process is
// whose that is. What cannot be told is ours to end only where no program has ever had KillProcess.
func (l *loop) whose() (w whose) {
	type verdict uint8
	const (
		none verdict = iota // nobody of ours
		unknown
		ours
		kept
	)
	all := l.look()
	lives := l.cgroupVerdicts()
	verdicts := map[int]verdict{}
	var judge func(p proc) verdict
	judge = func(p proc) (v verdict) {
		if v, ok := verdicts[p.pid]; ok {
			return v
		}
		verdicts[p.pid] = none
		defer func() { verdicts[p.pid] = v }()
		above := none
		if p.parent == l.kernel.self() {
			above = unknown
		} else if q, ok := all[p.parent]; ok && p.pid != l.kernel.self() {
			above = judge(q)
		}
		a := l.kin.of[p.pid].ancestor
		keeps, told := lives[p.pid]
		switch {
		case above == none:
			return none
		case l.kernel.self() == 1:
			return ours // nobody outlives PID 1
		case told && keeps:
			return kept
		case told:
			return ours
		case above == kept, l.kin.keeps[a], l.kernel.startedWith(p, sparedMark(l.Mark)):
			return kept
		case above == ours, a != 0, l.kernel.startedWith(p, l.Mark), l.kin.keeps == nil:
			return ours
		}
		return unknown
	}
	for pid, p := range all {
		switch v := judge(p); {
		case v == none || p.dead || l.spared[pid] || l.besides[p.session]:
		case v == ours:
			w.ours = append(w.ours, p)
		case v == kept:
			w.kept = append(w.kept, p)
		default:
			w.unknown = append(w.unknown, p)
		}
	}
	return w
}

func (l *loop) tellSpared(w whose) {
	if len(w.kept) > 0 {
		l.Log.Info("live on, because their program is not killed as a group: " + list(w.kept))
	}
	if len(w.unknown) > 0 {
		l.Log.Warn("live on, because it cannot be told whether they belong to a program that is not killed as a group: " +
			list(w.unknown))
	}
}

func list(ps []proc) string {
	const most = 20
	var words []string
	for _, p := range ps[:min(len(ps), most)] {
		words = append(words, fmt.Sprintf("pid %d %q", p.pid, p.name))
	}
	if n := len(ps) - most; n > 0 {
		words = append(words, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(words, ", ")
}
