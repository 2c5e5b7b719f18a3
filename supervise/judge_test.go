package supervise

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// judge sees every start and every signal, and knows what was asked for. It holds that against the promises.
type judge struct {
	m       *machine
	set     *Set
	wrong   []string
	wanted  map[string]*Program
	refs    map[string]*ref
	longest map[string]time.Duration // StopTimeout that a program has had
	told    map[string]string        // the last event of each program
	turnNo  int                      // counts what was asked for

	stopped  bool // Stop was asked for
	limited  bool // it has an end
	stopEnds time.Duration
	kept     bool // there has been a program with KillProcess
}

// ref is what a program has to be.
type ref struct {
	spec      *Program // that it runs as, or will
	x         *process // until it is buried
	finished  string   // done, failed: for good
	hold      bool     // it is to be down
	byFile    bool     // because its Program says so
	downs     int      // times it was asked to be, and the loop has not come to that
	turn      int      // when somebody has asked for something of it last
	failures  int
	deaths    []time.Duration
	notBefore time.Duration
	notAfter  time.Duration
	free      time.Duration // since when nothing keeps it from being started; -1
	held      time.Duration // since when only what is left in its cgroup does; -1
	changed   bool          // since its process was started, or without one

	has   []string // addresses that it was given
	rests bool     // it may have been told that they are closed while it is down
}

// mainOf is what is known of the process of a program.
type mainOf struct {
	gate      *process
	buried    bool
	reapedAt  time.Duration
	unwanted  time.Duration // -1: it is wanted as it is
	toldAt    int           // turnNo then
	early     bool          // the loop has not come to that, and it is dead
	faulty    time.Duration // since when something is wrong with it for which it is to be stopped; -1
	stuck     time.Duration // since when nothing keeps it from being stopped; -1
	bad       int           // checks in a row
	patience  time.Duration
	mayReload bool
	mayPoke   bool
	asked     bool // to end, when it had ended already
}

// soon is the longest that anything takes that is to be done at once.
const soon = 400 * time.Millisecond

func (j *judge) breaks(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	j.m.say("WRONG %s", text)
	j.wrong = append(j.wrong, text)
}

// differ tells what an Update changes; Restarted are those too that will only be signalled.
func differ(old, next map[string]*Program) (c Changes) {
	for name := range old {
		if next[name] == nil {
			c.Removed = append(c.Removed, name)
		}
	}
	for name, p := range next {
		switch was := old[name]; {
		case was == nil:
			c.Added = append(c.Added, name)
		case !was.sameAs(p):
			c.Restarted = append(c.Restarted, name)
		}
	}
	for _, s := range [][]string{c.Added, c.Restarted, c.Removed} {
		slices.Sort(s)
	}
	return c
}

// differs is differ, with whom the configuration holds, or no longer holds, among the Restarted.
func (j *judge) differs(next map[string]*Program) Changes {
	c := differ(j.wanted, next)
	c.Added = slices.DeleteFunc(c.Added, func(name string) bool {
		if next[name].Held {
			c.Restarted = append(c.Restarted, name)
		}
		return next[name].Held
	})
	for name, p := range next {
		if j.lifts(name, p) && !slices.Contains(c.Restarted, name) {
			c.Restarted = append(c.Restarted, name)
		}
	}
	slices.Sort(c.Restarted)
	return c
}

// lifts says whether the configuration has held a program, and does no longer.
func (j *judge) lifts(name string, next *Program) bool {
	return j.wanted[name] != nil && j.refs[name].byFile && !next.Held
}

// accept is for an Update that cannot be refused, before it is asked for.
func (j *judge) accept(next map[string]*Program, c Changes) {
	j.turnNo++
	old := j.wanted
	j.wanted = next
	for name, p := range next {
		j.kept = j.kept || p.Kill == KillProcess
		j.longest[name] = max(j.longest[name], p.stopTimeout())
		r := j.refs[name]
		switch was := old[name]; {
		case was == nil:
			if r == nil {
				r = &ref{spec: p, free: -1, held: -1}
				j.refs[name] = r
			} else {
				r.spec, r.changed, r.deaths = p, true, nil
				r.anew(j.m.now())
			}
			r.hold, r.byFile = p.Held, p.Held
		case r.byFile && !p.Held:
			r.spec, r.hold, r.byFile, r.deaths = p, false, false, nil
			r.anew(j.m.now())
		case was.sameAs(p):
			if r.x == nil || r.x.unwanted < 0 {
				if r.x != nil {
					if r.x.spec = p; !reflect.DeepEqual(was.Check, p.Check) {
						r.x.bad = 0 // another check begins anew
					}
				}
			}
			r.spec, r.rests = p, r.rests || p.rests()
		default:
			r.spec = p
			if x := r.x; x != nil && x.unwanted < 0 && x.termed < 0 && p.ReloadSignal != 0 && was.sameButV(p) &&
				x.reapedAt == 0 && j.isUp(r) {
				x.mayReload, x.spec = true, p
			} else {
				r.deaths = nil
				r.anew(j.m.now())
				if x != nil && x.unwanted < 0 {
					x.unwanted, x.toldAt = j.m.now(), j.turnNo
				}
			}
		}
		// What it is not to listen on it gives up, and has no claim on when it is to again.
		r.has = slices.DeleteFunc(r.has, func(address string) bool { return !p.listensOn(address) })
	}
	for _, name := range c.Removed {
		r := j.refs[name]
		r.hold, r.byFile, r.has = false, false, nil // its sockets are given up at once
		if r.x == nil {
			delete(j.refs, name)
		} else if r.x.unwanted < 0 {
			r.x.unwanted, r.x.toldAt = j.m.now(), j.turnNo
		}
	}
}

func (r *ref) anew(now time.Duration) {
	if r.finished != "" {
		r.has = nil // it has given them up
	}
	r.failures, r.finished, r.notBefore, r.notAfter, r.free = 0, "", now, now, -1
}

func (p *Program) sameAs(q *Program) bool {
	return p.sameButV(q) && maps.Equal(p.Environment, q.Environment)
}

// sameButV is what a running process cannot be given, told by hand.
func (p *Program) sameButV(q *Program) bool {
	return slices.Equal(p.Command, q.Command) && p.OneShot == q.OneShot && p.Kill == q.Kill &&
		reflect.DeepEqual(p.Ready, q.Ready) && (p.Gate == nil) == (q.Gate == nil) && p.sameSockets(q)
}

// halt is for a Stop.
func (j *judge) halt(ends time.Duration, limited bool) {
	j.stopEnds, j.limited = ends, limited
	j.turnNo++
	j.stopped = true
	j.wanted = nil
	for name, r := range j.refs {
		if r.x == nil {
			delete(j.refs, name)
		} else if r.x.unwanted < 0 {
			r.x.unwanted, r.x.toldAt = j.m.now(), j.turnNo
		}
	}
}

// hurried says whether the time of the stop is over.
func (j *judge) hurried() bool { return j.stopped && j.limited && j.m.now() >= j.stopEnds }

func (j *judge) isUp(r *ref) bool {
	x := r.x
	if x == nil || x.launching || x.unwanted >= 0 || x.termed >= 0 || x.spec.OneShot ||
		x.dead && j.m.now()-x.ended > soon {
		return false
	}
	switch rd := x.spec.Ready; {
	case rd == nil:
		return true
	case rd.After > 0:
		return j.m.now()-x.born >= rd.After
	}
	return x.readied >= 0
}

// clear says whether all are there that p comes after. A program that is gone, or is going, is not asked for.
func (j *judge) clear(p *Program) (who string) {
	if p.Order == nil {
		return ""
	}
	for _, name := range p.Order.After {
		if r := j.refs[name]; j.wanted[name] != nil && !j.isUp(r) && r.finished == "" && (!r.hold || r.x != nil) {
			return name
		}
	}
	for _, name := range p.Order.Requires {
		if r := j.refs[name]; j.wanted[name] == nil || !j.isUp(r) && r.finished != "done" {
			return name
		}
	}
	return ""
}
