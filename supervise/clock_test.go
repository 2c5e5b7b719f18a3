package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// stepped is a state as it would be had the clock been set forward by so much since it was written down.
func stepped(state []byte, by time.Duration) []byte {
	date := regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]+"`)
	return date.ReplaceAllFunc(state, func(text []byte) []byte {
		var at time.Time
		if err := at.UnmarshalJSON(text); err != nil {
			return text
		}
		text, _ = at.Add(-by).MarshalJSON()
		return text
	})
}

// obeys is a program that does what it reads, and a way to have it read a line.
func obeys(t *testing.T, name, first string) (Program, func(line string)) {
	fifo := filepath.Join(t.TempDir(), name)
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return Program{Name: name,
			Command: []string{"/bin/sh", "-c", first + "; while read line <" + fifo + "; do eval $line; done"}},
		func(line string) { f.WriteString(line + "\n") }
}

// promise U1: that the clock is set while the daemon is replaced, or later, changes neither when a program is given up
// nor what of its output is passed on
func TestClockIsSetInAnUpgrade(t *testing.T) {
	for name, test := range map[string]struct {
		by     time.Duration
		giveUp GiveUp
		then   string // its state after a death before and one behind
		starts int
	}{
		"forward": {time.Hour, GiveUp{Tries: 2, Within: time.Hour / 2}, "failed", 2},
		"back":    {-time.Hour, GiveUp{Tries: 2, Within: time.Nanosecond}, "up", 3},
	} {
		t.Run(name, func(t *testing.T) {
			dies, tell := obeys(t, "dies", ":")
			dies.GiveUp = &test.giveUp
			says, have := obeys(t, "says", "echo one")
			says.Output, says.RateLimit = "x", 1
			programs := []Program{dies, says}
			lines := make(chan string, 1000)
			o := Options{Log: slog.New(slog.DiscardHandler), Spawner: sharedSpawner(t)}
			o.Output = func(*Program) (*Sink, error) {
				return &Sink{Line: func(_ bool, text []byte) { lines <- string(text) }}, nil
			}
			s := New(o)
			if err := s.Apply(t.Context(), programs); err != nil {
				t.Fatal(err)
			}
			limit := time.Now().Add(time.Minute)
			is := func(state string, starts int) {
				t.Helper()
				for {
					st := s.Status()[0]
					if st.Starts == starts && st.State == state {
						return
					}
					if time.Sleep(time.Millisecond); time.Now().After(limit) {
						t.Fatalf("%+v", st)
					}
				}
			}
			tell("exit 3")
			is("up", 2)
			<-lines
			since := s.Status()[1].Since
			f, err := s.Freeze(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s, err = Restore(o, stepped(f.State, test.by), programs); err != nil {
				t.Fatal(err)
			}
			if now := s.Status()[1].Since; now.Sub(since).Abs() > time.Minute {
				t.Errorf("it is up since %v, and was since %v", now, since)
			}
			tell("exit 3")
			is(test.then, test.starts)
			for have("echo two"); len(lines) == 0; have("echo two") {
				if time.Sleep(10 * time.Millisecond); time.Now().After(limit) {
					t.Fatal("nothing of its output is passed on")
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := s.Stop(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// promise U1: what a program has left that noted deaths by the clock of the wall is counted on
func TestDeathsByTheWall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		at, _ := time.Now().Add(-10 * time.Second).MarshalJSON()
		l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, newMachine(1))
		if err := l.restore(fmt.Appendf(nil, `{"version":1,"now":1,"age":3600000000000,"programs":[{"spec":{"Name":"a",
			"Command":["/bin/a"],"GiveUp":{"Tries":2,"Within":11000000000}},"state":"down","deaths":[%s]}]}`, at), nil); err != nil {
			t.Fatal(err)
		}
		p := l.programs["a"]
		if time.Sleep(2 * time.Second); l.givesUp(p) {
			t.Error("a death counts for longer than it is to")
		}
		if !l.givesUp(p) || len(p.deaths) != 2 {
			t.Errorf("deaths at %v", p.deaths)
		}
	})
}

// set is a machine whose clock has been set forward by so much.
type set struct {
	*machine
	by time.Duration
}

func (s *set) sinceBoot() time.Duration { return s.machine.sinceBoot() - s.by }

// promise Q1: a machine without a clock of its own gets the time from the network, decades after it has started: what
// is said of a program's state is for how long it has been in it, and not for fifty years
func TestClockIsSetAfterTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		k := &set{newMachine(1), 0}
		l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, k)
		l.holdNew([]string{"a"}, map[string]*Program{"a": {Name: "a"}})
		before := l.status()[0].Since
		for _, by := range []time.Duration{50 * 365 * 24 * time.Hour, -time.Minute} {
			k.by = by
			if moved := l.status()[0].Since.Sub(before); moved != by {
				t.Errorf("the clock was set by %v, and what it is since by %v", by, moved)
			}
		}
	})
}
