package supervise

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// underWay is for a process of a program that is forked, and not known to the Set.
func (j *judge) underWay(x *process) {
	r := j.refs[x.name]
	if r == nil {
		return
	}
	r.x, r.changed = x, false
	if x.spec.Gate != nil {
		x.gate = j.gateOf(x.name)
	}
}

// judgeLaunch is for when it is known.
func (j *judge) judgeLaunch(x *process, well bool, err error) {
	r := j.refs[x.name]
	if well || r == nil || r.x != x {
		return
	}
	r.x, r.free = nil, -1
	switch {
	case j.wanted[x.name] == nil:
		delete(j.refs, x.name)
	case x.unwanted >= 0:
		r.anew(j.m.now())
	case errors.Is(err, unix.EAGAIN): // C8: it comes back, whatever its policy
		j.again(r, x.spec)
	default:
		j.fails(r, x.spec)
	}
}

// checked is for the end of a check.
func (j *judge) checked(name string, well bool) {
	r := j.refs[name]
	if r == nil || r.x == nil || r.x.dead || r.x.spec.Check == nil {
		return
	}
	if well {
		r.x.bad = 0
		return
	}
	r.x.bad++
}

// gateFailed is for a gate that could not be started, or has ended before its program was.
func (j *judge) gateFailed(name string) {
	if r := j.refs[name]; r != nil {
		r.notAfter = j.m.now() + 66*time.Second
	}
}

// reaped is for every zombie that was taken.
func (j *judge) reaped(x *process) {
	now := j.m.now()
	r := j.refs[x.name]
	switch x.kind {
	case "main":
		j.m.moment("reaping")
		x.reapedAt = now
		if x.spec.Kill == KillProcess && r != nil && r.x == x {
			j.bury(r)
		}
	case "gate":
		x.reapedAt = now
		if r != nil && x.termed < 0 && x.killed < 0 && (r.x == nil || r.x.gate != x) {
			j.gateFailed(x.name)
		}
	case "check":
		j.checked(x.name, x.ws == 0)
	}
}

// bury is when the end of a process is taken note of.
func (j *judge) bury(r *ref) {
	x, now := r.x, j.m.now()
	x.buried = true
	r.x, r.free = nil, -1
	p := x.spec
	switch {
	case j.wanted[x.name] == nil:
		delete(j.refs, x.name)
		return
	case x.unwanted >= 0 && !x.early:
		r.anew(now)
		return
	}
	reset := p.Backoff.orDefault().ResetAfter
	if x.reapedAt-x.born >= reset {
		r.failures = 0
	}
	if x.termed < 0 && x.killed < 0 && !x.asked { // its own will
		worked := x.ws == 0
		switch {
		case p.Restart == Never, worked && (p.OneShot || p.Restart == OnFailure),
			x.ws.Exited() && slices.Contains(p.PermanentExit, x.ws.ExitStatus()), j.givesUp(r, p):
			r.finished = "failed"
			if worked {
				r.finished = "done"
			}
			return
		}
		j.again(r, p)
		return
	}
	j.fails(r, p)
}

// fails is for what is no end by a process's own will.
func (j *judge) fails(r *ref, p *Program) {
	if p.Restart == Never || j.givesUp(r, p) {
		r.finished = "failed"
		return
	}
	j.again(r, p)
}

func (j *judge) again(r *ref, p *Program) {
	b := p.Backoff.orDefault()
	d := time.Duration(0) // keepalived's rule, once more
	if r.failures > 0 {
		d = min(b.Max, b.Min<<min(r.failures-1, 20))
	}
	r.failures++
	r.notBefore, r.notAfter, r.free = j.m.now()+d, j.m.now()+d, -1
	if d > time.Second {
		r.notBefore, r.notAfter = j.m.now()+d*9/10, j.m.now()+d*11/10
	}
}

func (j *judge) givesUp(r *ref, p *Program) bool {
	if p.GiveUp == nil {
		return false
	}
	now := j.m.now()
	r.deaths = append(slices.DeleteFunc(r.deaths, func(t time.Duration) bool { return now-t > p.GiveUp.Within }), now)
	return len(r.deaths) >= p.GiveUp.Tries
}
