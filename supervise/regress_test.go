package supervise

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// issue 8.1: each bug that the simulation has found, in the order of events that it takes. None may come back, however
// the schedules change that chance makes.
func TestFoundBySimulation(t *testing.T) {
	a := Program{Name: "a", Command: []string{"/main", "a"}}
	with := func(p Program, change func(*Program)) Program { change(&p); return p }
	check := &Check{Command: []string{"/check", "a"}, Every: time.Minute, Failures: 1, StartAfter: 5 * time.Second}
	checked := with(a, func(p *Program) { p.Check = check })
	final := func(p *Program) { p.PermanentExit = []int{42} }
	hooked := with(a, func(p *Program) { p.Hook = &Hook{Command: []string{"/hook", "a"}} })
	told := func(p *Program) { p.Ready = &Ready{FD: 3, Timeout: 2 * time.Second} }
	signalled := func(value string) Program {
		return with(a, func(p *Program) {
			p.ReloadSignal, p.Environment = syscall.SIGHUP, map[string]string{"V": value}
		})
	}
	crash := func(name string) Program {
		return Program{Name: name, Command: []string{"/main", name},
			Backoff: &Backoff{Min: time.Millisecond, Max: time.Millisecond}}
	}
	crashes := fate{hanging: 5 * time.Millisecond, status: wsOne}
	// The process of a ends at 1 s, and the rest of its group, which takes its time to die, some 60 ms later.
	ends := fate{life: time.Second, status: wsForEver}
	slow := fate{life: -1, onTerm: -1, onKill: 50 * time.Millisecond}
	update := func(after time.Duration, programs ...Program) operation {
		return operation{what: "update", after: after, next: programs}
	}
	stop := func(after, limit time.Duration) operation {
		return operation{what: "stop", after: after, limit: limit}
	}
	for _, test := range []struct {
		promise string
		fates
		ops   []operation
		check func(l *life) bool // that it came to what the test is about
	}{
		{"R1: an Update is answered though others die all the time",
			fates{"main a": crashes, "main b": crashes, "main c": crashes},
			[]operation{update(0, crash("a"), crash("b"), crash("c")),
				update(time.Second, crash("a"), crash("b"), crash("c"), Program{Name: "d", Command: []string{"/main", "d"}}),
				stop(5*time.Second, 0)},
			func(l *life) bool { return len(l.updated) == 2 && l.updated[1] < 2*time.Second }},
		{"R4: a check that was taken away is not run", fates{},
			[]operation{update(0, checked), update(time.Second, a), stop(10*time.Second, 0)},
			func(l *life) bool { return l.counts["checka"] == 0 }},
		{"R4: a check that was added is run", fates{},
			[]operation{update(0, a), update(time.Second, checked), stop(10*time.Second, 0)},
			func(l *life) bool { return l.counts["checka"] == 1 }},
		{"R1: what has ended gets no reload signal, but is started again", fates{"main a 1": ends, "helper a": slow},
			[]operation{update(0, with(signalled("1"), final)), update(1020*time.Millisecond, with(signalled("2"), final)),
				stop(time.Minute, 0)}, nil},
		{"C2: what has ended is not checked", fates{"main a 1": ends, "helper a": slow},
			[]operation{update(0, with(with(checked, final), func(p *Program) {
				p.Check = &Check{Command: check.Command, Every: time.Minute, StartAfter: 1020 * time.Millisecond}
			})), stop(time.Minute, 0)},
			func(l *life) bool { return l.counts["checka"] == 0 }},
		{"C2: what has ended is not checked, though its check is new", fates{"main a 1": ends, "helper a": slow},
			[]operation{update(0, with(a, final)), update(1020*time.Millisecond, with(with(a, final), func(p *Program) {
				p.Check = &Check{Command: check.Command, Every: time.Minute}
			})), stop(time.Minute, 0)},
			func(l *life) bool { return l.counts["checka"] == 0 }},
		{"C2: an end that is final is not undone by a check that fails",
			fates{"main a 1": ends, "helper a": slow, "check a 1": {life: 940 * time.Millisecond, status: wsOne}},
			[]operation{update(0, with(with(checked, final), func(p *Program) {
				p.Check = &Check{Command: check.Command, Every: time.Minute, Failures: 1, StartAfter: 80 * time.Millisecond}
			})), stop(time.Minute, 0)}, nil},
		{"C2: an end that is final is not undone by the loss of a gate",
			fates{"main a 1": ends, "helper a": slow, "gate a 1": {life: 1020 * time.Millisecond}},
			[]operation{update(0, with(with(a, final), func(p *Program) { p.Gate = &Gate{Command: []string{"/gate", "a"}} })),
				stop(time.Minute, 0)}, nil},
		{"C2: an end that is final is not undone by a deadline",
			fates{"main a 1": {life: 1990 * time.Millisecond, status: wsForEver, getting: -1}, "helper a": slow},
			[]operation{update(0, with(with(a, final), told)), stop(time.Minute, 0)}, nil},
		{"C5: what has ended is not ready",
			fates{"main a 1": {life: time.Second, status: wsOne, getting: 1020 * time.Millisecond},
				"helper a": slow},
			[]operation{update(0, with(a, told),
				Program{Name: "b", Command: []string{"/main", "b"}, Order: &Order{After: []string{"a"}}}), stop(time.Minute, 0)},
			nil},
		{"C7: what a process says before it is known to run is heard",
			fates{"main a 1": {life: -1, telling: 50 * time.Millisecond}},
			[]operation{update(0, with(a, told),
				Program{Name: "b", Command: []string{"/main", "b"}, Order: &Order{After: []string{"a"}}}),
				stop(time.Minute, 0)}, nil},
		{"C1: a long life is one, whatever its end is",
			fates{"main a 1": {status: wsOne}, "main a 2": {status: wsOne}, "main a 3": {status: wsOne},
				"check a": {status: wsOne}}, []operation{update(0, with(a, func(p *Program) {
				p.Backoff = &Backoff{Min: 3 * time.Second, Max: 10 * time.Second, ResetAfter: 20 * time.Second}
				p.Check = &Check{Command: check.Command, Every: time.Hour, Failures: 1, StartAfter: 30 * time.Second}
			})), stop(time.Minute, 0)},
			func(l *life) bool { return l.counts["checka"] == 1 }},
		{"C1: a life ends with the process, not with its group",
			fates{"main a 2": {life: 19990 * time.Millisecond, status: wsOne}, "main a": {life: time.Second, status: wsOne},
				"helper a": slow}, []operation{update(0, with(a, func(p *Program) {
				p.Backoff = &Backoff{Min: 3 * time.Second, Max: 10 * time.Second, ResetAfter: 20 * time.Second}
			})), stop(time.Minute, 0)}, nil},
		{"T1: no hook outlives a stop", fates{"main a 1": {life: -1, onTerm: -1}, "hook a": {life: -1}},
			[]operation{update(0, with(a, func(p *Program) {
				p.Hook, p.StopTimeout = &Hook{Command: []string{"/hook", "a"}, Timeout: time.Second}, 10*time.Second
			})), stop(30*time.Second, 5*time.Second)},
			func(l *life) bool { return l.counts["hooka"] > 1 }},
		{"G: no gate is started beside the one that was given up",
			fates{"main a 1": ends, "gate a 1": {life: -1, onTerm: -1, onKill: 3 * time.Second}},
			[]operation{update(0, with(a, func(p *Program) { p.Gate = &Gate{Command: []string{"/gate", "a"}} })),
				stop(time.Minute, 0)}, func(l *life) bool { return l.counts["gatea"] == 2 }},
		{"T1: a launch that hangs is given up soon when nobody wants it any more",
			fates{"main a 1": {life: -1, hanging: 4900 * time.Millisecond}}, []operation{update(0, a), stop(time.Second, 0)},
			func(l *life) bool { return l.downAt < 3*time.Second }},
		{"C8: a hook that cannot be started for want of something is tried again, and not for ever",
			fates{"hook a": {failing: unix.EAGAIN}}, []operation{update(0, hooked), stop(time.Hour, 0)},
			func(l *life) bool { return l.counts["hooka"] == hookTries+2 }}, // and of the stop
		{"C8: a hook that waits for its next try is not forgotten by a stop",
			fates{"hook a 1": {failing: unix.EAGAIN}, "hook a 2": {failing: unix.EAGAIN}},
			[]operation{update(0, hooked), stop(1500*time.Millisecond, 0)},
			func(l *life) bool { return l.counts["hooka"] == 3 }},
		{"a hook that cannot be started for its own fault is not tried again", fates{"hook a": {failing: unix.ENOENT}},
			[]operation{update(0, hooked), stop(time.Hour, 0)},
			func(l *life) bool { return l.counts["hooka"] == 5 }},
	} {
		t.Run(test.promise, func(t *testing.T) {
			l, wrong, trace := liveWith(t, test.fates, 1, test.ops, true)
			if len(wrong) > 0 {
				t.Errorf("%v", wrong)
			}
			if test.check != nil && !test.check(l) {
				t.Error("it has not come to that")
			}
			if t.Failed() || testing.Verbose() {
				t.Log(strings.Join(trace, "\n"))
			}
		})
	}
}

// issue 8.5: the same where there are no cgroups. What has left the group of a does not heed TERM.
func TestFoundWithoutCgroups(t *testing.T) {
	seed := seedWith(false)
	a := Program{Name: "a", Command: []string{"/main", "a"}, StopTimeout: 2 * time.Second}
	alone, hooked := a, a
	alone.Kill, alone.StopTimeout = KillProcess, time.Second
	// that is when it is launched
	hooked.Hook, hooked.Ready = &Hook{Command: []string{"/hook", "a"}}, &Ready{After: 500 * time.Millisecond}
	hasty, young := hooked, hooked
	hasty.StopTimeout, young.StopTimeout, young.Ready = -1, -1, nil
	stubborn := fate{life: -1, onTerm: -1, stray: true}
	for _, test := range []struct {
		promise string
		fates
		ops   []operation
		kills bool
	}{
		{"T3: what is being ended is waited for, though its program is to be ended alone from now on",
			fates{"main a 1": {life: time.Second, status: wsOne}, "helper a": stubborn},
			[]operation{{what: "update", next: []Program{a}},
				{what: "update", after: 1500 * time.Millisecond, next: []Program{alone}}}, true},
		{"T4: what a program had started lives on when it is to be ended alone, and when it is not any more",
			fates{"helper a": stubborn}, []operation{{what: "update", next: []Program{a}},
				{what: "update", after: time.Second, next: []Program{alone}},
				{what: "update", after: time.Second, next: []Program{a}}}, false},
		{"T4: a hook of its own that hangs in its exec does not put off the end of what it has left",
			fates{"main a 1": {life: time.Second, status: wsOne}, "helper a": stubborn, "hook a 3": {hanging: 9 * time.Second}},
			[]operation{{what: "update", next: []Program{hooked}}}, true},
		{"T4: what is looked for late, because of a launch, has its time from then on",
			fates{"main a 1": {life: time.Second, status: wsOne}, "helper a": stubborn, "hook a 4": {hanging: 9 * time.Second}},
			[]operation{{what: "update", next: []Program{hasty}}}, true},
		{"T4: what may be what is launched has its time from when that is over",
			fates{"main a 1": {life: 20 * time.Millisecond, status: wsOne}, "helper a": stubborn,
				"hook a 3": {hanging: 4 * time.Second}},
			[]operation{{what: "update", next: []Program{young}}}, true},
		{"T3: nor is it given up while a launch that cannot even be killed goes on",
			fates{"main a 1": {life: 20 * time.Millisecond, status: wsOne}, "helper a": stubborn,
				"hook a 2": {hanging: 18 * time.Second}},
			[]operation{{what: "update", next: []Program{young}}}, true},
	} {
		t.Run(test.promise, func(t *testing.T) {
			l, wrong, trace := liveWith(t, test.fates, seed, append(test.ops, operation{what: "stop", after: time.Minute}), true)
			if len(wrong) > 0 {
				t.Errorf("%v", wrong)
			}
			if text := strings.Join(trace, "\n"); !l.orphans || l.cgroups ||
				strings.Contains(text, "program a: had left its group and did not end: killed") != test.kills {
				t.Error("it has not come to that")
			}
			if t.Failed() || testing.Verbose() {
				t.Log(strings.Join(trace, "\n"))
			}
		})
	}
}

// promise C6: of two that die together, one is launched again before the other is looked at; that its exec hangs, or
// that it is not to be launched any more, does not keep the other unreaped.
func TestDiesTogether(t *testing.T) {
	a, b := Program{Name: "a", Command: []string{"/main", "a"}}, Program{Name: "b", Command: []string{"/main", "b"}}
	hangs := fate{life: -1, hanging: 4900 * time.Millisecond}
	together := regexp.MustCompile(`main [ab]#1 .* dies.*\n.*main [ab]#1 .* dies.*\n.*main [ab]#1 .* is reaped`)
	reaped := regexp.MustCompile(`(?m)^ *1\.[01]\S* +main [ab]#1 .* is reaped$`)
	for _, removal := range []bool{false, true} {
		ops := []operation{{what: "update", next: []Program{a, b}}}
		if removal {
			ops = append(ops, operation{what: "update", moment: "reaping"})
		}
		ops = append(ops, operation{what: "stop", after: time.Minute})
		came := false
		for later := time.Duration(0); later < 5*time.Millisecond; later += 50 * time.Microsecond {
			_, wrong, trace := liveWith(t, fates{"main a 1": {life: time.Second + later, status: wsOne},
				"main b 1": {life: time.Second, status: wsOne}, "main a 2": hangs, "main b 2": hangs}, seedWith(true), ops, true)
			text := strings.Join(trace, "\n")
			if !together.MatchString(text) || removal && strings.Contains(text, "#2") {
				continue
			}
			came = true
			if len(wrong) > 0 || len(reaped.FindAllString(text, -1)) != 2 {
				t.Errorf("%v\n%s", wrong, text)
			}
		}
		if !came {
			t.Errorf("removal %v: it has not come to that", removal)
		}
	}
}

// seedWith is a seed with which liveWith has us inherit orphans, with cgroups or without, and have no helper.
func seedWith(cgroups bool) (seed uint64) {
	for {
		seed++
		if r := rand.New(rand.NewPCG(seed, 1)); r.IntN(3) == 0 && (r.IntN(2) == 0) == cgroups && seed%2 == 1 {
			return seed
		}
	}
}

// issue 8.5: a program that is to be ended alone leaves somebody in its cgroup, and is gone; the next of its name has
// no bounds, and does not get those.
func TestBoundsGoWithTheirProgram(t *testing.T) {
	next := Program{Name: "a", Command: []string{"/main", "a"}, Kill: KillProcess}
	bounded := next
	bounded.Resources = &Resources{PIDs: 5}
	l, wrong, trace := liveWith(t, fates{"helper a": {life: -1, onTerm: -1, stray: true}}, seedWith(true), []operation{
		{what: "update", next: []Program{bounded}}, {what: "update", after: time.Minute},
		{what: "update", after: time.Minute, next: []Program{next}}, {what: "calm"},
		{what: "stop", after: time.Hour}}, true)
	text := strings.Join(trace, "\n")
	if len(wrong) > 0 || !l.cgroups || strings.Count(text, "launch main a#1") != 2 {
		t.Errorf("%v\n%s", wrong, text)
	}
}

// issue 8.5: what has left its group ends after its program was removed, and added anew without bounds: that does not
// get those of the one before.
func TestBoundsGoWithWhoIsSwept(t *testing.T) {
	next := Program{Name: "a", Command: []string{"/main", "a"}, StopTimeout: 5 * time.Second}
	bounded := next
	bounded.Resources = &Resources{PIDs: 5}
	l, wrong, trace := liveWith(t, fates{"helper a": {life: -1, onTerm: 2 * time.Second, stray: true}}, seedWith(true),
		[]operation{{what: "update", next: []Program{bounded}}, {what: "update", after: time.Minute},
			{what: "update", after: time.Second, next: []Program{next}}, {what: "calm"},
			{what: "stop", after: time.Hour}}, true)
	text := strings.Join(trace, "\n")
	if len(wrong) > 0 || !l.cgroups || !strings.Contains(text, "had left its group, and are asked to end") ||
		strings.Contains(text, "SIGKILL") || strings.Count(text, "launch main a#1") != 2 {
		t.Errorf("%v\n%s", wrong, text)
	}
}

// promise R4: a program that is on its way to its executable gets the bounds that it is to have by now, whatever it was
// launched with.
func TestBoundsOfALaunch(t *testing.T) {
	for _, bounds := range [][2]*Resources{{{PIDs: 5}, {PIDs: 6}}, {{PIDs: 5}, nil}, {nil, {PIDs: 6}}} {
		was := Program{Name: "a", Command: []string{"/main", "a"}, Resources: bounds[0]}
		next := was
		next.Resources = bounds[1]
		l, wrong, trace := liveWith(t, fates{"main a": {life: -1, hanging: 4900 * time.Millisecond}}, seedWith(true),
			[]operation{{what: "update", next: []Program{was}}, {what: "update", after: time.Second, next: []Program{next}},
				{what: "calm"}, {what: "stop", after: time.Hour}}, true)
		text := strings.Join(trace, "\n")
		if len(wrong) > 0 || !l.cgroups || strings.Count(text, "launch main a#1") != 1 ||
			strings.Contains(text, "bounds that it had") {
			t.Errorf("%v, then %v: %v\n%s", bounds[0], bounds[1], wrong, text)
		}
	}
}

// promise R4: who has no cgroup yet, or not any more, is not said to run on with other bounds, unless it does.
func TestBoundsThatCannotBeHad(t *testing.T) {
	const dir = "/set/a.group"
	r := &Resources{PIDs: 5}
	b := binding{"a", r}
	for name, c := range map[string]struct {
		pid    int
		queued map[string]binding
		says   bool
	}{"it runs": {pid: 5, says: true}, "it does not run": {},
		"it was being launched, and is bound anew": {pid: 5, queued: map[string]binding{dir: b}}} {
		var log strings.Builder
		l := newLoop(Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Cgroup: "/set"}, &Set{}, &unbound{})
		l.programs["a"] = &program{pid: c.pid, starts: 1, spec: &Program{Name: "a", Resources: r}}
		if c.queued != nil {
			l.binding = c.queued
		}
		l.haveBound(boundNow{map[string]binding{dir: b}, map[string]error{dir: unix.ENOENT}})
		if said := strings.Contains(log.String(), "runs on with the bounds that it had"); said != c.says {
			t.Errorf("%s: %q", name, log.String())
		}
	}
}

// unbound is a kernel that never gets to the bounds.
type unbound struct{ *linux }

func (*unbound) bind(map[string]binding, func(boundNow)) {}

// fates are those that processes have, by kind, name and number, or by kind and name; the others live for long and
// obey. A program has a helper in its group if one has a fate.
type fates map[string]fate

func (f fates) of(kind, name string, n int) fate {
	got, ok := f[fmt.Sprint(kind, " ", name, " ", n)]
	if !ok {
		got, ok = f[kind+" "+name]
	}
	if !ok {
		if got.life = -1; kind == "check" || kind == "hook" {
			got.life = 0
		}
	}
	if _, ok := f["helper "+name]; ok && kind == "main" {
		got.helpers = 1
	}
	got.r = rand.New(rand.NewPCG(1, uint64(n)))
	return got
}
