package supervise

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// succeed has another Set go on in the place of one, as after an execve(2): the children are the same process's in both
// cases.
func succeed(t *testing.T, s *Set, o Options, programs []Program) *Set {
	t.Helper()
	f, err := s.Freeze(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckState(f.State); err != nil {
		t.Fatalf("%v in\n%s", err, f.State)
	}
	n, err := Restore(o, f.State, programs)
	if err != nil {
		t.Fatal(err)
	}
	return n // the other one never goes on
}

func sharedSpawner(t *testing.T) *Spawner {
	s := NewSpawner()
	go s.Run()
	t.Cleanup(s.Close)
	return s
}

// promise U1: processes, their states and their output go on
func TestRestore(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	o := Options{Log: slog.New(slog.DiscardHandler), Orphans: false, Spawner: sharedSpawner(t)}
	lines := make(chan string, 100)
	o.Output = func(p *Program) (*Sink, error) {
		return &Sink{Line: func(_ bool, text []byte) { lines <- p.Name + ":" + string(text) }}, nil
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	programs := []Program{
		{Name: "cat",
			Command: []string{"/bin/sh", "-c", "exec 9<>" + fifo + "; printf half; read a <&9; echo $a; exec cat <&9"},
			Output:  out, Environment: map[string]string{"X": "a\nb\xff"}},
		{Name: "dead", Command: []string{"/bin/false"}, Backoff: &Backoff{Min: time.Hour, Max: time.Hour}},
		{Name: "held", Command: []string{"/bin/sleep", "1000"}},
		{Name: "once", Command: []string{"/bin/true"}, OneShot: true},
		{Name: "waits", Command: []string{"/bin/sleep", "1000"}, Ready: &Ready{FD: 5}},
		{Name: "behind", Command: []string{"/bin/sleep", "1000"}, Order: &Order{After: []string{"waits"}}},
	}
	s := New(o)
	if err := s.Apply(t.Context(), programs); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Down(t.Context(), Request{Names: []string{"held"}, UID: 7}); err != nil {
		t.Fatal(err)
	}
	settled := func(s *Set) map[string]Status {
		for {
			m := map[string]Status{}
			for _, st := range s.Status() {
				m[st.Name] = st
			}
			if m["dead"].State == "backoff" && m["dead"].Failures == 2 && m["once"].State == "done" {
				return m
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	before := settled(s)
	for range 3 {
		s = succeed(t, s, o, programs)
	}
	after := settled(s)
	for name, b := range before {
		a := after[name]
		if a.PID != b.PID || a.State != b.State || a.Starts != b.Starts || a.Failures != b.Failures || a.Last != b.Last ||
			a.Exits != b.Exits ||
			a.Why != b.Why || !a.Since.Equal(b.Since) || a.Next.Sub(b.Next).Abs() > time.Minute {
			t.Errorf("%s: before %+v, after %+v", name, b, a)
		}
	}
	if h := after["held"].Held; h == nil || h.UID != 7 {
		t.Errorf("held: %+v", after["held"])
	}
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("other\n")
	if line := <-lines; line != "cat:halfother" {
		t.Errorf("it has written %q", line)
	}
	// One that dies while nobody runs is noticed.
	fr, err := s.Freeze(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unix.Kill(before["cat"].PID, unix.SIGKILL)
	f.Close()
	if s, err = Restore(o, fr.State, programs); err != nil {
		t.Fatal(err)
	}
	for {
		st := s.Status()
		if st[1].Name == "cat" && st[1].Starts == 2 && strings.Contains(st[1].Last, "SIGKILL") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	// And one that was thawed goes on as well.
	fr, err = s.Freeze(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fr.Thaw()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// A process may have closed its output, or told that it is ready, long before its end: nothing of it is read any more
// then.
func TestFreezeOfWhatHasEnded(t *testing.T) {
	o := Options{Log: slog.New(slog.DiscardHandler), Spawner: sharedSpawner(t)}
	said := make(chan string, 10)
	o.Output = func(*Program) (*Sink, error) {
		return &Sink{Split: true, Line: func(_ bool, text []byte) { said <- string(text) },
			Close: func() { said <- "closed" }}, nil
	}
	programs := []Program{{Name: "a",
		Command: []string{"/bin/sh", "-c", "echo one; exec >&-; echo two >&2; exec 2>&-; echo >&4; exec sleep 1000"},
		Output:  "x", Ready: &Ready{FD: 4}}}
	s := New(o)
	if err := s.Apply(t.Context(), programs); err != nil {
		t.Fatal(err)
	}
	<-said
	<-said
	for s.Status()[0].State != "up" {
		time.Sleep(time.Millisecond)
	}
	for range 3 {
		s = succeed(t, s, o, programs)
	}
	if st := s.Status()[0]; st.State != "up" || st.Starts != 1 {
		t.Errorf("%+v", st)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// promise U1: of what a program writes no byte is lost or doubled; its last lines, their numbers and the counts go on
func TestRestoreKeepsLines(t *testing.T) {
	const lines = 30_000
	said := make(chan Line, lines+10)
	o := Options{Log: slog.New(slog.DiscardHandler), Spawner: sharedSpawner(t)}
	o.Line = func(l *Line) { said <- Line{N: l.N, PID: l.PID, Program: l.Program, Text: bytes.Clone(l.Text)} }
	programs := []Program{
		{Name: "flood", Command: []string{"/bin/sh", "-c", "seq 1 " + strconv.Itoa(lines) + "; exec sleep 1000"}},
		{Name: "other", Command: []string{"/bin/sh", "-c", "echo one; echo two >&2; exec sleep 1000"}},
	}
	s := New(o)
	if err := s.Apply(t.Context(), programs); err != nil {
		t.Fatal(err)
	}
	next := 1
	for n := uint64(1); n <= lines+2; n++ {
		switch l := <-said; {
		case l.N != n || l.PID == 0:
			t.Fatalf("line %d has the number %d: %+v", n, l.N, l)
		case l.Program == "flood" && string(l.Text) != strconv.Itoa(next):
			t.Fatalf("it should say %d: %+v", next, l)
		case l.Program == "flood":
			next++
		}
		if n%5000 == 0 {
			s = succeed(t, s, o, programs)
		}
	}
	all := func(string) bool { return true }
	before := s.Lines(all, 1000, 1<<20, func() {})
	s = succeed(t, s, o, programs)
	after := s.Lines(all, 1000, 1<<20, func() {})
	if len(before) < 1000 || !slices.EqualFunc(before, after, func(a, b Line) bool {
		return a.N == b.N && a.Program == b.Program && a.PID == b.PID && a.Stderr == b.Stderr && a.Time.Equal(b.Time) &&
			bytes.Equal(a.Text, b.Text)
	}) {
		t.Errorf("%d lines were kept, and %d are", len(before), len(after))
	}
	if st := s.Status(); st[0].OutputLines != lines || st[0].OutputDropped != 0 || st[1].OutputLines != 2 {
		t.Errorf("%d lines, %d of them dropped, and %d", st[0].OutputLines, st[0].OutputDropped, st[1].OutputLines)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}
