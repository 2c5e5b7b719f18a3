//go:build linux

package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise C6: who does not read loses lines, and is told how many, in their place; all others get every line.
func TestSlowReader(t *testing.T) {
	const lines, size = 2000, 4 << 10
	path := socket(t)
	followers := make(chan *Follower, 2)
	stream(t, path, func(ctx context.Context, _ json.RawMessage, to *Follower) error {
		followers <- to
		<-ctx.Done()
		return nil
	})
	slow, in := client(t, path)
	slow.WriteString(askFollow)
	toSlow := <-followers
	next := make(chan int)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go Follow(ctx, path, 0, "follow", nil, func(line json.RawMessage, lost int) error {
		var n []int
		json.Unmarshal(line, &n)
		next <- len(n)
		return nil
	})
	toQuick := <-followers
	text := strings.Repeat("x", size)
	got, lost, gaps := 0, 0, 0
	read := func() {
		line, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatalf("after %d and %d lost: %v", got, lost, err)
		}
		var l struct {
			Method string
			Params json.RawMessage
		}
		var item []any
		var gap struct{ Lines int }
		json.Unmarshal(line, &l)
		if l.Method == "lost" {
			if err := json.Unmarshal(l.Params, &gap); err != nil || gap.Lines == 0 {
				t.Fatalf("%s, %v", line, err)
			}
			lost += gap.Lines
			gaps++
			return
		}
		if err := json.Unmarshal(l.Params, &item); err != nil || int(item[0].(float64)) != got+lost {
			t.Fatalf("%.60s, %v; want %d", line, err, got+lost)
		}
		got++
	}
	for i := range lines { // from one goroutine, as a daemon's own
		if err := errors.Join(toSlow.Send([]any{i, text}), toQuick.Send(make([]int, i))); err != nil {
			t.Fatal(err)
		}
		if n := <-next; n != i {
			t.Fatalf("the other reader got %d for %d", n, i)
		}
		if i%500 == 499 { // it wakes up for a moment
			for range 50 {
				read()
			}
		}
	}
	toSlow.mu.Lock()
	if n := len(toSlow.queue); n > mostQueued+2*size {
		t.Errorf("%d bytes are kept", n)
	}
	toSlow.mu.Unlock()
	for got+lost < lines {
		read()
	}
	if gaps < 2 {
		t.Error("not more than one gap")
	}
	t.Logf("%d lines, %d lost in %d gaps", got, lost, gaps)
	toSlow.Send([]int{-1}) // it goes on where it can
	if line, err := in.ReadString('\n'); !strings.HasSuffix(line, "[-1]}\n") {
		t.Errorf("%.60q, %v", line, err)
	}
}

// What a stream has at hand at its beginning is lost to nobody, however long it is and however slowly it is read.
func TestFlush(t *testing.T) {
	const lines = 1000
	path := socket(t)
	stream(t, path, func(_ context.Context, _ json.RawMessage, to *Follower) error {
		text := strings.Repeat("x", mostQueued/10)
		for i := range lines {
			to.Send([]any{i, text})
			if err := to.Flush(); err != nil {
				return err
			}
		}
		return to.Send([]string{strings.Repeat("x", 2*mostQueued)}) // longer than the bound, and alone
	})
	n := 0
	err := Follow(t.Context(), path, 0, "follow", nil, func(_ json.RawMessage, lost int) error {
		if n++; lost > 0 {
			t.Error(lost)
		}
		runtime.Gosched()
		return nil
	})
	if n != lines+1 || err != nil {
		t.Errorf("%d lines, %v", n, err)
	}
}

// promise L3: what is put, in however long lines and without a pause, is lost to nobody; who has left is not waited for
func TestPut(t *testing.T) {
	const lines = 100
	path := socket(t)
	stream(t, path, func(_ context.Context, _ json.RawMessage, to *Follower) error {
		text := strings.Repeat("x", mostQueued/10)
		for i := range lines {
			if err := to.Put(json.RawMessage(fmt.Sprintf("[%d,%q]", i, text))); err != nil {
				return err
			}
		}
		return nil
	})
	n := 0
	err := Follow(t.Context(), path, 0, "follow", nil, func(_ json.RawMessage, lost int) error {
		if n++; lost > 0 {
			t.Error(lost)
		}
		runtime.Gosched()
		return nil
	})
	if n != lines || err != nil {
		t.Errorf("%d lines, %v", n, err)
	}
	ctx, leave := context.WithCancelCause(t.Context())
	f := newFollower(ctx, "follow")
	defer context.AfterFunc(ctx, f.wake)()
	f.Put(json.RawMessage("[" + strings.Repeat("1,", mostQueued) + "1]"))
	left := make(chan error)
	go func() { left <- f.Put(json.RawMessage("[]")) }()
	leave(errLeft)
	if err := <-left; err != errLeft {
		t.Error(err)
	}
}

// A Flush for who does not read ends when he has left.
func TestFlushForWhoLeaves(t *testing.T) {
	path := socket(t)
	flushing, flushed := make(chan struct{}), make(chan error, 1)
	stream(t, path, func(_ context.Context, _ json.RawMessage, to *Follower) error {
		to.Send([]string{strings.Repeat("x", 8<<20)}) // more than a socket takes
		to.Flush()                                    // it is being written
		to.Send([]string{"the next"})
		close(flushing)
		err := to.Flush()
		flushed <- err
		return err
	})
	f, _ := client(t, path)
	f.WriteString(askFollow)
	<-flushing
	f.Close()
	select {
	case err := <-flushed:
		if err == nil {
			t.Error("all was written")
		}
	case <-time.After(patience):
		t.Error("it waits on")
	}
}

// promise C6: what comes after a line that is lost is lost too, though there were room for it: the place where lines
// are missing is one, and told of there.
func TestNothingFollowsWhatIsLost(t *testing.T) {
	f := newFollower(t.Context(), "follow")
	for _, size := range []int{mostQueued / 2, mostQueued, 1} {
		if err := f.Send([]string{strings.Repeat("x", size)}); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.SplitAfter(string(f.take()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], `"params":{"lines":2}`) {
		t.Errorf("%d lines, the second %.100q", len(lines), lines[1])
	}
}

// promise Q2: who does not read an answer loses his place.
func TestAnswerThatNobodyReads(t *testing.T) {
	t.Parallel() // it takes 10 s
	path := socket(t)
	left := make(chan struct{})
	s := listen(t, path, map[string]Method{"long": func(context.Context, json.RawMessage) (any, error) {
		return strings.Repeat("x", 8<<20), nil
	}})
	f, in := client(t, path)
	f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"long"}` + "\n")
	in.Peek(1)
	go func() {
		defer close(left)
		s.mu.Lock()
		defer s.mu.Unlock()
		for len(s.served) > 0 {
			s.none.Wait()
		}
	}()
	select {
	case <-left:
	case <-time.After(patience):
		t.Error("he still has it")
	}
}

// A follower may pause for as long as he likes, though he has asked for something before on the same connection, and
// that answer had its time.
func TestFollowAfterAnAnswer(t *testing.T) {
	path := socket(t)
	s := stream(t, path, func(_ context.Context, _ json.RawMessage, to *Follower) error { return to.Send([]int{1}) })
	f, in := client(t, path)
	f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"none"}` + "\n")
	in.ReadString('\n')
	s.mu.Lock()
	s.served[0].file.SetWriteDeadline(time.Unix(1, 0)) // it is over
	s.mu.Unlock()
	f.WriteString(askFollow)
	if line, err := in.ReadString('\n'); !strings.Contains(line, "[1]") {
		t.Errorf("%q, %v", line, err)
	}
}

// promise Q1: one that is stopped is asked nothing, and how it goes on is told at once, though there is no room either
// for who would ask
func TestStopped(t *testing.T) {
	path := socket(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), "CONTROL_LISTEN="+path)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	if said, err := bufio.NewReader(out).ReadString('\n'); said != "listens <nil>\n" {
		t.Fatal(said, err)
	}
	c.Process.Signal(unix.SIGSTOP)
	if err := unix.Waitid(unix.P_PID, c.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%s: pid %d is stopped, and answers once it goes on: kill -CONT %[2]d", path, c.Process.Pid)
	for i := range 3 * mostConnections {
		err := AskPID(t.Context(), path, c.Process.Pid, "echo", nil, nil)
		var unreachable *UnreachableError
		if !errors.As(err, &unreachable) || unreachable.Sent || err.Error() != want {
			t.Fatalf("asked for the %d. time: %v", i+1, err)
		}
	}
	c.Process.Signal(unix.SIGCONT)
	if said, err := ask(t, path, "echo"); said != `{"n":1}` || err != nil {
		t.Errorf("once it goes on: %s, %v", said, err)
	}
}

// promise Q1: nor is a daemon hidden whose socket was moved away with its directory
func TestPutBackIntoItsDirectory(t *testing.T) {
	path := socket(t)
	s := listen(t, path, testMethods)
	dir := filepath.Dir(path)
	for i := range 2 {
		gone := fmt.Sprint(dir, ".gone.", i)
		t.Cleanup(func() { os.RemoveAll(gone) })
		if err := os.Rename(dir, gone); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		untilBack(t, path, func() error { return nil })
	}
	s.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
