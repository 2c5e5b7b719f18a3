package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise U1, issue 10: who goes on reads by the same epoll set, and no descriptor of what is read, or of the set,
// gets to a process.
func TestRestoreReadsOn(t *testing.T) {
	said := make(chan string, 10)
	o := Options{Log: slog.New(slog.DiscardHandler), Spawner: sharedSpawner(t)}
	o.Output = func(*Program) (*Sink, error) {
		return &Sink{Split: true, Line: func(_ bool, text []byte) { said <- string(text) }}, nil
	}
	programs := []Program{
		{Name: "b", Command: []string{"/bin/sh", "-c", "echo one; kill -STOP $$; echo two; echo three >&2; exec sleep 1000"},
			Output: "x"},
	}
	s := New(o)
	if err := s.Apply(t.Context(), programs); err != nil {
		t.Fatal(err)
	}
	if text := <-said; text != "one" {
		t.Fatal(text)
	}
	pid := s.Status()[0].PID
	for range 3 {
		f, err := s.Freeze(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		x, err := decodeState(f.State, true)
		if err != nil || x.Epoll == 0 {
			t.Fatalf("%v, in %s", err, f.State)
		}
		for _, fd := range f.Files {
			unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
		}
		if s, err = Restore(o, f.State, programs); err != nil {
			t.Fatal(err)
		}
		for _, fd := range f.Files {
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("descriptor %d is not close-on-exec", fd)
			}
		}
	}
	for stopped := false; !stopped; time.Sleep(time.Millisecond) { // it may not have got there yet
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		stopped = strings.Contains(string(stat), ") T ")
	}
	unix.Kill(pid, unix.SIGCONT)
	if a, b := <-said, <-said; a+b != "twothree" && a+b != "threetwo" {
		t.Errorf("it has written %q, %q", a, b)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// aSource tells when it is read.
type aSource struct {
	pipe int
	was  chan struct{}
}

func (s *aSource) fd() int      { return s.pipe }
func (s *aSource) gone(*reader) {}
func (s *aSource) read(*reader) ([]any, next) {
	close(s.was)
	return nil, finish
}

// promise U1: what could not be read when the Set was frozen, for want of something, is read on by the one that goes on
func TestRestoreReadsWhatCouldNotBeRead(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	unix.Write(p[1], []byte("x"))
	defer unix.Close(p[1])
	before, after := newReader(&Set{}, nil), newReader(&Set{}, nil)
	before.turn.Lock() // for ever
	s := &aSource{p[0], make(chan struct{})}
	if err := before.add(s); err != nil {
		t.Fatal(err)
	}
	before.mu.Lock()
	before.proceed(s, later)
	epoll, err := before.carryEpoll()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epoll)
	if err := after.goOnWith(epoll, 1); err != nil {
		t.Fatal(err)
	}
	after.mu.Lock()
	after.note(s)
	after.mu.Unlock()
	<-s.was
}
