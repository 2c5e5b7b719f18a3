package supervise

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
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

// promise O1: what is held has no process, whatever happens, until somebody asks for it; and nothing but a bug keeps
// the four things that can be asked for from having their way.
func TestTableOfHolds(t *testing.T) {
	for s := range states {
		if to := table[s][hold].to; to == blocked || to == queued || to == launching || to == starting || to == up ||
			to == backoff {
			t.Errorf("state %v, a hold: it goes to %v", s, to)
		}
		for _, e := range []event{lift, hold, renew, poke} {
			if table[s][e].do == bug || e == poke && table[s][e].to != s {
				t.Errorf("state %v, event %v: it goes to %v", s, e, table[s][e])
			}
		}
		for _, e := range []event{lift, renew} {
			if to := table[s][e].to; s != held && (to == held || to == down) {
				t.Errorf("state %v, event %v: it goes to %v", s, e, to)
			}
		}
	}
	for e := range events {
		if to := table[held][e].to; to != held && e != lift && e != renew {
			t.Errorf("held, event %v: it goes to %v", e, to)
		}
	}
}

// promise C1: keepalived's rule
func TestDelay(t *testing.T) {
	b := (*Backoff)(nil).orDefault()
	for n, want := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 60, 60, 60} {
		if got := b.delay(n); got != want*time.Second {
			t.Errorf("restart %d: %v, want %v s", n, got, want)
		}
	}
	if got := b.delay(1 << 30); got != time.Minute {
		t.Errorf("restart 2^30: %v", got)
	}
	if got := (&Backoff{Min: time.Millisecond,
		Max: 5 * time.Millisecond}).orDefault().delay(4); got != 5*time.Millisecond {
		t.Errorf("own limits: %v", got)
	}
}

func TestPlan(t *testing.T) {
	p := func(command string) *Program { return &Program{Command: []string{command}} }
	policy := p("/same")
	policy.Restart, policy.StopTimeout = Never, time.Hour
	user := p("/u")
	user.User = &User{Name: "x"}
	c, same := plan(
		map[string]*Program{"a": p("/a"), "b": p("/b"), "c": p("/c"), "d": p("/same"), "u": p("/u")},
		map[string]*Program{"b": p("/b"), "c": p("/other"), "d": policy, "e": p("/e"), "u": user})
	if got, want := c.String(), "+e ~c ~u *d -a (* has new settings, and needed no restart for them)"; got != want {
		t.Errorf("plan: %s, want %s", got, want)
	}
	slices.Sort(same)
	if !slices.Equal(same, []string{"b", "d"}) {
		t.Errorf("left alone: %v", same)
	}
}

// issue 9, promise R5: whatever a program has that is new is told of, bounds and all else that needs no restart
// included
func TestPlanTellsOfEachSetting(t *testing.T) {
	of := reflect.TypeFor[Program]()
	for i := range of.NumField() {
		was, now := &Program{Command: []string{"/a"}}, &Program{Command: []string{"/a"}}
		vary(reflect.ValueOf(now).Elem().Field(i))
		other := &Program{Command: []string{"/b"}}
		c, same := plan(map[string]*Program{"a": was, "/x": other}, map[string]*Program{"a": now, "/x": other})
		switch field := of.Field(i).Name; field {
		case "Name":
		case "Resources", "Restart", "StopTimeout", "Order":
			if got := c.String(); len(same) != 2 || !strings.HasPrefix(got, "*a (* has new settings") {
				t.Errorf("%s: %s", field, got)
			}
		default:
			if got := c.String(); got == "no program changed" {
				t.Errorf("%s: %s", field, got)
			}
		}
		if c, _ := plan(map[string]*Program{"a": now}, map[string]*Program{"a": now}); now.FindEnvironment == nil &&
			c.String() != "no program changed" {
			t.Errorf("%s, the same: %v", of.Field(i).Name, c)
		}
	}
}

// promise R5: so is each part of what a program has, of a table that both have
func TestPlanTellsOfEachPart(t *testing.T) {
	of := reflect.TypeFor[Program]()
	for i := range of.NumField() {
		whole := of.Field(i)
		if whole.Type.Kind() != reflect.Pointer || whole.Type.Elem() == reflect.TypeFor[User]() {
			continue
		}
		for j := range whole.Type.Elem().NumField() {
			was, now := &Program{Command: []string{"/a"}}, &Program{Command: []string{"/a"}}
			for _, p := range []*Program{was, now} {
				reflect.ValueOf(p).Elem().Field(i).Set(reflect.New(whole.Type.Elem()))
			}
			part := whole.Type.Elem().Field(j)
			vary(reflect.ValueOf(now).Elem().Field(i).Elem().Field(j))
			c, _ := plan(map[string]*Program{"a": was, "/x": was}, map[string]*Program{"a": now, "/x": was})
			if got := c.String(); got == "no program changed" {
				t.Errorf("%s.%s: %s", whole.Name, part.Name, got)
			}
		}
	}
}

// issue 9: who comes after those that come and go is not told of for that
func TestPlanTellsOfWhoComesOnly(t *testing.T) {
	after := func(names ...string) *Program { return &Program{Command: []string{"/a"}, Order: &Order{After: names}} }
	w := &Program{Command: []string{"/w"}}
	c, _ := plan(map[string]*Program{"a": after("w:1", "w:2"), "w:1": w, "w:2": w},
		map[string]*Program{"a": after("w:1", "w:3"), "w:1": w, "w:3": w})
	if got := c.String(); got != "+w:3 -w:2" {
		t.Error(got)
	}
}

// vary makes a value be another.
func vary(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.String:
		v.SetString("/x")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		vary(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("a"), reflect.ValueOf("b"))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		vary(v.Elem())
	case reflect.Struct:
		vary(v.Field(0))
	case reflect.Func:
		v.Set(reflect.ValueOf(func() (map[string]string, error) { return map[string]string{"a": "b"}, nil }))
	}
}

// Instances are told of by their numbers. // issue 8.7
func TestOrderOfNames(t *testing.T) {
	names := strings.Fields("w w-a w0 w:1 w:2 w:9 w:10 w:100 wa wa:1 wa:20")
	for i, a := range names {
		for j, b := range names {
			if got := compareNames(a, b); got != cmp.Compare(i, j) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
	c, _ := plan(nil, map[string]*Program{"w:10": {}, "w:2": {}, "x": {}, "w:1": {}})
	if got := c.String(); got != "+w:1 +w:2 +w:10 +x" {
		t.Errorf("plan: %s", got)
	}
}

// promise R5: what was touched, in a line that is bounded
func TestChangesInWords(t *testing.T) {
	lost := func(n int) (list []*LaunchError) {
		for i := range n {
			list = append(list, &LaunchError{fmt.Sprint("p", i), fs.ErrNotExist})
		}
		return list
	}
	var many []string
	for i := range 30 {
		many = append(many, fmt.Sprint("p", i))
	}
	for _, c := range []struct {
		Changes
		want string
	}{
		{Changes{}, "no program changed"},
		{Changes{Added: []string{"web"}, Restarted: []string{"api"}, Removed: []string{"old"}}, "+web ~api -old"},
		{Changes{Signalled: []string{"api"}}, "!api (! is signalled, and keeps its old environment until it is restarted)"},
		{Changes{Adjusted: []string{"web"}}, "*web (* has new settings, and needed no restart for them)"},
		{Changes{Held: []string{"web"}}, "=web (= is held: taken on, and started once it is not)"},
		{Changes{Added: []string{"p0"}, Failed: lost(1)}, "+p0; could not be started: p0 (file does not exist)"},
	} {
		if got := c.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	got := Changes{Added: many, Removed: many, Failed: lost(30)}.String()
	for _, want := range []string{"+p19 and 40 more; could not be started: p0 (",
		"p4 (file does not exist), and 25 more"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
}

func TestAlarms(t *testing.T) {
	var s alarms
	if s.next() != nil {
		t.Error("none is set, and one comes")
	}
	as := make([]alarm, 100)
	var rung []int
	for i := range as {
		s.in(time.Duration((i*37)%100)*time.Hour, &as[i], func() { rung = append(rung, i) })
	}
	s.in(0, &as[3], func() { rung = append(rung, 3) })
	s.off(&as[4])
	s.off(&as[4])
	s.run(time.Now().Add(time.Minute)) // number 0, and the one that was set anew
	if len(rung) != 2 {
		t.Errorf("%v rang, want two", rung)
	}
	rung = nil
	s.run(time.Now().Add(1000 * time.Hour))
	if len(rung) != 97 {
		t.Errorf("%d rang, want 97", len(rung))
	}
	for i := 1; i < len(rung); i++ {
		if rung[i]*37%100 < rung[i-1]*37%100 {
			t.Fatal("out of order")
		}
	}
	if s.next() != nil {
		t.Error("one is left")
	}
}

func TestJitter(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		r    float64
		want time.Duration
	}{{time.Second, 0, time.Second}, {10 * time.Second, 0, 9 * time.Second}, {10 * time.Second, 0.5, 10 * time.Second}} {
		if got := jitter(c.d, c.r); got != c.want {
			t.Errorf("jitter(%v, %v) = %v, want %v", c.d, c.r, got, c.want)
		}
	}
}

func TestCycle(t *testing.T) {
	p := func(after ...string) *Program { return &Program{Order: &Order{After: after}} }
	if c := circle(map[string]*Program{"a": p("b", "c"), "b": p("c"), "c": {}, "d": p("a", "missing")}); c != nil {
		t.Errorf("a cycle where there is none: %v", c)
	}
	c := circle(map[string]*Program{"a": p("b"), "b": {Order: &Order{Requires: []string{"c"}}}, "c": p("a"), "d": p("a")})
	if len(c) != 4 || c[0] != c[3] {
		t.Errorf("%v", c)
	}
}

func TestLimiter(t *testing.T) {
	m := limiter{rate: 2}
	now := time.Now()
	passed, dropped := 0, 0
	for i := range 30 { // ten a second
		pass, d := m.pass(now.Add(time.Duration(i) * 100 * time.Millisecond))
		if pass {
			passed++
		}
		dropped += d
	}
	if passed != 6 || dropped+m.dropped != 24 {
		t.Errorf("passed %d, dropped %d", passed, dropped+m.dropped)
	}
}

// promise C1: how long something has lived is told even of what has died at once.
func TestLifetime(t *testing.T) {
	for lived, want := range map[time.Duration]string{
		0: "0s", 340_499 * time.Nanosecond: "340µs", 20*time.Second + 389_600*time.Microsecond: "20.39s",
		4_499 * time.Microsecond: "4ms",
	} {
		if got := lifetime(lived).String(); got != want {
			t.Errorf("%d: %s, want %s", lived, got, want)
		}
	}
}

// promise A1: without a mark nobody is marked, not even who has written its title over its environment, as nginx does.
func TestNoMark(t *testing.T) {
	environ := t.TempDir() + "/environ"
	if err := os.WriteFile(environ, []byte("A=1\x00\x00\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	if !marked(environ, "A=1") || marked(environ, "") {
		t.Error("an empty mark is found, or one that is there is not")
	}
}
