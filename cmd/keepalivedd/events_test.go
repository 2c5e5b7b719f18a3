package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// change has a program of s change.
func (s *service) change(i int) {
	s.events.changed(supervise.Event{Program: fmt.Sprint("p", i), From: "starting", To: "up", PID: i + 1,
		Time: time.Now()})
}

// account holds lines to be a stream without an untold gap, up to its end,
// and returns how many changes it has told and lost.
func account(t *testing.T, lines []eventLine) (told, lost int) {
	t.Helper()
	at, known := uint64(0), false
	for i, line := range lines {
		switch line.Event {
		case eventSnapshot:
			if known && line.N != at {
				t.Fatalf("line %d: a snapshot of %d after %d", i, line.N, at)
			}
			at, known = line.N, true
		case eventLost:
			lost += line.Lines
			if line.N != at+uint64(line.Lines) {
				t.Fatalf("line %d: %d are lost, up to %d, after %d", i, line.Lines, line.N, at)
			}
			at = line.N
		case eventStopped: // it may be among the lost, and is told all the same
			if line.N != at && line.N != at+1 {
				t.Fatalf("line %d: the end is %d after %d", i, line.N, at)
			}
		default:
			if line.N != at+1 || !known {
				t.Fatalf("line %d: %s %d after %d", i, line.Event, line.N, at)
			}
			at = line.N
			if line.Event == eventChange {
				told++
			}
		}
	}
	if last := lines[len(lines)-1]; last.Event != eventStopped {
		t.Errorf("the last is %s", last.Event)
	}
	return told, lost
}

// issue 9.6: who is slow loses whole lines, is told how many in their place, and then how all is; nobody waits for that
func TestEventsOfASlowReader(t *testing.T) {
	t.Parallel()
	s := &service{events: newEvents()}
	const changes = 5000 + 2*mostHeard
	began, goOn := make(chan bool), make(chan bool)
	var lines []eventLine
	heard := make(chan error)
	go func() {
		first := true
		heard <- s.hear(t.Context(), nil, func(some []*eventLine) error {
			if first {
				first = false
				began <- true
				<-goOn
			}
			for _, line := range some {
				lines = append(lines, *line)
			}
			return nil
		})
	}()
	<-began
	for i := range changes {
		s.change(i)
	}
	goOn <- true
	s.events.reloaded("", nil)
	s.events.end()
	s.events.tell(&eventLine{Event: eventReady}) // nothing comes after the end
	if err := <-heard; err != nil {
		t.Error(err)
	}
	<-s.events.alone
	told, lost := account(t, lines)
	if told < mostHeard || lost < 5000 || told+lost < changes || told+lost > changes+2 {
		// the reload and the end may be lost too
		t.Errorf("%d told and %d lost of %d", told, lost, changes)
	}
}

// issue 9.6: over the socket, of three who follow one reads, one is slow and one reads nothing
func TestEventsOverTheSocket(t *testing.T) {
	t.Parallel()
	s := &service{events: newEvents()}
	path := t.TempDir() + "/sock"
	server, err := control.Listen(path, nil, control.Options{Streams: map[string]control.Stream{"events": s.answerEvents}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	const changes = 5000
	joined := make(chan bool, 3)
	follow := func(slow func()) ([]eventLine, error) {
		var lines []eventLine
		err := control.Follow(t.Context(), path, os.Getpid(), "events", nil, func(raw json.RawMessage, lost int) error {
			var line eventLine
			if err := json.Unmarshal(raw, &line); err != nil || lost > 0 {
				return fmt.Errorf("%d lost, %v", lost, err)
			}
			if len(lines) == 0 {
				joined <- true
			}
			slow()
			lines = append(lines, line)
			return nil
		})
		return lines, err
	}
	type outcome struct {
		lines []eventLine
		err   error
	}
	outcomes := [3]chan outcome{make(chan outcome, 1), make(chan outcome, 1), make(chan outcome, 1)}
	dead, all := make(chan bool), make(chan bool)
	for i, slow := range []func(){func() {}, func() { <-all }, func() { <-dead }} {
		go func() {
			lines, err := follow(slow)
			outcomes[i] <- outcome{lines, err}
		}()
	}
	for range outcomes {
		<-joined
	}
	for i := range changes {
		s.change(i)
	}
	close(all)
	s.events.end()
	for i := range 2 {
		x := <-outcomes[i]
		if x.err != nil {
			t.Fatal(i, x.err)
		}
		if told, lost := account(t, x.lines); told+lost < changes || told+lost > changes+1 {
			t.Errorf("%d told and %d lost", told, lost)
		}
	}
	close(dead)
	if x := <-outcomes[2]; x.err != nil {
		t.Error(x.err)
	}
	var told *control.Error
	err = control.Follow(t.Context(), path, os.Getpid(), "events", statusParams{[]string{"["}}, nil)
	if told, _ = err.(*control.Error); told == nil || told.Code != control.CodeParams {
		t.Error(err)
	}
}

// issue 9.6: who has joined after the end, or is gone, keeps nobody
func TestEventsAreOver(t *testing.T) {
	t.Parallel()
	s := &service{events: newEvents()}
	ctx, leave := context.WithCancel(t.Context())
	var first []string
	s.hear(ctx, nil, func(some []*eventLine) error {
		for _, line := range some {
			first = append(first, line.Event)
		}
		leave()
		return nil
	})
	s.events.end()
	<-s.events.alone
	s.hear(t.Context(), nil, func(some []*eventLine) error {
		for _, line := range some {
			first = append(first, line.Event)
		}
		return nil
	})
	if got := strings.Join(first, " "); got != "snapshot snapshot stopped" {
		t.Error(got)
	}
}

// issue 9.6: of those who name programs each hears of these, and of what happens to all
func TestEventsOfSome(t *testing.T) {
	t.Parallel()
	e := newEvents()
	some, none := newListener([]string{"web*", "worker"}), newListener([]string{"db"})
	e.join(some)
	e.join(none)
	for _, name := range []string{"web-1", "worker:2", "worker", "other"} {
		e.changed(supervise.Event{Program: name, To: "up"})
	}
	e.reloaded("", os.ErrInvalid)
	for l, want := range map[*listener]string{some: "web-1 worker:2 worker ", none: ""} {
		lines, _, _ := e.take(l)
		got := ""
		for _, line := range lines {
			if line.Event == eventChange {
				got += line.Program + " "
			}
		}
		if last := lines[len(lines)-1]; got != want || last.Event != eventReload || last.N != 5 || last.Error == "" {
			t.Errorf("%q, want %q; %v", got, want, last)
		}
	}
}

// issue 9.6: the documents tell each field of the stream
func TestEventsSchema(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../packaging/man/keepalivedd.8")
	if err != nil {
		t.Fatal(err)
	}
	properties := schema["properties"].(map[string]any)
	typ := reflect.TypeFor[eventLine]()
	if len(properties) != typ.NumField() {
		t.Errorf("%d fields are told, of %d", len(properties), typ.NumField())
	}
	section := string(manual)[strings.Index(string(manual), ".Ss Events"):]
	section = section[:strings.Index(section, ".El")]
	for i := range typ.NumField() {
		field, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if properties[field] == nil {
			t.Errorf("docs/events.schema.json says nothing of %s", field)
		}
		if !strings.Contains(section, "Li "+field) && !strings.Contains(section, ", "+field) {
			t.Errorf("keepalivedd(8) says nothing of %s", field)
		}
	}
	accepted, count := true, 2
	for _, line := range []eventLine{
		{Event: eventSnapshot, Time: time.Now(), Version: 1, Release: "v1", State: "running", PID: 3, Programs: &count},
		{Event: eventChange, N: 1, Time: time.Now(), Program: "a", From: "up", To: supervise.Gone, Starts: 1, Failures: 2,
			Last: "x", Why: "y"},
		{Event: eventReload, N: 2, Time: time.Now(), Accepted: &accepted, Touched: "+a", Error: "e"},
		{Event: eventLost, N: 5, Time: time.Now(), Lines: 3},
	} {
		raw, _ := json.Marshal(line)
		var v any
		json.Unmarshal(raw, &v)
		conforms(t, line.Event, schema, v)
	}
}
