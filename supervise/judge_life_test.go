package supervise

import (
	"time"
)

// compare holds the Status against what is known. At rest, when all has gone well for a while, every program has got
// where it can get.
func (l *life) compare(atRest bool) {
	l.sync()
	seen := map[string]bool{}
	for _, st := range l.set.Status() {
		seen[st.Name] = true
		r, p := l.refs[st.Name], l.wanted[st.Name]
		if r == nil {
			l.breaks("Q: Status tells of %s, which is gone", st.Name)
			continue
		}
		switch pid := 0; {
		case r.x != nil && r.x.launching && st.PID == 0:
		case r.x != nil && r.x.reapedAt == 0 && st.PID != r.x.pid, r.x == nil && st.PID != pid:
			l.breaks("Q: Status has PID %d for %s", st.PID, st.Name)
		case (st.Held != nil) != (r.hold && p != nil):
			l.breaks("O1: Status has the hold %v for %s", st.Held, st.Name)
		case st.Held != nil && st.Held.Configuration != r.byFile:
			l.breaks("O1: Status has the hold %v for %s: by the configuration should be %v", st.Held, st.Name, r.byFile)
		case r.x == nil && p != nil && r.finished != "" && st.State != r.finished:
			l.breaks("C1: %s is %s, and should be %s", st.Name, st.State, r.finished)
		case r.finished == "" && (st.State == "done" || st.State == "failed"):
			l.breaks("C1: %s is %s, and should be tried again", st.Name, st.State)
		}
		if !atRest || p == nil {
			continue
		}
		if r.x != nil && l.cgroups {
			l.bound(r.x.cgroup, p)
		}
		switch st.State {
		case "up", "done", "failed":
		case "starting":
			if !p.OneShot {
				l.breaks("C1: %s is starting for ever", st.Name)
			}
		case "down":
			if !r.hold {
				l.breaks("C1: %s is down for ever", st.Name)
			}
		case "blocked":
			if g := l.gateOf(st.Name); l.clear(p) == "" && (g == nil || g.openAt >= 0) {
				l.breaks("C5: %s is blocked for ever", st.Name)
			}
		default:
			l.breaks("C1: %s is %s for ever", st.Name, st.State)
		}
	}
	for name := range l.wanted {
		if !seen[name] {
			l.breaks("Q: Status does not tell of %s", name)
		}
	}
	if atRest {
		l.compareSockets()
	}
}

// bound looks whether the kernel knows what is in force.
func (l *life) bound(dir string, p *Program) {
	want := Resources{}
	if p.Resources != nil {
		want = *p.Resources
	}
	if got := l.bounds[dir]; got == nil || *got != want {
		l.breaks("R4: %s has %+v, and should have %+v", dir, got, want)
	}
}

// left holds what is left after a stop against its error.
func (l *life) left(err error, late bool) {
	// Of one who has just died slowly the rest of the group may not have been looked for since.
	frozen := l.slowly > 0 && l.now()-l.slowly < 100*time.Millisecond
	for _, x := range l.procs {
		slow := x.onKill > 30*time.Millisecond || x.holding
		frozen = frozen || slow && (x.kind == "main" || x.kind == "late")
		switch {
		case x.dead && x.kind != "main" && x.kind != "gate" && x.kind != "check", x.kind == "stranger", slow:
		case x.kind == "helper" && x.spec.Kill == KillProcess:
		case x.kind == "stray" && (!l.orphans || l.kept && !l.cgroups || late):
		case x.kind == "stray" && x.spec.Kill == KillProcess:
		case x.kind == "helper" && (l.kept || x.orphaned) && x.killed >= 0:
		default:
			l.breaks("T1: %s is left after the stop", x)
		}
	}
	if err != nil && !frozen {
		l.breaks("T1: Stop returns %v", err)
	}
}
