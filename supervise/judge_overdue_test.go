package supervise

import (
	"slices"
	"time"
)

// look finds what should have been done by now, and was not. The loop is at rest.
func (j *judge) look() {
	now := j.m.now()
	if len(j.wrong) > 0 {
		return
	}
	for name, r := range j.refs {
		x := r.x
		if x == nil {
			p := j.wanted[name]
			if p == nil || r.hold || r.finished != "" || p.Gate != nil || j.clear(p) != "" || j.leaving(p) {
				r.free, r.held = -1, -1
				continue
			}
			if left := j.left(p); len(left) > 0 {
				if r.held < 0 {
					r.held = now
				}
				for _, x := range left {
					if f := j.m.flight; f != nil && f.name == name && x.created+tick > f.forked {
						r.held = now // it may be what is launched
					}
					// What it was, or is to be, may have another than it has.
					if x.killed < 0 && now > max(r.held, r.notAfter)+j.longest[name]+soon {
						j.breaks("T4: %s is not ended", x)
					}
				}
				r.free = -1
				continue
			}
			r.held = -1
			if f := j.m.flight; f != nil && now-f.forked > 50*time.Millisecond { // it waits for that
				r.free = -1
				continue
			}
			if r.free < 0 {
				r.free = now
			}
			if now > max(r.free, r.notAfter)+soon {
				j.breaks("C1: %s is not started, and nothing is in its way", name)
			}
			continue
		}
		if x.launching {
			if now > x.forked+10*time.Second+soon && !x.late {
				j.breaks("C6: the launch of %s is not given up", x)
			}
			continue
		}
		if x.reapedAt > 0 {
			if now > x.reapedAt+soon {
				j.breaks("C1: the end of %s is forgotten", x)
			}
			continue
		}
		if x.dead {
			if now > max(x.ended, x.born)+soon {
				j.breaks("C1: %s is not reaped", x)
			}
			continue
		}
		j.lookAt(x)
	}
	for _, x := range j.m.procs {
		if (x.kind == "check" || x.kind == "hook") && !x.dead && x.killed < 0 && now > x.born+30*time.Second {
			j.breaks("C6: %s hangs, and is not killed", x)
		}
	}
	for _, x := range j.m.zombies {
		if x.kind != "stranger" && !x.launching && now > max(x.left, j.m.landed)+soon &&
			(j.m.orphans && j.m.flight == nil || x.kind != "helper" && x.kind != "stray") {
			j.breaks("C1: %s is not reaped", x)
		}
	}
}

// leaving says whether a program that p comes after has not ended yet as what it was.
func (j *judge) leaving(p *Program) bool {
	return slices.ContainsFunc(p.needs(), func(name string) bool {
		r := j.refs[name]
		return r != nil && r.x != nil && (r.x.unwanted >= 0 || r.x.termed >= 0)
	})
}

// lookAt is for a process that runs.
func (j *judge) lookAt(x *process) {
	now := j.m.now()
	rd, lost := x.spec.Ready, j.lostAt(x)
	if lost >= 0 {
		lost = max(lost, x.born)
	}
	if lost >= 0 && x.killed < 0 && now > lost+x.spec.Gate.Timeout+soon {
		j.breaks("G: %s has outlived its gate", x)
	}
	switch {
	case x.killed >= 0:
		return
	case j.hurried() && now > max(j.stopEnds, x.born)+soon:
		j.breaks("T1: %s has outlived the stop", x)
	case x.termed >= 0:
		if now > x.termed+x.patience+soon {
			j.breaks("T1: %s is not killed", x)
		}
		return
	}
	late := rd != nil && rd.FD > 0 && !x.spec.OneShot && x.readied < 0 && now-x.born > rd.Timeout && x.unwanted < 0
	if x.faulty < 0 && (lost >= 0 || late || x.bad > 2) {
		x.faulty = now
	}
	if x.faulty >= 0 && now > x.faulty+soon {
		j.breaks("G or C1: %s is not stopped, and something is wrong with it", x)
	}
	if x.unwanted < 0 || j.blocks(x) != nil {
		x.stuck = -1
		return
	}
	if x.stuck < 0 {
		x.stuck = now
	}
	if now > x.stuck+soon {
		j.breaks("R1: %s is not stopped", x)
	}
}
