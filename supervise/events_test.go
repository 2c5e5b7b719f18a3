package supervise

import (
	"slices"
	"testing"
)

// changes are the changes that the table allows, as others are told of them.
var changes = func() map[[2]string]bool {
	names := func(s state) []string {
		if s == down {
			return resting
		}
		return []string{(&program{state: s}).public()}
	}
	all := map[[2]string]bool{}
	for s := range states {
		for e := range events {
			if table[s][e].do == bug {
				continue
			}
			for _, from := range names(s) {
				for _, to := range names(table[s][e].to) {
					all[[2]string{from, to}] = true
				}
			}
		}
	}
	return all
}()

// resting are the states of a program that has come down.
var resting = []string{"down", "done", "failed"}

// heard holds the events of each program to be a path through the table: none is lost, none is told twice (issue 9.6).
func (j *judge) heard(e Event) {
	j.m.sync()
	defer j.m.sync()
	was := j.told[e.Program]
	if was == "" {
		was = "down"
	}
	e.Why()
	if rested := slices.Contains(resting, e.From); e.From != was || e.To == Gone && !rested ||
		e.To != Gone && !changes[[2]string{e.From, e.To}] || e.From == e.To && (e.To != "starting" || e.PID == 0) {
		j.breaks("E: %s goes from %s to %s, pid %d, and was %s", e.Program, e.From, e.To, e.PID, was)
	}
	if j.told[e.Program] = e.To; e.To == Gone {
		delete(j.told, e.Program)
	}
}

// heardAll holds the last event of each program against the end of a stop.
func (j *judge) heardAll() {
	for name, state := range j.told {
		if !slices.Contains(resting, state) {
			j.breaks("E: the stop is over, and the last that was told of %s is %s", name, state)
		}
	}
}

// issue 9.6: a listener that wants to know nothing costs nothing
func TestEventAllocates(t *testing.T) {
	l := &loop{Options: Options{Event: func(e Event) {
		if e.To != "up" {
			t.Error(e.To)
		}
	}}}
	p := &program{spec: &Program{Name: "a"}, state: up}
	if n := testing.AllocsPerRun(100, func() { l.tellEvent(p, "starting", "up") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
