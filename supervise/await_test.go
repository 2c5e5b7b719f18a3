package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"
)

// promise S8: who waits for the required programs is answered when an Update leaves out the one that was not ready, or
// has one be required that has been ready for long
func TestAwaitIsAnsweredAfterAnUpdate(t *testing.T) {
	never := Program{Name: "never", Command: []string{"/bin/sleep", "1000"}, Required: true, Ready: &Ready{FD: 3}}
	runs := Program{Name: "runs", Command: []string{"/bin/sleep", "1000"}}
	once := Program{Name: "once", Command: []string{"/bin/true"}, OneShot: true}
	required := func(p Program) Program { p.Required = true; return p }
	for name, programs := range map[string][2][]Program{
		"left out":     {{never, runs}, {runs}},
		"required now": {{runs, once}, {required(runs), required(once)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Log: slog.New(slog.DiscardHandler)})
			defer s.Stop(context.Background())
			if err := s.Apply(t.Context(), programs[0]); err != nil {
				t.Fatal(err)
			}
			for name == "required now" && s.Status()[0].State != "done" {
				time.Sleep(time.Millisecond)
			}
			reply := make(chan error, 1)
			if name == "left out" {
				s.requests <- awaitRequest{reply}
			}
			if err := s.Apply(t.Context(), programs[1]); err != nil {
				t.Fatal(err)
			}
			if name != "left out" {
				s.requests <- awaitRequest{reply}
			}
			select {
			case err := <-reply:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Error("there is no answer")
			}
		})
	}
}

// promises S8, U1: a required program that has died before it has lived for long enough is not ready because an upgrade
// came in between, and the loop did not get to its end yet
func TestProofAfterAnUpgrade(t *testing.T) {
	pid := dead(t)
	l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, &linux{})
	defer l.reader.letGo()
	if err := l.restore(fmt.Appendf(nil, `{"version":1,"now":1,"age":1,"programs":[{"spec":{"Name":"a","Required":true,
		"Command":["/bin/a"]},"state":"up","pid":%d,"starts":1,"proof":2}]}`, pid), nil); err != nil {
		t.Fatal(err)
	}
	l.alarms.run(time.Now().Add(time.Second))
	if p := l.programs["a"]; p.proven || p.firstError == nil {
		t.Errorf("proven %v, and its first error is %v", p.proven, p.firstError)
	}
}
