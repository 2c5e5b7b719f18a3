//go:build linux

package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stream serves a stream until the test ends, beside a question.
func stream(t *testing.T, path string, follow Stream) *Server {
	t.Helper()
	s, err := Listen(path, testMethods, Options{Log: slog.New(slog.DiscardHandler),
		Streams: map[string]Stream{"follow": follow}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

const askFollow = `{"jsonrpc":"2.0","id":7,"method":"follow"}` + "\n"

// issue 9: lines until the stream is over, then the answer to the request; and then the connection is good for the
// next.
func TestStream(t *testing.T) {
	path := socket(t)
	stream(t, path, func(_ context.Context, params json.RawMessage, to *Follower) error {
		if err := to.Send(params); err != nil {
			return err
		}
		for _, wrong := range []any{1, "x", nil, make(chan int)} {
			if to.Send(wrong) == nil {
				t.Errorf("%v was sent", wrong)
			}
		}
		if len(params) > len("[1]") {
			return &Error{Code: CodeRefused, Message: "no"}
		}
		return to.Send(map[string]string{"a": "\n"})
	})
	f, in := client(t, path)
	f.WriteString(`{"jsonrpc":"2.0","id":7,"method":"follow","params":[1]}` + "\n" +
		`{"jsonrpc":"2.0","id":"b","method":"none"}` + "\n")
	for _, want := range []string{
		`{"jsonrpc":"2.0","method":"follow","params":[1]}`,
		`{"jsonrpc":"2.0","method":"follow","params":{"a":"\n"}}`,
		`{"jsonrpc":"2.0","id":7,"result":null}`,
		`{"jsonrpc":"2.0","id":"b","result":null}`,
	} {
		if line, err := in.ReadString('\n'); line != want+"\n" {
			t.Errorf("%q, %v; want %s", line, err, want)
		}
	}

	var lines []string
	each := func(line json.RawMessage, lost int) error {
		lines = append(lines, fmt.Sprintf("%s %d", line, lost))
		return nil
	}
	if err := Follow(t.Context(), path, os.Getpid(), "follow", []int{2}, each); err != nil ||
		strings.Join(lines, "; ") != `[2] 0; {"a":"\n"} 0` {
		t.Errorf("%q, %v", lines, err)
	}
	var told *Error
	if err := Follow(t.Context(), path, 0, "follow", []int{2, 3}, each); !errors.As(err, &told) ||
		told.Code != CodeRefused {
		t.Error(err)
	}
	if err := Follow(t.Context(), path, 0, "nothing", nil, each); !errors.As(err, &told) || told.Code != CodeMethod {
		t.Error(err)
	}
	enough := errors.New("enough")
	if err := Follow(t.Context(), path, 0, "follow", []int{2},
		func(json.RawMessage, int) error { return enough }); err != enough {
		t.Error(err)
	}
	var unreachable *UnreachableError
	if err := Follow(t.Context(), path+".none", 0, "follow", nil, each); !errors.As(err, &unreachable) ||
		unreachable.Sent {
		t.Error(err)
	}
}

// A stream that nothing comes of notices that the asker leaves, and not that it has only said all it had to say, as nc
// -N does.
func TestAskerLeaves(t *testing.T) {
	path := socket(t)
	begun, left := make(chan *Follower, 1), make(chan error, 1)
	stream(t, path, func(ctx context.Context, _ json.RawMessage, to *Follower) error {
		begun <- to
		<-ctx.Done()
		left <- errors.Join(to.Send([]int{}), to.Flush())
		return ctx.Err()
	})
	f, in := client(t, path)
	f.WriteString(askFollow + "and on it goes") // which is read when the stream is over
	raw, _ := f.SyscallConn()
	raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_WR) })
	to := <-begun
	for range 3 {
		to.Send([]int{1})
		if line, err := in.ReadString('\n'); !strings.Contains(line, "[1]") {
			t.Fatalf("%q, %v", line, err)
		}
	}
	f.Close()
	if err := <-left; !errors.Is(err, errLeft) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if err := Follow(ctx, path, 0, "follow", nil, nil); !errors.As(err, new(*UnreachableError)) ||
		!errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-left
}

// At the daemon's end each stream is told, with what is in its queue, and one that has paused holds up nothing.
func TestCloseDuringAStream(t *testing.T) {
	path := socket(t)
	var begun sync.WaitGroup
	s := stream(t, path, func(ctx context.Context, params json.RawMessage, to *Follower) error {
		to.Send([]int{1})
		to.Flush()
		if string(params) == "[1]" {
			to.Send([]string{strings.Repeat("x", 1<<20)}) // more than the kernel takes
		}
		begun.Done()
		<-ctx.Done()
		if to.Send([]int{2}) == nil {
			t.Error("it was sent after the end")
		}
		return nil
	})
	begun.Add(3)
	p, paused := client(t, path)
	p.WriteString(`{"jsonrpc":"2.0","id":7,"method":"follow","params":[1]}` + "\n")
	f, in := client(t, path)
	f.WriteString(askFollow)
	told := make(chan error)
	go func() {
		told <- Follow(t.Context(), path, 0, "follow", nil, func(json.RawMessage, int) error { return nil })
	}()
	begun.Wait()
	s.Close()
	var stopping *Error
	if err := <-told; !errors.As(err, &stopping) || stopping.Code != CodeStopping {
		t.Error(err)
	}
	for _, want := range []string{`"params":[1]`, `"id":7,"error":{"code":-32001`} {
		if line, err := in.ReadString('\n'); !strings.Contains(line, want) {
			t.Errorf("%q, %v; want %s", line, err, want)
		}
	}
	if rest, err := io.ReadAll(paused); err != nil || bytes.Contains(rest, []byte(`"id":7`)) {
		t.Errorf("the one that has paused got %d bytes, %v", len(rest), err)
	}
}

// promise Q2: those who follow have half of the places, so that a question is always answered: one that has paused, one
// that leaves, a thousand at once. Nothing of them is left.
func TestManyFollowers(t *testing.T) {
	path := socket(t)
	before := runtime.NumGoroutine()
	s := stream(t, path, func(ctx context.Context, _ json.RawMessage, to *Follower) error {
		for range 2 * mostQueued / 1000 {
			to.Send([]string{strings.Repeat("x", 1000)})
		}
		<-ctx.Done()
		return to.Send([]int{})
	})
	status := func() {
		t.Helper()
		if said, err := ask(t, path, "echo"); said != `{"n":1}` {
			t.Fatal(err)
		}
	}
	follow := func() (f *os.File, busy bool) {
		t.Helper()
		f, in := client(t, path)
		f.WriteString(askFollow)
		line, _ := in.ReadString('\n')
		busy = strings.Contains(line, fmt.Sprint(CodeBusy))
		if !busy && !strings.Contains(line, `"method":"follow"`) {
			t.Fatalf("%q", line)
		}
		return f, busy
	}
	served, turnedAway := 0, 0
	var all []*os.File
	for i := range 1000 {
		f, busy := follow()
		if busy {
			turnedAway++
			f.Close()
		} else {
			served++
			all = append(all, f)
		}
		if i%100 == 0 {
			status()
		}
	}
	if served != mostStreams || turnedAway != 1000-mostStreams {
		t.Errorf("%d follow, %d were turned away", served, turnedAway)
	}
	all[0].Close()
	for busy := true; busy; _, busy = follow() { // there is a place as soon as its leaving was noticed
	}
	status()
	s.Close()
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines became %d:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		}
	}
}

// Whatever a stream sends is lines of the protocol, and comes out as it went in.
func FuzzSend(f *testing.F) {
	f.Add("follow", "text\n", 3)
	f.Add("\n\"\\", "\xff\u2028<", 0)
	f.Add("lost", "", -1)
	f.Add("", "0", 145)
	f.Fuzz(func(t *testing.T, method, text string, n int) {
		to := newFollower(t.Context(), method)
		sent, _ := json.Marshal([]any{text, n})
		if err := to.Send(json.RawMessage(sent)); err != nil {
			t.Fatal(err)
		}
		to.end()
		line := to.take()
		if bytes.IndexByte(line, '\n') != len(line)-1 || to.take() != nil {
			t.Fatalf("not one line: %q", line)
		}
		in := io.MultiReader(bytes.NewReader(line), strings.NewReader(`{"jsonrpc":"2.0","id":1,"result":null}`+"\n"))
		got := ""
		err := hearStream(in, func(line json.RawMessage, _ int) error { got = string(line); return nil })
		if method != lostMethod && (err != nil || got != string(sent)) {
			t.Fatalf("%q: %q, %v; want %q", method, got, err, sent)
		}
	})
}
