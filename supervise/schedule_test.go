package supervise

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An operation is what somebody asks of the Set.
type operation struct {
	after time.Duration // the one before
	what  string        // update, plan, refused, status, stranger, await, calm, stop, up, down, restart, signal
	next  []Program
	names []string      // of up and the like
	with  bool          // of down: those too that require them
	limit time.Duration // of a stop; 0: none

	moment string        // it waits for one, see machine.at
	while  time.Duration // and for that
}

func (o operation) String() string {
	words := []string{fmt.Sprintf("%v later: ", o.after)}
	if o.moment != "" {
		words = append(words, fmt.Sprintf("%v after a %s: ", o.while, o.moment))
	}
	words = append(words, o.what)
	for _, p := range o.next {
		words = append(words, fmt.Sprintf("\n      %s", describe(p)))
	}
	for _, name := range o.names {
		words = append(words, " "+name)
	}
	if o.with {
		words = append(words, " with dependents")
	}
	if o.what == "stop" {
		words = append(words, fmt.Sprintf(" within %v", o.limit))
	}
	return strings.Join(words, "")
}

// describe tells all of a program that is not zero.
func describe(p Program) string {
	var words []string
	v := reflect.ValueOf(p)
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			if f.Kind() == reflect.Pointer {
				f = f.Elem()
			}
			words = append(words, fmt.Sprintf("%s=%+v", v.Type().Field(i).Name, f))
		}
	}
	return strings.Join(words, " ")
}

// schedule is what a seed makes of it all.
func schedule(seed uint64) (ops []operation) {
	r := rand.New(rand.NewPCG(seed, 2))
	names := strings.Split("abcdef", "")[:1+r.IntN(6)]
	var set []Program
	for range 1 + r.IntN(7) {
		o := operation{after: []time.Duration{time.Duration(r.IntN(3000)) * time.Microsecond,
			time.Duration(r.IntN(1000)) * time.Millisecond, time.Duration(r.IntN(30_000)) * time.Millisecond,
			time.Duration(r.IntN(150)) * time.Second}[r.IntN(4)]}
		switch r.IntN(12) {
		case 0:
			o.what = "status"
		case 1:
			o.what = "stranger"
		case 2:
			o.what = "await"
		case 3:
			o.what, o.next = "plan", mutate(r, names, set)
		case 4:
			o.what, o.next = "refused", mutate(r, names, set)
		default:
			set = mutate(r, names, set)
			o.what, o.next = "update", set
		}
		if len(ops) > 0 {
			o.aim(r)
		}
		ops = append(ops, o)
	}
	bind(seed, ops)
	beginHeld(seed, ops)
	find(seed, ops)
	ops = upgrade(seed, operate(seed, names, ops))
	if r.IntN(4) == 0 {
		ops = append(ops, operation{what: "calm"})
	}
	stop := operation{what: "stop", after: time.Duration(r.IntN(5000)) * time.Millisecond}
	switch r.IntN(3) {
	case 0:
		stop.limit = time.Duration(1+r.IntN(200)) * time.Millisecond
	case 1:
		stop.limit = time.Duration(1+r.IntN(30)) * time.Second
	}
	stop.aim(r)
	return append(ops, stop)
}

// bind has some programs have bounds, which may be others each time.
func bind(seed uint64, ops []operation) {
	r := rand.New(rand.NewPCG(seed, 4))
	for i := range ops {
		ops[i].next = slices.Clone(ops[i].next)
		for j := range ops[i].next {
			if n := r.Int64N(6); n < 3 {
				ops[i].next[j].Resources = &Resources{Memory: n} // 0: none
			}
		}
	}
}

// find has some programs of every third schedule find their environment.
func find(seed uint64, ops []operation) {
	r := rand.New(rand.NewPCG(seed, 6))
	if r.IntN(3) > 0 {
		return
	}
	finds := map[string]bool{}
	for _, name := range strings.Split("abcdef", "") {
		finds[name] = r.IntN(2) == 0
	}
	for i := range ops {
		for j := range ops[i].next {
			if p := &ops[i].next[j]; finds[p.Name] {
				env := p.Environment
				p.FindEnvironment = func() (map[string]string, error) { return env, nil }
			}
		}
	}
}

// beginHeld has some programs of every third schedule begin held, by what each of its configurations says.
func beginHeld(seed uint64, ops []operation) {
	r := rand.New(rand.NewPCG(seed, 5))
	if r.IntN(3) > 0 {
		return
	}
	for i := range ops {
		for j := range ops[i].next {
			ops[i].next[j].Held = r.IntN(3) == 0
		}
	}
}

// operate has half of all schedules do something to single programs too.
func operate(seed uint64, names []string, ops []operation) []operation {
	r := rand.New(rand.NewPCG(seed, 3))
	if r.IntN(2) == 0 {
		return ops
	}
	for range 1 + r.IntN(6) {
		o := operation{what: []string{"up", "down", "down", "restart", "restart", "signal"}[r.IntN(6)], with: r.IntN(2) == 0,
			after: time.Duration(r.Int64N([]int64{3_000_000, 1_000_000_000, 30_000_000_000}[r.IntN(3)]))}
		for range 1 + r.IntN(3) {
			o.names = append(o.names, names[r.IntN(len(names))])
		}
		slices.Sort(o.names)
		o.names = slices.Compact(o.names)
		o.aim(r)
		ops = slices.Insert(ops, 1+r.IntN(len(ops)), o)
	}
	return ops
}

// upgrade has a quarter of all schedules go on in another Set, some of them often.
func upgrade(seed uint64, ops []operation) []operation {
	r := rand.New(rand.NewPCG(seed, 5))
	if r.IntN(4) > 0 {
		return ops
	}
	for range 1 + r.IntN(4) {
		o := operation{what: "upgrade",
			after: time.Duration(r.Int64N([]int64{3_000_000, 1_000_000_000, 30_000_000_000}[r.IntN(3)]))}
		o.aim(r)
		ops = slices.Insert(ops, 1+r.IntN(len(ops)), o)
	}
	return ops
}

// aim has every other operation come just after something has happened.
func (o *operation) aim(r *rand.Rand) {
	if r.IntN(2) == 0 {
		o.moment = []string{"launch", "death", "reaping", "reaping"}[r.IntN(4)]
		o.while = time.Duration(r.Int64N([]int64{300_000, 3_000_000, 100_000_000}[r.IntN(3)]))
	}
}

// mutate returns another set of programs, in which some are as before.
func mutate(r *rand.Rand, names []string, before []Program) (next []Program) {
	turned := r.IntN(4) == 0 // the order is another
	for i, name := range names {
		at := slices.IndexFunc(before, func(p Program) bool { return p.Name == name })
		if at < 0 {
			if r.IntN(3) > 0 {
				next = append(next, invent(r, names, i, turned))
			}
			continue
		}
		p := before[at]
		switch r.IntN(12) {
		case 0:
			continue
		case 1:
			p = invent(r, names, i, turned)
		case 2, 3:
			p.Command = []string{"/main", name, strconv.Itoa(r.IntN(3))}
		case 4:
			p.Environment = map[string]string{"V": strconv.Itoa(r.IntN(3))}
		case 5: // policy
			q := invent(r, names, i, turned)
			q.Command, q.Environment, q.Ready, q.OneShot, q.Kill, q.Gate = p.Command, p.Environment, p.Ready, p.OneShot, p.Kill,
				p.Gate
			q.Listen = p.Listen
			p = q
		case 6:
			p.Listen = inventListen(r)
		}
		if turned != p.turned() && p.Order != nil {
			p.Order = order(r, names, i, turned)
		}
		next = append(next, p)
	}
	return next
}

// turned says whether a program comes after those that are behind it in the alphabet.
func (p *Program) turned() bool {
	return slices.ContainsFunc(p.needs(), func(n string) bool { return n > p.Name })
}

func order(r *rand.Rand, names []string, i int, turned bool) *Order {
	others := names[:i]
	if turned {
		others = names[i+1:]
	}
	o := &Order{}
	for _, n := range others {
		switch r.IntN(4) {
		case 0:
			o.After = append(o.After, n)
		case 1:
			if r.IntN(2) == 0 {
				o.Requires = append(o.Requires, n)
			}
		}
	}
	if o.After == nil && o.Requires == nil {
		return nil
	}
	return o
}

func invent(r *rand.Rand, names []string, i int, turned bool) Program {
	often := func(n int) bool { return r.IntN(100) < n }
	p := Program{Name: names[i], Command: []string{"/main", names[i], strconv.Itoa(r.IntN(3))},
		Environment: map[string]string{"V": strconv.Itoa(r.IntN(3))}, OneShot: often(15), Required: often(15),
		Essential: often(10)}
	p.StopTimeout = []time.Duration{-1, 0, time.Second, 5 * time.Second, 20 * time.Second}[r.IntN(5)]
	p.Restart = []Restart{Always, Always, OnFailure, Never}[r.IntN(4)]
	if often(50) {
		p.Backoff = &Backoff{Min: time.Duration(1+r.IntN(3000)) * time.Millisecond, Max: 10 * time.Second,
			ResetAfter: 20 * time.Second}
	}
	if often(20) {
		p.GiveUp = &GiveUp{Tries: 1 + r.IntN(4), Within: time.Minute}
	}
	if often(20) {
		p.PermanentExit = []int{42}
	}
	switch r.IntN(6) {
	case 0, 1:
		p.Ready = &Ready{FD: 9, Timeout: 5 * time.Second}
	case 2:
		p.Ready = &Ready{After: 2 * time.Second}
	}
	if often(60) {
		p.Order = order(r, names, i, turned)
	}
	if often(25) {
		p.Check = &Check{Command: []string{"/check", p.Name}, Every: time.Duration(5+r.IntN(20)) * time.Second,
			Timeout: 2 * time.Second, Failures: r.IntN(3), StartAfter: time.Duration(r.IntN(3)) * time.Second}
	}
	if often(15) {
		p.Gate = &Gate{Command: []string{"/gate", p.Name}, Timeout: time.Duration(r.IntN(8)) * time.Second,
			Delay: time.Duration(r.IntN(3)) * time.Second}
		if often(60) {
			p.Gate.Renew = time.Duration(4+r.IntN(10)) * time.Second
		}
	}
	if often(15) {
		p.Hook = &Hook{Command: []string{"/hook", p.Name}, Timeout: 3 * time.Second}
	}
	if often(20) {
		p.Kill = KillProcess
	}
	if often(25) {
		p.ReloadSignal = syscall.SIGHUP
	}
	if often(25) {
		p.Listen = inventListen(r)
	}
	return p
}
