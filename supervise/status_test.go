package supervise

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// awaitStatus waits until the programs are as asked for, by what is told of each change.
func awaitStatus(t *testing.T, s *Set, changed <-chan struct{}, name string, is func(Status) bool) (st Status) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		for _, st = range s.Status() {
			if st.Name == name && is(st) {
				return st
			}
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%+v", s.Status())
		}
	}
}

// issue 9.3: status tells in words what a program waits for and why it has failed; issue 9.7: and counts ends by
// reason. Each change is told of: nobody has to look again and again.
func TestStatusSaysWhy(t *testing.T) {
	t.Parallel()
	changed := make(chan struct{}, 1)
	s := New(Options{Changed: func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s.Stop(ctx)
	})
	mark := filepath.Join(t.TempDir(), "mark")
	sh := func(script string) []string { return []string{"/bin/sh", "-c", script} }
	before := time.Now()
	absent := filepath.Join(t.TempDir(), "absent")
	programs := []Program{
		{Name: "base", Command: sh("exec tail -f /dev/null"), Ready: &Ready{FD: 3, Timeout: time.Hour}},
		{Name: "web", Command: sh("exec tail -f /dev/null"),
			Order: &Order{After: []string{"base"}, Requires: []string{"gone"}}},
		{Name: "gone", Command: sh("exit 7"), GiveUp: &GiveUp{Tries: 2, Within: time.Hour}},
		{Name: "once", Command: sh("exit 0"), OneShot: true, Restart: OnFailure},
		{Name: "gated", Command: sh("exec tail -f /dev/null"), Gate: &Gate{Command: sh("exec tail -f /dev/null")}},
		{Name: "sick", Command: sh("exec tail -f /dev/null"), Backoff: &Backoff{Min: time.Hour, Max: time.Hour},
			Check: &Check{Command: sh("test -e " + mark), Every: time.Millisecond, Timeout: time.Minute, Failures: 2}},
		{Name: "killed", Command: sh("kill -9 $$"), Backoff: &Backoff{Min: time.Hour, Max: time.Hour}},
		{Name: "absent", Command: []string{absent}, Backoff: &Backoff{Min: time.Hour, Max: time.Hour}},
	}
	if _, err := s.Update(t.Context(), programs); err != nil {
		t.Fatal(err)
	}
	for name, is := range map[string]func(Status) bool{
		"base": func(st Status) bool {
			return st.State == "starting" && !st.Ready && st.Why == "waits for a newline on its descriptor 3" &&
				st.ExitCode == nil &&
				st.Exits == Exits{} && st.Started.After(before.Add(-2*time.Second)) && time.Since(st.Started) > -2*time.Second
		},
		"web": func(st Status) bool {
			return st.State == "blocked" && st.Why == "waits for base, gone, which has failed" && st.Started.IsZero()
		},
		"gone": func(st Status) bool {
			return st.State == "failed" && strings.HasPrefix(st.Why, "exited with status 7 after ") &&
				st.Exits == Exits{Failed: 2} &&
				*st.ExitCode == 7
		},
		"once": func(st Status) bool {
			return st.State == "done" && st.Ready && st.Why == "" && st.Exits == Exits{Succeeded: 1}
		},
		"gated": func(st Status) bool { return st.Why == "waits for its gate" && st.Gate != nil && !st.Gate.Open },
		"killed": func(st Status) bool {
			return st.State == "backoff" && strings.HasPrefix(st.Why, "killed by SIGKILL after ") &&
				st.Exits == Exits{Signalled: 2} &&
				*st.ExitCode == 137 && !st.Next.IsZero()
		},
		// The same words whatever the state: it is starting again before it is in backoff.
		"absent": func(st Status) bool {
			return st.State == "backoff" && strings.HasPrefix(st.Last, "cannot be started: ") &&
				strings.HasPrefix(st.Why, st.Last)
		},
		"sick": func(st Status) bool {
			return st.State == "backoff" && strings.HasPrefix(st.Why, "its check failed 2 times in a row") &&
				st.Exits == Exits{Unhealthy: 2} &&
				st.Check.Failures == 4
		},
	} {
		st := awaitStatus(t, s, changed, name, is)
		if st.Program == nil || st.Program.Name != name {
			t.Errorf("%s: %+v", name, st.Program)
		}
	}
	// A stop is no failure, and what stays well has no words.
	os.WriteFile(mark, nil, 0o644)
	for _, env := range []map[string]string{{"A": "B"}, nil} {
		programs = slices.Clone(programs)
		programs[5].Environment = env
		if _, err := s.Update(t.Context(), programs); err != nil {
			t.Fatal(err)
		}
		awaitStatus(t, s, changed, "sick", func(st Status) bool {
			return st.State == "up" && st.Ready && st.Why == "" && st.Exits.Unhealthy == 2 &&
				(env != nil || st.Exits.Stopped == 1)
		})
	}
}
