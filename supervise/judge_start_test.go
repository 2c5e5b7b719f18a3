package supervise

import (
	"maps"
	"slices"
	"time"
)

// mayStart is asked at every start, whether it will succeed or not.
func (j *judge) mayStart(p *program) {
	j.m.moment("launch")
	name, now := p.spec.Name, j.m.now()
	r, w := j.refs[name], j.wanted[name]
	if j.stopped || w == nil {
		j.breaks("C2: %s is started, and not wanted", name)
		return
	}
	if r.hold {
		j.breaks("O1: %s is started, and is held", name)
	}
	if r.x != nil {
		j.breaks("C2: %s is started, and its process %s is still there", name, r.x)
		return
	}
	for _, x := range j.m.procs {
		switch {
		case x.name != name:
		case x.kind == "main":
			j.breaks("C2: there are two of %s", name)
		case x.kind == "helper" && x.spec.Kill == KillGroup && !x.dead && x.onKill < 30*time.Millisecond:
			j.breaks("T1: %s is started, and %s of the one before still runs", name, x)
		}
	}
	for _, x := range j.left(p.spec) {
		if x.killed < 0 || now < x.killed+5*time.Second {
			j.breaks("T3: %s is started, and %s of the one before is still there", name, x)
		}
	}
	if !p.spec.sameAs(w) {
		j.breaks("R4: %s is started as what it is not to be", name)
	}
	if r.finished != "" {
		j.breaks("C2: %s is started, and was %s", name, r.finished)
	}
	if now < r.notBefore && w.Gate == nil {
		j.breaks("C1: %s is started %v too early, after %d failures", name, r.notBefore-now, r.failures)
	}
	if who := j.clear(w); who != "" {
		j.breaks("C5: %s is started before %s is there", name, who)
	}
	if w.Gate != nil {
		if why := j.shut(j.gateOf(name)); why != "" {
			j.breaks("G: %s is started, and its gate %s", name, why)
		}
	}
	r.free = -1
}

// left are those whom a program that is to be started has left: in its cgroup, or, without, with its mark.
func (j *judge) left(p *Program) (xs []*process) {
	switch {
	case j.m.cgroups && p.Kill == KillProcess:
	case j.m.cgroups:
		return j.m.inhabitants(cgroupOf("/set", p))
	case j.m.orphans:
		for _, pid := range slices.Sorted(maps.Keys(j.m.procs)) {
			if x := j.m.procs[pid]; x.name == p.Name && (x.marked && p.Kill == KillGroup || x.termed >= 0) && j.leftBehind(x) {
				xs = append(xs, x)
			}
		}
	}
	return xs
}

// keepBelow is for a process that is told to end when its program is to be ended alone: what it has started lives on.
func (j *judge) keepBelow(x *process) {
	for _, y := range j.m.procs {
		if y.parent == x.pid {
			y.kept = true
			j.keepBelow(y)
		}
	}
}

// leftBehind says whether x is what a program's end has left, where there are no cgroups.
func (j *judge) leftBehind(x *process) bool {
	if j.m.cgroups || !j.m.orphans || x.kind != "stray" && x.kind != "helper" || x.dead || x.kept ||
		x.spec.Kill == KillProcess {
		return false
	}
	for _, y := range j.m.procs {
		if y.kind == "main" && y.name == x.name {
			return false
		}
	}
	return true
}

// leftInCgroup says whether x is what a program's end has left in its cgroup.
func (j *judge) leftInCgroup(x *process) bool {
	if x.cgroup == "" {
		return false
	}
	for _, y := range j.m.procs {
		if y.kind == "main" && y.cgroup == x.cgroup {
			return false
		}
	}
	return true
}

// gateOf is the latest gate of a program.
func (j *judge) gateOf(name string) (g *process) {
	for _, x := range j.m.procs {
		if x.kind == "gate" && x.name == name && (g == nil || x.pid > g.pid) {
			g = x
		}
	}
	return g
}

// shut tells why a gate gives no permission.
func (j *judge) shut(g *process) string {
	now := j.m.now()
	switch {
	case g == nil:
		return "is not there"
	case g.openAt < 0:
		return "has not said anything"
	case now < g.openAt+g.gateSpec.Delay:
		return "has not been open for long enough"
	case now > g.silentAt():
		return "is silent"
	case g.termed >= 0 || g.killed >= 0:
		return "was told to end"
	}
	return ""
}

// silentAt is when a gate counts as lost because it has said nothing.
func (g *process) silentAt() time.Duration {
	if g.openAt < 0 || g.gateSpec.Renew == 0 {
		return 1 << 62
	}
	return g.lineAt + g.gateSpec.Renew + g.gateSpec.Renew/8
}

func (j *judge) mayTask(kind, name string) {
	r := j.refs[name]
	if g := j.gateOf(name); kind == "gate" && g != nil && !g.dead {
		j.breaks("G: a gate of %s is started, and %s is still there", name, g)
	}
	switch {
	case kind == "hook":
	case kind == "check" && r != nil && r.x != nil && r.x.reapedAt > 0:
		j.breaks("C2: a check of %s is started, which has ended", name)
	case kind == "check" && r != nil && r.x != nil && r.x.termed < 0 && r.x.spec.Check != nil:
	case kind == "gate" && r != nil && r.downs > 0 && r.x == nil && !j.stopped:
		// It comes to who had died before first, and that may have been in the way of this one: it is ended at once.
	case j.stopped || j.wanted[name] == nil || r.hold && r.x == nil:
		j.breaks("C2: a %s of %s is started, and nobody wants that", kind, name)
	case kind == "check" && (r.x == nil || r.x.spec.Check == nil):
		j.breaks("C2: a check of %s is started, and there is nothing to be checked", name)
	case kind == "gate" && r.finished != "":
		j.breaks("G: a gate of %s is started, which is %s", name, r.finished)
	}
}
