//go:build linux

package signals_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/fdtest"
	"github.com/keepalivedd/keepalivedd/signals"
)

// This binary runs again as a daemon that says what it is asked for.
func TestMain(m *testing.M) {
	switch os.Getenv("SIGNALS_TEST") {
	case "listen":
		requests, end := signals.Notify()
		defer end()
		listen(requests, func() {})
		return
	case "listen in two steps":
		requests, others, end := signals.NotifyFirst()
		defer end()
		listen(requests, others)
		return
	case "unread":
		r, w, _ := os.Pipe()
		unix.Dup3(int(w.Fd()), 2, 0)
		r.Close()
		_, _, end := signals.NotifyFirst()
		_, err := os.Stderr.Write([]byte("nobody reads this\n"))
		fmt.Println("ready")
		fmt.Println(err)
		end()
		os.Stderr.Write([]byte("nor this\n"))
		fmt.Println("alive")
		return
	case "spoil and listen": // what nohup and a careless caller hand down
		spoil()
		os.Setenv("SIGNALS_TEST", "listen")
		err := syscall.Exec("/proc/self/exe", os.Args, os.Environ())
		fmt.Println(err)
		return
	}
	os.Exit(m.Run())
}

func listen(requests signals.Requests, reloaded func()) {
	fmt.Println("ready")
	for {
		select {
		case s := <-requests.Stop:
			fmt.Println("stop", s)
			return
		case s := <-requests.Reload:
			reloaded()
			fmt.Println("reload", s)
		case s := <-requests.Dump:
			fmt.Println("dump", s)
		case s := <-requests.Stats:
			fmt.Println("stats", s)
		}
	}
}

func spoil() {
	for _, sig := range []syscall.Signal{unix.SIGHUP, unix.SIGTERM} {
		// The kernel's struct sigaction begins with the disposition; SIG_IGN is 1.
		ignore := [4]uint64{1}
		rawSigaction(sig, &ignore)
	}
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil)
}

type listener struct {
	t   *testing.T
	cmd *exec.Cmd
	out *bufio.Reader
}

func start(t *testing.T, mode string, change func(*exec.Cmd)) listener {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "SIGNALS_TEST="+mode)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if change != nil {
		change(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); r.Close() })
	l := listener{t, cmd, bufio.NewReader(r)}
	l.expect("ready")
	return l
}

func (l listener) expect(want string) {
	l.t.Helper()
	got, err := l.out.ReadString('\n')
	if strings.TrimSpace(got) != want {
		l.t.Fatalf("it said %q (%v), want %q", got, err, want)
	}
}

func (l listener) signal(sig syscall.Signal) {
	l.t.Helper()
	if err := l.cmd.Process.Signal(sig); err != nil {
		l.t.Fatal(err)
	}
}

// promise R2, T1, S6: each signal by its meaning, whatever the caller ignored or blocked
func TestMeanings(t *testing.T) {
	for _, mode := range []string{"listen", "spoil and listen"} {
		t.Run(mode, func(t *testing.T) {
			l := start(t, mode, nil)
			l.signal(unix.SIGHUP)
			l.expect("reload hangup")
			l.signal(unix.SIGUSR1)
			l.expect("dump user defined signal 1")
			l.signal(unix.SIGUSR2)
			l.expect("stats user defined signal 2")
			l.signal(unix.SIGTERM)
			l.expect("stop terminated")
		})
	}
}

// issue 12.1: whoever is waited for takes first what asks for something; the rest does nothing until then.
func TestFirst(t *testing.T) {
	l := start(t, "listen in two steps", nil)
	l.signal(unix.SIGUSR1)
	l.signal(unix.SIGPIPE)
	l.signal(unix.SIGHUP)
	l.expect("reload hangup")
	l.signal(unix.SIGUSR1)
	const dump = "dump user defined signal 1"
	l.expect(dump)
	l.signal(unix.SIGUSR2)
	got, err := l.out.ReadString('\n')
	if got == dump+"\n" { // the first, which a thread had taken and not handled before the rest was asked for
		got, err = l.out.ReadString('\n')
	}
	if got != "stats user defined signal 2\n" {
		t.Fatalf("%q, %v", got, err)
	}
	l.signal(unix.SIGTERM)
	l.expect("stop terminated")
}

// issue 12.1: standard error that nobody reads is not deadly from the first step on, and is again after the end,
// though the second was never taken.
func TestFirstUnread(t *testing.T) {
	l := start(t, "unread", nil)
	l.expect("write /dev/stderr: broken pipe")
	if got, err := l.out.ReadString('\n'); err == nil {
		t.Errorf("it said %q", got)
	}
	var ended *exec.ExitError
	if err := l.cmd.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != unix.SIGPIPE {
		t.Errorf("it ended by %v", err)
	}
}

// promise R2: what is not a request never ends the process
func TestNeverFatal(t *testing.T) {
	l := start(t, "listen", nil)
	for _, sig := range []syscall.Signal{unix.SIGPIPE, unix.SIGALRM, unix.SIGVTALRM, unix.SIGPROF, unix.SIGIO, unix.SIGPWR,
		unix.SIGWINCH, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGCHLD, unix.SIGURG, unix.SIGCONT, syscall.Signal(35),
		syscall.Signal(64)} {
		l.signal(sig)
	}
	l.signal(unix.SIGHUP)
	l.expect("reload hangup")
	l.signal(unix.SIGINT)
	l.expect("stop interrupt")
}

// promise R2: a thousand HUPs, and the TERM behind them arrives
func TestTermBehindManyHups(t *testing.T) {
	l := start(t, "listen", nil)
	for range 1000 {
		l.signal(unix.SIGHUP)
	}
	l.signal(unix.SIGTERM)
	for {
		line, err := l.out.ReadString('\n')
		if err != nil {
			t.Fatal("it ended without a stop: ", err)
		}
		if line == "stop terminated\n" {
			return
		}
	}
}

// issue: in the foreground, HUP with a vanished terminal is a stop; with the terminal there it is a reload
func TestHangup(t *testing.T) {
	master, slave := fdtest.PTY(t)
	l := start(t, "listen", func(c *exec.Cmd) {
		c.Stdin = slave
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	})
	slave.Close()
	l.signal(unix.SIGHUP)
	l.expect("reload hangup")
	master.Close() // the kernel hangs up the session
	l.expect("stop hangup")
}

func TestParseAndName(t *testing.T) {
	for name, want := range map[string]syscall.Signal{
		"STOP": unix.SIGTERM, "reload": unix.SIGHUP, "DATA": unix.SIGUSR1, "STATS": unix.SIGUSR2,
		"TERM": unix.SIGTERM, "SIGterm": unix.SIGTERM, "9": unix.SIGKILL, "winch": unix.SIGWINCH,
	} {
		if got, err := signals.Parse(name); got != want || err != nil {
			t.Errorf("Parse(%q) = %v, %v, want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "0", "-1", "65", "SIG", "NOPE", "TERM "} {
		if got, err := signals.Parse(name); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", name, got)
		}
	}
	if got := signals.Name(unix.SIGHUP); got != "HUP" {
		t.Errorf("Name(SIGHUP) = %q", got)
	}
	if got := signals.Name(42); got != "42" {
		t.Errorf("Name(42) = %q", got)
	}
}
