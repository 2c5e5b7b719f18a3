package supervise

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// A Hold keeps a program down. It outlives an Update, which the program takes on without being started, and ends with
// [Set.Up], [Set.Restart], the program's removal, and the Set. One by the configuration, see Program.Held, ends too
// with an Update that does not say so any more.
type Hold struct {
	UID           int       `json:"uid"` // who has asked for it; 0 of one by the configuration
	Since         time.Time `json:"since"`
	Configuration bool      `json:"configuration,omitempty"` // nobody has asked for it
}

func (h *Hold) String() string {
	if h.Configuration {
		return "held by the configuration"
	}
	return fmt.Sprintf("held by uid %d since %s", h.UID, h.Since.Format(time.DateTime))
}

// A Request is what somebody asks of programs, of all of them at the same time: their order holds for them.
type Request struct {
	Names      []string
	UID        int  // who asks; for the log, and of a Hold
	NoWait     bool // the answer is how they are as soon as it was asked
	Dependents bool // of Down: whoever requires one of them goes down too, before it
	// HeldSince is, of Restart, since when they are held as far as the asker knows; zero: they are not. Who is held since
	// another moment is left so, which is its outcome. Nil: nobody is left so.
	HeldSince *time.Time
}

// UnknownError says that there is no program of that name; nothing was done.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no program %q", e.Name) }

// RequiredError says which programs require those that were to go down, and are not to; nothing was done.
type RequiredError struct{ By []string }

func (e *RequiredError) Error() string { return "required by " + some(e.By) }

// Up has programs run that are down, done, failed or held, or wait for their next try. It returns, one after the other
// by name, what has come of it: a program is up when it is ready, or, if it does not tell, has lived for a second, or
// when it is done; its first failure is the answer, too. When ctx ends first, that is how they are by then. An error
// means that nothing was done.
func (s *Set) Up(ctx context.Context, r Request) ([]Outcome, error) {
	return s.operate(ctx, &operating{Request: r, what: lift})
}

// Down holds programs: they stop, and are not started until they are asked for. It is done when their processes have
// ended. Those that others require, who are not down for good, are left alone with a *[RequiredError], unless r has
// Dependents. For ctx and errors see [Set.Up].
func (s *Set) Down(ctx context.Context, r Request) ([]Outcome, error) {
	return s.operate(ctx, &operating{Request: r, what: hold})
}

// Restart has programs stop and start anew; it is [Set.Up] for those that have no process.
func (s *Set) Restart(ctx context.Context, r Request) ([]Outcome, error) {
	return s.operate(ctx, &operating{Request: r, what: renew})
}

// Signal sends a signal to the main process of each program. One that has none is not done.
func (s *Set) Signal(ctx context.Context, sig syscall.Signal, r Request) ([]Outcome, error) {
	return s.operate(ctx, &operating{Request: r, what: poke, sig: sig})
}

// operating is a Request on its way.
type operating struct {
	Request
	what     event
	sig      syscall.Signal
	outcomes []Outcome
	asked    []*wish
	left     int // who have no outcome yet
	reply    chan operated
}

type operated struct {
	outcomes []Outcome
	err      error
}

// leaveRequest is for who does not wait any longer.
type leaveRequest struct{ of *operating }

// wish is what is asked of one program.
type wish struct {
	of   *operating
	p    *program
	at   int // in the outcomes
	over bool
	life alarm // it has lived for long enough
}

func (s *Set) operate(ctx context.Context, r *operating) ([]Outcome, error) {
	r.Names = slices.Clone(r.Names)
	r.reply = make(chan operated, 1)
	if err := s.send(ctx, r); err != nil {
		return nil, err
	}
	leave := ctx.Done()
	for {
		select {
		case a := <-r.reply:
			return a.outcomes, a.err
		case <-leave:
			leave = nil
			if s.send(context.Background(), leaveRequest{r}) != nil {
				return nil, errStopped
			}
		case <-s.ended:
			return nil, errStopped
		}
	}
}

// operate does what was asked. All know of it before the first of them moves, as with an update.
func (l *loop) operate(r *operating) {
	programs, err := l.meant(r)
	if err != nil {
		r.reply <- operated{err: err}
		return
	}
	if len(programs) == 0 {
		r.reply <- operated{}
		return
	}
	l.reap() // who has died is not up, though this loop was late
	l.stops++
	r.outcomes, r.left = make([]Outcome, len(programs)), len(programs)
	for i, p := range programs {
		a := &wish{of: r, p: p, at: i}
		r.asked = append(r.asked, a)
		r.outcomes[i].Name = p.spec.Name
		if !r.leaves(p) {
			l.prepare(p, r)
		}
	}
	verb := [events]string{lift: "up", hold: "down", renew: "restart", poke: "signal " + signalName(r.sig)}[r.what]
	l.Log.Info(fmt.Sprintf("programs: %s: %s", verb, some(r.Names)), "uid", r.UID)
	if r.what == poke {
		l.poke = r.sig
		for _, p := range programs {
			l.on(p, poke)
		}
		l.answerLate(r)
		return
	}
	for _, a := range r.asked {
		x := a.p.withFeatures()
		x.asking = append(x.asking, a)
	}
	for _, p := range programs { // who is queued too early is blocked again when its turn comes
		if !r.leaves(p) {
			l.on(p, r.what)
		}
		l.answer(p)
	}
	l.tellChanged()
	l.judge()
	if r.NoWait {
		l.answerLate(r)
	}
}

// meant are the programs that were asked for, by name.
func (l *loop) meant(r *operating) (programs []*program, err error) {
	if l.stopping != nil {
		return nil, errStopped
	}
	slices.SortFunc(r.Names, compareNames)
	r.Names = slices.Compact(r.Names)
	for _, name := range r.Names {
		if p := l.programs[name]; p == nil || p.wanted == nil {
			return nil, &UnknownError{name}
		}
	}
	if r.what == hold {
		by := l.requiredBy(r.Names)
		if len(by) > 0 && !r.Dependents {
			return nil, &RequiredError{by}
		}
		r.Names = append(r.Names, by...)
		slices.SortFunc(r.Names, compareNames)
	}
	for _, name := range r.Names {
		programs = append(programs, l.programs[name])
	}
	return programs, nil
}

// requiredBy are those who require one of these, or one another, and are not down for good.
func (l *loop) requiredBy(names []string) (by []string) {
	is := map[string]bool{}
	for _, name := range names {
		is[name] = true
	}
	all := l.inOrder()
	for again := true; again; {
		again = false
		for _, p := range all {
			if p.wanted == nil || p.wanted.Order == nil || is[p.spec.Name] || p.held() ||
				p.state == down && p.outcome != unfinished {
				continue
			}
			if slices.ContainsFunc(p.wanted.Order.Requires, func(name string) bool { return is[name] }) {
				is[p.spec.Name], again = true, true
				by = append(by, p.spec.Name)
			}
		}
	}
	slices.SortFunc(by, compareNames)
	return by
}

// leaves says whether p stays held, for somebody has taken it down meanwhile.
func (r *operating) leaves(p *program) bool {
	return r.what == renew && r.HeldSince != nil && p.held() && !p.hold.Since.Equal(*r.HeldSince)
}

// prepare notes what is asked of p.
func (l *loop) prepare(p *program, r *operating) {
	if r.what == poke {
		return
	}
	leaving := p.state.leaving() || p.state == recalled
	present := p.state.running() || p.state.underWay()
	if r.what == hold {
		if !p.held() || p.hold.Configuration {
			p.withFeatures().hold = &Hold{UID: r.UID, Since: time.Now().Round(0)}
		}
		p.fault = ""
	} else if p.features != nil {
		p.hold = nil
	}
	if leaving && !p.isChanging() {
		p.stop = l.stops
	}
	if !present || leaving || r.what == renew {
		p.beginAnew()
	}
	p.leaves = leaving || present && r.what != lift
}

// held says whether p is to be down until somebody asks for it.
func (p *program) held() bool { return p.features != nil && p.hold != nil }
