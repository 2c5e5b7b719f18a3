package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

func (w *world) said(outcomes []supervise.Outcome, err error) string {
	w.t.Helper()
	if err != nil {
		return err.Error()
	}
	text := ""
	for _, o := range outcomes {
		text += fmt.Sprintf("%s %s done=%v failed=%v; ", o.Name, o.State, o.Done, o.Failed)
	}
	return text
}

func of(names ...string) supervise.Request { return supervise.Request{Names: names, UID: 42} }

func expectSaid(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

// promises O1, O2: a hold outlives reloads, what requires it waits, and both are up again when it is lifted.
func TestHold(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	ctx := t.Context()
	db, web := w.program("db", announce+hold), w.program("web", announce+hold, func(p *supervise.Program) {
		p.Order = &supervise.Order{Requires: []string{"db"}}
	})
	w.apply(db, web)
	w.collect(2)
	var required *supervise.RequiredError
	if _, err := w.set.Down(ctx, of("db")); !errors.As(err, &required) || !slices.Equal(required.By, []string{"web"}) {
		t.Errorf("it is required: %v", err)
	}
	r := of("db")
	r.Dependents = true
	expectSaid(t, w.said(w.set.Down(ctx, r)), "db down done=true failed=false; web down done=true failed=false; ")
	db.Command = []string{"/bin/sh", "-c", announce + hold + " "}
	c, err := w.set.Update(ctx, []supervise.Program{db, web})
	if err != nil || !slices.Equal(c.Held, []string{"db"}) || len(c.Restarted) > 0 {
		t.Errorf("reload: %v, %v", c, err)
	}
	for _, st := range w.set.Status() {
		if st.State != "down" || st.Held == nil || st.Held.UID != 42 {
			t.Errorf("%+v", st)
		}
	}
	expectSaid(t, w.said(w.set.Up(ctx, of("web"))), "web blocked done=false failed=false; ")
	expectSaid(t, w.said(w.set.Up(ctx, of("db"))), "db up done=true failed=false; ")
	w.collect(2)
	expectSaid(t, w.said(w.set.Up(ctx, of("wbe"))), `there is no program "wbe"`)
}

// promise O2: what begins held is not started until somebody asks for it, whom no Update contradicts; one that does not
// say so any more starts it, unless somebody has taken it down since.
func TestHeldFromTheBeginning(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	ctx := t.Context()
	spare, web := w.program("spare", announce+hold), w.program("web", announce+hold, func(p *supervise.Program) {
		p.Order = &supervise.Order{After: []string{"spare"}}
	})
	spare.Held = true
	update := func(want string) {
		t.Helper()
		if c, err := w.set.Update(ctx, []supervise.Program{spare, web}); err != nil || c.String() != want {
			t.Errorf("reload: %s, %v, want %s", c, err, want)
		}
	}
	why := func(want string) {
		t.Helper()
		for _, st := range w.set.Status() {
			if st.Name == "spare" && (st.Why != want || (st.Held == nil) != (want == "")) {
				t.Errorf("%+v, want %q", st, want)
			}
		}
	}
	update("+web =spare (= is held: taken on, and started once it is not)")
	w.expect("web")
	why("held by the configuration")
	update("no program changed")
	expectSaid(t, w.said(w.set.Up(ctx, of("spare"))), "spare up done=true failed=false; ")
	w.expect("spare")
	why("")
	update("no program changed")
	why("")

	expectSaid(t, w.said(w.set.Down(ctx, of("spare"))), "spare down done=true failed=false; ")
	spare.Held = false
	update("*spare (* has new settings, and needed no restart for them)")
	if st := w.set.Status()[0]; st.Held == nil || st.Held.UID != 42 || st.Held.Configuration {
		t.Errorf("%+v", st)
	}

	w.apply(web)
	spare.Held = true
	update("=spare (= is held: taken on, and started once it is not)")
	spare.Command = []string{"/bin/sh", "-c", announce + hold + " "}
	update("=spare (= is held: taken on, and started once it is not)")
	why("held by the configuration")
	spare.Held = false
	update("~spare")
	w.expect("spare")
	why("")
}

// promises O1, Q1: what has failed is tried again, what has a process gets another one,
// and an answer tells what came of it. The log has who asked for it, of a signal too.
func TestRestartAndSignal(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	ctx := t.Context()
	fails := w.program("fails", announce+"exit 3", func(p *supervise.Program) { p.Restart = supervise.Never })
	once := w.program("once", announce+"exit 0", func(p *supervise.Program) { p.OneShot = true })
	w.apply(fails)
	w.expect("fails")
	w.logged("not restarted")
	expectSaid(t, w.said(w.set.Up(ctx, of("fails"))), "fails failed done=false failed=true; ")
	w.expect("fails")
	w.apply(once)
	w.expect("once")
	expectSaid(t, w.said(w.set.Restart(ctx, of("once"))), "once done done=true failed=false; ")
	w.expect("once")
	told := w.program("told", `trap 'echo "usr1 $$" >"$FIFO"' USR1; `+announce+"while :; do sleep 1000 & wait; done")
	w.apply(told)
	first := w.expect("told")
	expectSaid(t, w.said(w.set.Restart(ctx, of("told"))), "told up done=true failed=false; ")
	second := w.expect("told")
	if first == second {
		t.Error("it is the same process")
	}
	gone(t, first)
	expectSaid(t, w.said(w.set.Signal(ctx, unix.SIGUSR1, of("told"))), "told up done=true failed=false; ")
	if pid := w.expect("usr1"); pid != second {
		t.Errorf("process %d got the signal", pid)
	}
	w.logged("programs: signal SIGUSR1: told")
	expectSaid(t, w.said(w.set.Down(ctx, of("told"))), "told down done=true failed=false; ")
	expectSaid(t, w.said(w.set.Signal(ctx, unix.SIGUSR1, of("told"))), "told down done=false failed=false; ")
}

// promises O1, Q1: the first failure is the answer, though the next try follows at once, and may go well
func TestFirstFailureIsTheAnswer(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	a := w.program("a", `[ ! -e "$FIRST" ] || { rm "$FIRST"; exit 3; }; `+announce+"exec sleep 1000")
	a.Environment["FIRST"] = filepath.Join(t.TempDir(), "first")
	a.Held = true
	w.apply(a)
	if err := os.WriteFile(a.Environment["FIRST"], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expectSaid(t, w.said(w.set.Up(t.Context(), of("a"))), "a backoff done=false failed=true; ")
	w.expect("a")
}

// promise O2: a restart of what is taken down meanwhile leaves it down, and says so; it is no failure of the program
func TestRestartLeavesWhoIsHeldSince(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	ctx := t.Context()
	w.apply(w.program("a", announce+hold))
	w.expect("a")
	held := func() time.Time { return w.set.Status()[0].Held.Since }
	restart := func(since time.Time, want string) {
		t.Helper()
		r := of("a")
		r.HeldSince = &since
		expectSaid(t, w.said(w.set.Restart(ctx, r)), want)
	}
	down := func() {
		t.Helper()
		expectSaid(t, w.said(w.set.Down(ctx, of("a"))), "a down done=true failed=false; ")
	}
	restart(time.Time{}, "a up done=true failed=false; ")
	w.expect("a")
	down()
	first := held()
	restart(time.Time{}, "a down done=false failed=false; ")
	restart(first, "a up done=true failed=false; ")
	w.expect("a")
	down()
	restart(first, "a down done=false failed=false; ")
	second := held()
	r := of("a")
	r.HeldSince = &first
	outcomes, err := w.set.Restart(ctx, r)
	if err != nil || !outcomes[0].Held || outcomes[0].Why != w.set.Status()[0].Why || !held().Equal(second) {
		t.Errorf("%+v, %v", outcomes, err)
	}
	expectSaid(t, w.said(w.set.Restart(ctx, of("a"))), "a up done=true failed=false; ")
}

// promise Q1: who does not wait any longer is told how it is.
func TestImpatience(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", stubborn))
	w.expect("a")
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan string)
	go func() { answered <- w.said(w.set.Down(ctx, of("a"))) }()
	w.is("a", "stopping") // it has been asked
	cancel()
	expectSaid(t, <-answered, "a stopping done=false failed=false; ")
	r := of("a")
	r.NoWait = true
	expectSaid(t, w.said(w.set.Up(t.Context(), r)), "a stopping done=false failed=false; ")
}

// promise Q1: who takes down what is removed meanwhile is told that it is down, and not that it is held
func TestRemovedWhileItGoesDown(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.onWord("a")
	w.apply(w.program("a", `trap "" TERM; `+announce+`read word <"$FIFO.a"`))
	w.expect("a")
	answered := make(chan []supervise.Outcome)
	go func() {
		outcomes, _ := w.set.Down(t.Context(), of("a"))
		answered <- outcomes
	}()
	for w.state("a") != "stopping" {
		time.Sleep(time.Millisecond) // until it has been asked
	}
	w.apply()
	w.word("a")
	want := supervise.Outcome{Name: "a", Done: true, State: "down", Why: "it is not in the configuration any more"}
	if got := <-answered; len(got) != 1 || got[0] != want {
		t.Errorf("%+v", got)
	}
}
