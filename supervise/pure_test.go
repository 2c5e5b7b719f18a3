package supervise

import (
	"testing"
	"time"
)

// Every pair of state and event is decided, and nothing but a bug keeps an event from having its way.
func TestTableHasNoHoles(t *testing.T) {
	for s := range states {
		for e := range events {
			if table[s][e].do == undecided {
				t.Errorf("state %v, event %d: undecided", s, e)
			}
			if table[s][e].do == bug && table[s][e].to != s {
				t.Errorf("state %v, event %d: a bug changes the state", s, e)
			}
		}
	}
	for _, e := range []event{unwant, hurry} {
		for s := range states {
			if step := table[s][e]; step.do == bug || step.to == up || step.to == queued || step.to == backoff {
				t.Errorf("state %v, event %d: a program that is not wanted goes to %v", s, e, step.to)
			}
		}
	}
}

// promise C1: keepalived's rule
func TestDelay(t *testing.T) {
	b := Backoff{}.orDefault()
	for n, want := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 60, 60, 60} {
		if got := b.delay(n); got != want*time.Second {
			t.Errorf("restart %d: %v, want %v s", n, got, want)
		}
	}
	if got := b.delay(1 << 30); got != time.Minute {
		t.Errorf("restart 2^30: %v", got)
	}
	if got := (Backoff{Min: time.Millisecond, Max: 5 * time.Millisecond}).orDefault().delay(4); got != 5*time.Millisecond {
		t.Errorf("own limits: %v", got)
	}
}

func TestPlan(t *testing.T) {
	p := func(command string) *Program { return &Program{Command: []string{command}} }
	policy := p("/same")
	policy.Restart, policy.StopTimeout = Never, time.Hour
	user := p("/u")
	user.User = &User{Name: "x"}
	c := plan(
		map[string]*Program{"a": p("/a"), "b": p("/b"), "c": p("/c"), "d": p("/same"), "u": p("/u")},
		map[string]*Program{"b": p("/b"), "c": p("/other"), "d": policy, "e": p("/e"), "u": user})
	if got, want := c.String(), "+1 ~2 -1 =2"; got != want {
		t.Errorf("plan: %s, want %s", got, want)
	}
	for name, got := range map[string][]string{"a": c.gone, "e": c.added} {
		if len(got) != 1 || got[0] != name {
			t.Errorf("%v, want %s", got, name)
		}
	}
}

func TestDeadlines(t *testing.T) {
	var d deadlines
	if d.next() != nil {
		t.Error("an empty set has a deadline")
	}
	ps := make([]*program, 100)
	for i := range ps {
		ps[i] = &program{index: -1}
		d.set(ps[i], time.Duration((i*37)%100)*time.Hour)
	}
	d.set(ps[3], 0)
	d.remove(ps[4])
	d.remove(ps[4])
	if got := d.due(time.Now().Add(time.Minute)); len(got) != 2 { // number 0 and the one that was set anew
		t.Errorf("%d are due, want 2", len(got))
	}
	all := d.due(time.Now().Add(1000 * time.Hour))
	if len(all) != 97 {
		t.Errorf("%d are due, want 97", len(all))
	}
	for i := 1; i < len(all); i++ {
		if all[i].deadline.Before(all[i-1].deadline) {
			t.Fatal("out of order")
		}
	}
	if d.next() != nil {
		t.Error("a deadline is left")
	}
}
