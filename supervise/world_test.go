package supervise_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("SUPERVISE_DAEMON"); path != "" { // a daemon to be killed
		s := supervise.New(supervise.Options{Log: slog.New(slog.DiscardHandler), Helper: true})
		p := supervise.Program{Name: "x", Command: []string{"/bin/sh", "-c", announce + hold},
			Environment: map[string]string{"FIFO": path, "NAME": "x"}}
		if os.Getenv("SUPERVISE_AS") == "nobody" {
			p.User = &supervise.User{Name: "nobody", UID: 65534, GID: 65534}
		}
		if os.Getenv("SUPERVISE_SETUP") != "" {
			p.Setup = &supervise.Setup{NoNewPrivileges: true}
			p.Environment["SUPERVISE_THREAD"] = os.Getenv("SUPERVISE_SETUP")
		}
		err := s.Apply(context.Background(), []supervise.Program{p})
		fmt.Println("applied", err)
		select {}
	}
	if path := os.Getenv("SUPERVISE_GATED"); path != "" {
		beGated(path)
	}
	if os.Getenv("SUPERVISE_THREAD") != "" { // RunSetup is not called on the thread that was forked
		runtime.LockOSThread()
		leave := make(chan int)
		go func() {
			status, _ := supervise.RunSetup(os.Args)
			leave <- status
		}()
		os.Exit(<-leave)
	}
	if status, ran := supervise.RunSetup(os.Args); ran {
		os.Exit(status)
	}
	if role := os.Getenv("SUPERVISE_ROLE"); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

// What children do. They announce themselves by a line on a FIFO.
const (
	announce = `echo "$NAME $$" >"$FIFO"; `
	hold     = `exec sleep 1000`
	stubborn = `trap "" TERM; ` + announce + `while :; do sleep 1000; done`
)

// world is a Set and the FIFO that its programs write to.
type world struct {
	t      *testing.T
	set    *supervise.Set
	fifo   string
	pipe   *os.File // the FIFO
	events *bufio.Reader
	log    *recorder
	close  func()

	changed chan struct{} // capacity 1: there is something new in Status
}

func newWorld(t *testing.T, o supervise.Options) *world {
	t.Helper()
	w := &world{t: t, fifo: filepath.Join(t.TempDir(), "fifo"), log: &recorder{lines: make(chan string, 10000)},
		changed: make(chan struct{}, 1)}
	if err := unix.Mkfifo(w.fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	os.Chmod(w.fifo, 0o666)
	f, err := os.OpenFile(w.fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.close = func() { f.Close() }
	t.Cleanup(w.close)
	w.pipe, w.events = f, bufio.NewReader(f)
	o.Log = slog.New(w.log)
	o.Changed = func() {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
	w.set = supervise.New(o)
	t.Cleanup(func() { supervise.EndLeftovers("FIFO=" + w.fifo) }) // whom a test has run on
	t.Cleanup(func() { w.stop(0) })
	return w
}

// forEverybody lets other users reach the FIFO.
func (w *world) forEverybody() {
	for dir := filepath.Dir(w.fifo); dir != os.TempDir(); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
}

// recorder is a log that a test can wait for.
type recorder struct{ lines chan string }

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }

func (r *recorder) WithAttrs([]slog.Attr) slog.Handler { return r }

func (r *recorder) WithGroup(string) slog.Handler { return r }

func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	select {
	case r.lines <- rec.Message:
	default: // nobody waits for so many
	}
	return nil
}

func (w *world) logged(part string) string {
	w.t.Helper()
	for {
		select {
		case line := <-w.log.lines:
			if strings.Contains(line, part) {
				return line
			}
		case <-time.After(time.Minute):
			w.t.Fatalf("the log never says %q", part)
		}
	}
}

func (w *world) program(name, script string, change ...func(*supervise.Program)) supervise.Program {
	p := supervise.Program{Name: name, Command: []string{"/bin/sh", "-c", script},
		Environment: map[string]string{"FIFO": w.fifo, "NAME": name}, StopTimeout: 20 * time.Second}
	for _, f := range change {
		f(&p)
	}
	return p
}

func (w *world) apply(programs ...supervise.Program) {
	w.t.Helper()
	if err := w.set.Apply(context.Background(), programs); err != nil {
		w.t.Fatal(err)
	}
}

// next returns who has announced itself.
func (w *world) next() (name string, pid int) {
	w.t.Helper()
	w.pipe.SetReadDeadline(time.Now().Add(time.Minute))
	line, err := w.events.ReadString('\n')
	if err != nil {
		w.t.Fatal(err)
	}
	name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, _ = strconv.Atoi(number)
	return name, pid
}

func (w *world) expect(want string) (pid int) {
	w.t.Helper()
	name, pid := w.next()
	if name != want {
		w.t.Fatalf("%s announced itself, want %s", name, want)
	}
	return pid
}

func (w *world) stop(budget time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	return w.set.Stop(ctx)
}

func gone(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	for end := time.Now().Add(time.Minute); ; {
		switch n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}},
			int(max(0, time.Until(end)).Milliseconds())); {
		case n == 1:
			return
		case err == nil: // the end of the time, not a signal
			t.Errorf("process %d is left", pid)
			return
		}
	}
}

// until waits until Status tells what is right: it is looked at whenever that changes.
func (w *world) until(what string, right func() bool) {
	w.t.Helper()
	for late := time.After(time.Minute); !right(); {
		select {
		case <-w.changed:
		case <-late:
			w.t.Fatalf("after a minute it is not so that %s: %+v", what, w.set.Status())
		}
	}
}

// is waits until a program is in a state.
func (w *world) is(name, state string) {
	w.t.Helper()
	w.until(name+" is "+state, func() bool { return w.state(name) == state })
}

func (w *world) state(name string) string {
	for _, s := range w.set.Status() {
		if s.Name == name {
			return s.State
		}
	}
	return "gone"
}
