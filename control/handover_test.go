//go:build linux

package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise U1: who is let in while the daemon hands over is told to ask again, and is not just hung up on
func TestHandoverTellsTheLast(t *testing.T) {
	path := socket(t)
	s := listen(t, path, nil)
	s.mu.Lock()
	s.closed, s.why = true, &Error{Code: CodeAgain, Message: "ask again"}
	s.mu.Unlock()
	defer func() { // as it was, for Close
		s.mu.Lock()
		s.closed = false
		s.mu.Unlock()
	}()
	fd, _, err := connect(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	unix.Poll(p, 60_000)
	buf := make([]byte, 1024)
	n, err := unix.Read(fd, buf)
	var r refusal
	if err != nil || json.Unmarshal(buf[:max(0, n)], &r) != nil || r.Error == nil || r.Error.Code != CodeAgain {
		t.Errorf("%q, %v", buf[:max(0, n)], err)
	}
}

// promise U1: whoever asks while one hands over to another, again and again, is answered each time
func TestHandoverAnswersEverybody(t *testing.T) {
	path := socket(t)
	methods := map[string]Method{"ping": func(context.Context, json.RawMessage) (any, error) { return "pong", nil }}
	o := Options{Log: slog.New(slog.DiscardHandler), Reads: methods}
	s, err := Listen(path, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	const askers, questions = 4, 100
	wrong := make(chan error, askers)
	for range askers {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			for i := range questions {
				var said string
				if err := Ask(ctx, path, "ping", nil, &said); err != nil || said != "pong" {
					wrong <- fmt.Errorf("question %d: %q, %w", i, said, err)
					return
				}
			}
			wrong <- nil
		}()
	}
	for left := askers; left > 0; {
		fds, err := s.Handover()
		if err != nil {
			t.Fatal(err)
		}
		s = Take(path, fds, nil, o)
		select {
		case err := <-wrong:
			if left--; err != nil {
				t.Error(err)
			}
		default:
		}
	}
}

// promises Q1, U1: who has asked for work that has begun is not told to ask again, and so to have it done twice; who
// has asked for what does no harm is, and for what is not to begin any more
func TestHandoverCutsOff(t *testing.T) {
	path := socket(t)
	began := make(chan context.Context)
	wait := func(ctx context.Context, _ json.RawMessage) (any, error) {
		began <- ctx
		<-ctx.Done()
		return "not this", nil
	}
	s, err := Listen(path, map[string]Method{"work": wait, "repeat": wait}, Options{Log: slog.New(slog.DiscardHandler),
		Reads: map[string]Method{"look": wait}, Again: []string{"repeat"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := map[string]int{"work": CodeCutOff, "repeat": CodeAgain, "look": CodeAgain}
	said := map[string]*bufio.Reader{}
	var last *serving
	for method := range want {
		f, in := client(t, path)
		fmt.Fprintf(f, `{"jsonrpc":"2.0","id":1,"method":%q}`+"\n", method)
		last = (<-began).Value(connKey{}).(*serving)
		said[method] = in
	}
	fds, err := s.Handover()
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	for method, code := range want {
		var r refusal
		line, _ := said[method].ReadBytes('\n')
		if json.Unmarshal(line, &r); r.Error == nil || r.Error.Code != code {
			t.Errorf("%s: %s, want %d", method, line, code)
		}
	}
	if begins, _ := last.begins("", true); begins {
		t.Error("what somebody was told to ask for again would begin all the same")
	}
}

// promise U1: the program that takes over answers who has asked the one before, and nobody who has asked for no answer:
// a request without an id has none
func TestDeferredAnswer(t *testing.T) {
	for request, want := range map[string]string{
		`{"jsonrpc":"2.0","method":"later","id":"a"}`:  `{"jsonrpc":"2.0","id":"a","result":"done"}` + "\n",
		`{"jsonrpc":"2.0","method":"later","id":null}`: `{"jsonrpc":"2.0","id":null,"result":"done"}` + "\n",
		`{"jsonrpc":"2.0","method":"later"}`:           "",
	} {
		path := socket(t)
		deferred := make(chan *Deferred, 1)
		s := listen(t, path, map[string]Method{"later": func(ctx context.Context, _ json.RawMessage) (any, error) {
			d, err := Defer(ctx)
			if err != nil {
				t.Error(err)
			}
			deferred <- d
			<-ctx.Done()
			return "not this", nil
		}})
		f, in := client(t, path)
		f.WriteString(request + "\n")
		d := <-deferred
		fds, err := s.Handover()
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
		state, err := json.Marshal(d) // as it travels
		if err != nil {
			t.Fatal(err)
		}
		var there Deferred
		if err := json.Unmarshal(state, &there); err != nil {
			t.Fatal(err)
		}
		there.Answer("done", nil)
		if got, err := in.ReadString('\n'); got != want {
			t.Errorf("%s: %q, %v", request, got, err)
		}
	}
}

// promise U2: one that cannot be handed over, for want of a descriptor, goes on as before: it answers, and is put back
func TestHandoverWithoutDescriptors(t *testing.T) {
	path := socket(t)
	s := listen(t, path, testMethods)
	f, in := client(t, path) // which stays, or the server gives a descriptor back
	f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"none"}` + "\n")
	if _, err := in.ReadString('\n'); err != nil { // what it takes to serve is there
		t.Fatal(err)
	}
	withDescriptors(t, 0, func() {
		if _, err := s.Handover(); !errors.Is(err, unix.EMFILE) {
			t.Errorf("%v", err)
		}
	})
	untilBack(t, path, func() error { return os.Remove(path) })
}
