package supervise_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// fullSink takes nothing before room is closed, and then everything.
type fullSink struct {
	room   chan struct{}
	closed chan struct{}
	late   chan string // what was given to Line

	mu   sync.Mutex
	text strings.Builder
}

func newFullSink() *fullSink {
	return &fullSink{room: make(chan struct{}), closed: make(chan struct{}), late: make(chan string, 1000)}
}

func (f *fullSink) sink() *supervise.Sink {
	return &supervise.Sink{
		Offer: func(_ bool, text []byte, ended bool) <-chan struct{} {
			select {
			case <-f.room:
			default:
				return f.room
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.text.Write(text)
			if ended {
				f.text.WriteByte('\n')
			}
			return nil
		},
		Line:  func(_ bool, text []byte) { f.late <- string(text) },
		Close: func() { close(f.closed) },
	}
}

// sinks are those of programs by name.
func sinks(all map[string]*fullSink) supervise.Options {
	return supervise.Options{
		Output: func(p *supervise.Program) (*supervise.Sink, error) { return all[p.Name].sink(), nil },
	}
}

// issue 7.A10: a program whose output has nowhere to go yet waits, and nobody else; nothing of it is lost,
// and no line is cut
func TestFullSink(t *testing.T) {
	full, free := newFullSink(), newFullSink()
	close(free.room)
	w := newWorld(t, sinks(map[string]*fullSink{"full": full, "free": free}))
	w.apply(w.program("full", `head -c 1000000 /dev/zero | tr '\0' x; echo; printf 'a\r\0b\n\nlast'; `+announce+"exit 0",
		logged, func(p *supervise.Program) { p.Restart = supervise.Never }),
		w.program("free", "echo hello; "+announce+"exit 0", logged, func(p *supervise.Program) {
			p.Backoff = &supervise.Backoff{Min: time.Millisecond, Max: time.Millisecond}
		}))
	for range 5 {
		w.expect("free") // and full does not
	}
	if got := w.state("full"); got != "up" {
		t.Errorf("it is %s", got)
	}
	close(full.room)
	for name, _ := w.next(); name != "full"; name, _ = w.next() {
	}
	w.logged("program full: exited with status 0")
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	<-full.closed
	if got, want := full.text.String(), strings.Repeat("x", 1000000)+"\na\r\x00b\n\nlast\n"; got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}

// issue 7.B4: the stop does not wait for a sink that has no room; what was written still reaches it
func TestStopWithAFullSink(t *testing.T) {
	full := newFullSink()
	w := newWorld(t, sinks(map[string]*fullSink{"a": full}))
	w.apply(w.program("a", `echo one; echo two; `+announce+hold, logged))
	w.expect("a")
	if err := w.stop(time.Hour); err != nil {
		t.Error(err)
	}
	close(full.room)
	<-full.closed
	if got := full.text.String(); got != "one\ntwo\n" {
		t.Errorf("%q", got)
	}
}

// issue 7.A10: a program that dies again and again leaves no more than the output of two processes unread
func TestDyingWithAFullSink(t *testing.T) {
	full := newFullSink()
	w := newWorld(t, sinks(map[string]*fullSink{"a": full}))
	w.apply(w.program("a", announce+`echo "from $$"; exit 1`, logged, func(p *supervise.Program) {
		p.Backoff = &supervise.Backoff{Min: time.Millisecond, Max: time.Millisecond}
	}))
	for range 20 {
		w.expect("a")
	}
	for range 17 { // of the one that runs, and of the one before
		<-full.late
	}
	close(full.room)
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	<-full.closed
}

// issue 7.A10: what is in a pipe that a grandchild keeps is read, however late
func TestFullSinkAndAGrandchild(t *testing.T) {
	full := newFullSink()
	w := newWorld(t, sinks(map[string]*fullSink{"a": full}))
	w.apply(w.program("a", `setsid sleep 30 & head -c 40000 /dev/zero | tr '\0' x; `+announce+"exit 0", logged,
		func(p *supervise.Program) { p.Restart = supervise.Never }))
	w.expect("a")
	w.logged("program a: exited with status 0")
	<-time.After(1500 * time.Millisecond) // the pipe's own second has passed
	close(full.room)
	w.apply()
	<-full.closed
	if got := full.text.String(); got != strings.Repeat("x", 40000)+"\n" {
		t.Errorf("%d bytes", len(got))
	}
}

// A reload that changes where the output goes closes what it went to.
func TestOutputChanges(t *testing.T) {
	opened := make(chan string, 10)
	w := newWorld(t, supervise.Options{Output: func(p *supervise.Program) (*supervise.Sink, error) {
		name := p.Output
		return &supervise.Sink{Line: func(bool, []byte) { opened <- name }, Close: func() { opened <- name + " closed" }}, nil
	}})
	for _, to := range []string{"one", "two"} {
		w.apply(w.program("a", "echo x; "+announce+hold, func(p *supervise.Program) { p.Output = to }))
		w.expect("a")
	}
	got := map[string]bool{}
	for range 3 {
		got[<-opened] = true
	}
	if !got["one"] || !got["one closed"] || !got["two"] {
		t.Errorf("%v", got)
	}
}
