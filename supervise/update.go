package supervise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Update makes the programs of this Set be the given ones: it stops what is gone, starts what is new, restarts or
// signals what has changed and leaves the rest alone. An error means that it was refused and that nothing has been
// touched: what is wrong in the programs themselves (no name or command, a path that is relative, a name given twice,
// programs that wait for each other), a ctx that ended before, or a Set that has been stopped. Otherwise all of it is
// in force. What the system does not have (an executable, a directory, a user, a process) is no reason to refuse: it is
// the failure of that program, in [Changes.Failed], which is tried again like one that dies.
//
// Update returns when a start of every new program that nothing is in the way of has been tried, or at once when ctx
// ends after all. What has to stop first is started when it has stopped;
// a failure of that is in the log and in [Set.Status].
func (s *Set) Update(ctx context.Context, programs []Program) (Changes, error) {
	return s.update(ctx, programs, false)
}

// Plan tells what an Update would do, or why it would be refused, and touches nothing.
func (s *Set) Plan(ctx context.Context, programs []Program) (Changes, error) {
	return s.update(ctx, programs, true)
}

// Apply is Update for those who have no use for the Changes. Its error is a refusal unless it is, or joins, a
// *[LaunchError], or ctx has ended: then the programs have been taken on.
func (s *Set) Apply(ctx context.Context, programs []Program) error {
	c, err := s.Update(ctx, programs)
	if err != nil {
		return err
	}
	errs := []error{ctx.Err()}
	for _, e := range c.Failed {
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

func (s *Set) update(ctx context.Context, programs []Program, dry bool) (Changes, error) {
	next, err := byName(programs)
	if err != nil {
		return Changes{}, err
	}
	now, err := s.asFound(ctx, next)
	if err != nil {
		return Changes{}, err
	}
	r := updateRequest{next, now, dry, make(chan decision, 1), make(chan []*LaunchError, 1)}
	if err := s.send(ctx, r); err != nil {
		return Changes{}, err
	}
	d := <-r.decided // at once; from here on the end of ctx is no refusal
	if d.err != nil || dry {
		return d.Changes, d.err
	}
	select {
	case d.Failed = <-r.tried:
	case <-ctx.Done():
	case <-s.ended:
	}
	return d.Changes, nil
}

// byName refuses what is wrong in the programs themselves.
func byName(programs []Program) (map[string]*Program, error) {
	next := make(map[string]*Program, len(programs))
	var errs []error
	for i := range programs {
		p := &programs[i]
		if err := p.check(); err != nil {
			errs = append(errs, each(p.Name, err)...)
		}
		if next[p.Name] != nil {
			errs = append(errs, fmt.Errorf("program %s: there are two of that name", p.Name))
		}
		next[p.Name] = p
	}
	errs = append(errs, checkShared(programs)...)
	if c := circle(next); c != nil {
		errs = append(errs, fmt.Errorf("programs wait for each other: %s", arrow(c)))
	}
	return next, errors.Join(errs...)
}

// each puts the name of the program before every one of joined errors.
func each(name string, err error) (errs []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{fmt.Errorf("program %s: %w", name, err)}
	}
	for _, e := range joined.Unwrap() {
		errs = append(errs, each(name, e)...)
	}
	return errs
}

// updateRequest asks the loop for an Update, or for a Plan.
type updateRequest struct {
	next    map[string]*Program
	now     map[string]*Program // the same, as it was found
	dry     bool
	decided chan decision
	tried   chan []*LaunchError
}

type decision struct {
	Changes
	err error
}

// updating is an Update in force, whose launches are being tried.
type updating struct {
	untried map[string]bool // of Added and Restarted
	last    int             // the place in the queue of the last of those that have had one
	failed  []*LaunchError
	tried   chan []*LaunchError
}

// update moves every program towards its new self. All are there and know what they are to be before the first of them
// moves: so they wait for each other, and outlive each other, in whatever order they come.
func (l *loop) update(r updateRequest) {
	if l.stopping != nil {
		r.decided <- decision{err: errStopped}
		return
	}
	c, same := l.plan(r.now)
	r.decided <- decision{Changes: c}
	if r.dry {
		return
	}
	clear(l.hanging)
	if len(c.Added) < len(r.next) || len(c.Removed) > 0 {
		l.Log.Info("programs: " + c.String())
	}
	started := slices.Concat(c.Added, c.Restarted)
	lifted := l.tellWanted(&c, same, r.next)
	l.handOnSockets(started)
	u := &updating{untried: make(map[string]bool, len(started)), tried: r.tried}
	for _, name := range started {
		u.untried[name] = true
	}
	l.updates = append(l.updates, u)
	l.move(c, lifted)
}

// tellWanted has all programs be there and know what they are to be. It takes those from c.Restarted whose hold, by the
// configuration, is lifted, and returns them.
func (l *loop) tellWanted(c *Changes, same []string, next map[string]*Program) (lifted []*program) {
	for _, name := range slices.Concat(same, c.Signalled) {
		if p := l.programs[name]; !p.isChanging() { // else it stops in the order that was
			l.adjust(p, next[name])
		}
	}
	for _, name := range c.Added {
		if l.programs[name] == nil {
			l.programs[name] = &program{spec: next[name], since: l.kernel.sinceBoot()}
		}
	}
	l.holdNew(c.Held, next)
	c.Restarted = slices.DeleteFunc(slices.Clone(c.Restarted), func(name string) bool {
		p := l.programs[name]
		is := p.lifted(next[name])
		if is {
			p.hold = nil
			lifted = append(lifted, p)
		}
		return is
	})
	for name, p := range l.programs {
		p.wanted = next[name]
	}
	l.order()
	return lifted
}

// move is what there is to do then.
func (l *loop) move(c Changes, lifted []*program) {
	for _, name := range c.Removed {
		if p := l.programs[name]; p.held() {
			p.hold = nil // whoever comes in its place under its name is another
		}
	}
	for _, name := range slices.Concat(c.Removed, c.Restarted, c.Held) {
		l.replace(l.programs[name])
	}
	for _, name := range c.Signalled {
		p := l.programs[name]
		if p.features != nil {
			p.given = nil
		}
		l.signalMain(p, p.spec.ReloadSignal) // not the group: its workers may not know what to do with it
	}
	for _, name := range c.Added {
		l.on(l.programs[name], want)
	}
	for _, p := range lifted {
		if p.beginAnew(); p.state == held {
			l.on(p, unwant) // it is what it is to be from now on
		}
		l.on(p, lift)
	}
	for _, p := range l.inOrder() { // what they wait for may have changed
		if p.state == blocked {
			l.admit(p)
		}
	}
	l.judge()
}

// adjust has p, which goes on, be next, which its process can do with.
func (l *loop) adjust(p *program, next *Program) {
	was := p.spec
	p.spec = next
	l.takesOnCheck(p, was.Check)
	if p.spec.Required && !was.Required {
		l.require(p)
	}
	if !was.Resources.same(p.spec.Resources) {
		l.bind(p)
	}
	if p.pid == 0 && !p.state.underWay() {
		l.rested(p)
	}
}

// holdNew has those that are new be held from the beginning.
func (l *loop) holdNew(names []string, next map[string]*Program) {
	for _, name := range names {
		p := l.programs[name]
		if p == nil {
			p = &program{spec: next[name], since: l.kernel.sinceBoot()}
			l.programs[name] = p
		}
		if p.wanted == nil {
			p.withFeatures().hold = &Hold{Since: time.Now().Round(0), Configuration: true}
		}
	}
}

// replace stops p and has it go on as what is wanted, if anything.
func (l *loop) replace(p *program) {
	p.beginAnew()
	l.on(p, unwant)
}

// noteTried is for a start of p that was tried. Those who wait for the outcome of an Update are told of the first.
func (l *loop) noteTried(p *program, err error) {
	for _, u := range l.updates {
		if u.untried[p.spec.Name] {
			delete(u.untried, p.spec.Name)
			if err != nil {
				u.failed = append(u.failed, &LaunchError{p.spec.Name, err})
			}
		}
	}
}

// answerUpdates answers those of whose programs none waits for its turn to be tried. Whoever dies and comes back all
// the time holds up nobody.
func (l *loop) answerUpdates() {
	l.updates = slices.DeleteFunc(l.updates, func(u *updating) bool {
		if u.last > l.turns || l.seeksAny(u.untried) {
			return false
		}
		slices.SortFunc(u.failed, func(a, b *LaunchError) int { return strings.Compare(a.Name, b.Name) })
		u.tried <- u.failed
		return true
	})
}
