//go:build linux

package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// The tests start real daemons: this binary again, whose hooks tell a FIFO what they do and behave as DAEMON_TEST says.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("WEBD") != "":
		os.Exit(webd(os.Getenv("WEBD")))
	case os.Getenv("DAEMON_TEST") != "":
		os.Exit(testDaemon(strings.Fields(os.Getenv("DAEMON_TEST"))))
	}
	// A detached daemon becomes our child again, so that its end can be waited for.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func testDaemon(words []string) int {
	does := func(what string) bool { return slices.Contains(words, what) }
	tell := func(text string) {
		f, err := os.OpenFile(os.Getenv("DAEMON_EVENTS"), os.O_WRONLY, 0)
		if err == nil {
			fmt.Fprintln(f, text)
			f.Close()
		}
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if path := os.Getenv("DAEMON_LOG"); path != "" {
		if f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err == nil {
			slog.SetDefault(slog.New(slog.NewTextHandler(f, nil)))
		}
	}
	var fall context.CancelCauseFunc
	d := daemon.Daemon{
		Name: "testd", PIDFile: os.Getenv("DAEMON_PIDFILE"), Grace: 20 * time.Second,
		Start: func(ctx context.Context, fail context.CancelCauseFunc) error {
			fall = fail
			tell("start")
			switch {
			case does("start-fails"):
				return errors.New("open /etc/testd: no such thing")
			case does("start-is-forbidden"):
				return &fs.PathError{Op: "open", Path: "/etc/testd", Err: fs.ErrPermission}
			case does("start-panics"):
				panic("out of cheese")
			case does("start-exits"):
				fmt.Fprintln(os.Stderr, "testd: three")
				os.Exit(3)
			case does("start-leaves"):
				os.Exit(5)
			case does("start-dies"):
				unix.Kill(os.Getpid(), unix.SIGKILL)
				select {}
			case does("start-waits"):
				<-ctx.Done()
				tell("called off")
				return ctx.Err()
			case does("start-hangs"):
				select {}
			case does("has-orphans"):
				tell(bury())
			case does("fails-later"):
				go fail(errors.New("it fell over"))
			case does("ends-later"):
				go fail(nil)
			case does("leaves-a-child"):
				c := exec.Command("sleep", "1000")
				c.Stderr = os.Stderr
				if err := c.Start(); err != nil {
					return err
				}
				fmt.Fprintln(os.Stderr, "testd: child", c.Process.Pid)
				os.Exit(3)
			}
			return nil
		},
		Status:  func() string { return "well" },
		Touched: func() string { return "+web" },
		DryRun: func(context.Context) (string, error) {
			tell("dry run")
			if does("reload-fails") {
				return "", errors.New("no")
			}
			return "would: +web", nil
		},
		Reload: func(ctx context.Context) error {
			tell("reload")
			switch {
			case does("reload-fails"):
				return errors.New("no")
			case does("reload-hangs"):
				select {}
			case does("reload-waits"):
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		},
		Stop: func(ctx context.Context) error {
			tell("stop")
			switch {
			case does("stop-waits"):
				<-ctx.Done()
				tell("stopped by force")
			case does("stop-hangs"):
				select {}
			case does("stop-fails"):
				return errors.New("cannot let go")
			}
			return nil
		},
		Dump: func(context.Context) error {
			tell("dump")
			if does("tells-its-env") {
				tell(os.Getenv("ADDED") + " " + os.Getenv("GIVEN"))
			}
			if does("falls-over") {
				fall(errors.New("it fell over"))
			}
			if does("dump-panics") {
				panic("out of cheese")
			}
			return nil
		},
	}
	shape(&d, does, tell)
	if does("asks-the-budget-of") {
		_, err := daemon.AskBudget(words[1], time.Minute)
		return daemon.ExitStatus(err)
	}
	if does("tells-its-askers") {
		d.Dump = func(context.Context) error { tell("dump"); tell(fmt.Sprint(d.Askers())); return nil }
	}
	if s := os.Getenv("DAEMON_TIMEOUT"); s != "" {
		d.StartTimeout, _ = time.ParseDuration(s)
	}
	if s := os.Getenv("DAEMON_GRACE"); s != "" {
		d.Grace, _ = time.ParseDuration(s)
	}
	if does("says-who-is-left") {
		d.Left = func() {
			_, err := pidfile.Lock(d.PIDFile)
			tell(fmt.Sprint("left, held: ", errors.Is(err, pidfile.ErrHeld)))
		}
	}
	if does("no-hooks") {
		d.Start, d.Reload, d.Stop, d.Dump = nil, nil, nil, nil
	}
	if does("tells-its-env") {
		d.Env = []string{"ADDED=ours", "GIVEN=ours"}
	}
	if does("verbs") && len(os.Args) > 1 {
		return d.Verb(os.Args[1])
	}
	if does("main") {
		return d.Main(!does("foreground"), logging.Options{To: os.Getenv("DAEMON_LOG")}.Logger)
	}
	if !does("foreground") {
		if status, launched := d.Detach(); launched {
			return status
		}
	}
	if does("tells-its-state") {
		d.Dump = func(context.Context) error { tell(state()); return nil }
	}
	err := d.Run(context.Background())
	if does("is-stopped-again") {
		unix.Kill(os.Getpid(), unix.SIGTERM)
		if !does("exits") {
			time.Sleep(time.Minute) // another thread may get it
		}
		tell("lives on")
	}
	if does("tells-its-log") {
		slog.Error("testd", "err", err)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "testd:", err)
	}
	return daemon.ExitStatus(err)
}

// world is a place for one daemon.
type world struct {
	t       *testing.T
	pidfile string
	env     []string
	events  *bufio.Reader
}

func newWorld(t *testing.T, does string) *world {
	t.Helper()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "events")
	if err := unix.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	w := &world{t: t, pidfile: filepath.Join(dir, "pid"), events: bufio.NewReader(f)}
	w.env = append(os.Environ(), "DAEMON_TEST="+does+" .", "DAEMON_EVENTS="+fifo, "DAEMON_PIDFILE="+w.pidfile,
		"GORACE=atexit_sleep_ms=0")
	return w
}

func (w *world) command() *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = w.env
	return c
}

// start runs the start command to its end.
func (w *world) start(change ...func(*exec.Cmd)) (status int, stderr string) {
	w.t.Helper()
	c := w.command()
	var out bytes.Buffer
	c.Stderr = &out
	for _, f := range change {
		f(c)
	}
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String()
}

// up starts a daemon that must get ready, and returns its PID.
func (w *world) up(change ...func(*exec.Cmd)) int {
	w.t.Helper()
	status, stderr := w.start(change...)
	if status != 0 || stderr != "" {
		w.t.Fatalf("start: status %d, %q", status, stderr)
	}
	pid := w.pid()
	w.t.Cleanup(func() {
		if unix.Kill(pid, 0) == nil {
			unix.Kill(pid, unix.SIGKILL)
			unix.Wait4(pid, nil, 0, nil)
		}
	})
	return pid
}

func (w *world) pid() int {
	w.t.Helper()
	b, err := os.ReadFile(w.pidfile)
	if err != nil {
		w.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSuffix(string(b), "\n"))
	if err != nil {
		w.t.Fatalf("the pidfile says %q", b)
	}
	return pid
}

func (w *world) expect(want string) {
	w.t.Helper()
	got, err := w.events.ReadString('\n')
	if strings.TrimSuffix(got, "\n") != want {
		w.t.Fatalf("it told %q (%v), want %q", got, err, want)
	}
}

func (w *world) signal(pid int, sig syscall.Signal) {
	w.t.Helper()
	if err := unix.Kill(pid, sig); err != nil {
		w.t.Fatal(err)
	}
}

// end waits for the daemon's end and returns its status.
func (w *world) end(pid int) int {
	w.t.Helper()
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			w.t.Fatal(err)
		}
	}
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// gone checks that no pidfile is left, and no socket.
func (w *world) gone() {
	w.t.Helper()
	if _, err := os.Lstat(w.pidfile); !errors.Is(err, fs.ErrNotExist) {
		w.t.Errorf("a pidfile is left: %v", err)
	}
	if st, err := os.Lstat(control.Path(w.pidfile)); err == nil && st.Mode()&os.ModeSocket != 0 {
		w.t.Error("a socket is left")
	}
}

// noDaemon checks that no process of this world is left.
func (w *world) noDaemon() {
	w.t.Helper()
	procs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, p := range procs {
		b, err := os.ReadFile(p)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if err == nil && pid != os.Getpid() && bytes.Contains(b, []byte("DAEMON_PIDFILE="+w.pidfile+"\x00")) {
			w.t.Errorf("process %d is left", pid)
		}
	}
}
