package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
)

// wants are the system calls that a daemon makes once it is ready, by what they may fail with for want of something.
// What the Go runtime makes for itself (mmap, futex, epoll_pwait, a write to its eventfd) is not among them: it cannot
// go on without. Writes are those to files.
var wants = []struct{ calls, errors string }{
	{"clone", "EAGAIN ENOMEM"},
	{"openat", "EMFILE ENFILE ENOMEM ENOSPC"},
	{"pipe2", "EMFILE ENFILE"},
	{"socketpair", "EMFILE ENOMEM"},
	{"socket", "EMFILE ENOBUFS"},
	{"accept4", "EMFILE ENFILE ENOMEM"},
	{"bind", "ENOMEM ENOSPC"},
	{"connect", "EAGAIN"},
	{"sendto,sendmsg", "ENOBUFS ENOMEM"},
	{"recvfrom,recvmsg", "ENOMEM"},
	{"getsockopt,setsockopt", "ENOMEM"},
	{"epoll_ctl", "ENOMEM ENOSPC"},
	{"pidfd_open", "EMFILE ENOMEM"},
	{"fcntl", "EMFILE ENOLCK"},
	{"read,pread64", "ENOMEM"},
	{"write,pwrite64", "ENOSPC ENOMEM"},
	{"fstat,newfstatat,statx", "ENOMEM"},
	{"getdents64,readlinkat", "ENOMEM"},
	{"inotify_add_watch", "ENOSPC ENOMEM"},
	{"ftruncate,fsync,fchmod,fchmodat,fchown,fchownat", "ENOSPC"},
	{"renameat,renameat2,unlinkat,mkdirat", "ENOSPC ENOMEM"},
	{"ioctl,prctl", "ENOMEM"},
}

// withFault has all calls of the threads that a process has now, and of nobody else, fail for as long as work takes.
func (w *world) withFault(t *testing.T, pid int, calls, what string, work func()) {
	w.t.Helper()
	args := []string{"-qq", "-o", os.DevNull, "-e", "signal=none", "-e", "trace=" + calls, "-e",
		"inject=" + calls + ":error=" + what}
	if strings.Contains(calls, "write") {
		for _, file := range []string{w.log, w.pidfile, w.dir + "/pid.state.json", w.dir + "/out.a", w.dir + "/out.c",
			w.dir + "/out.stays"} {
			args = append(args, "-P", file)
		}
	}
	for tid := range threads(t, pid) {
		args = append(args, "-p", tid)
	}
	c := exec.Command("strace", args...)
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	for traced := 0; traced < len(threads(t, pid)); { // all of them
		traced = 0
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		for _, task := range tasks {
			if tracer := statusField(w.read(task), "TracerPid"); tracer == itoa(c.Process.Pid) {
				traced++
			}
		}
		time.Sleep(time.Millisecond)
	}
	work()
	c.Process.Signal(unix.SIGINT)
	c.Wait()
}

// briefly runs the program, whatever comes of it.
func (w *world) briefly(args ...string) (status int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c := w.command(args...)
	c = exec.CommandContext(ctx, c.Path, c.Args[1:]...)
	c.Env = append(os.Environ(), worldMark+w.dir)
	c.Run()
	return c.ProcessState.ExitCode()
}

// promise C8, Q2: whatever call fails for want of something, each time that it is made, the daemon lives, no program
// that runs ends, and when it is over everything comes back by itself. KEEPALIVEDD_LONG tries every error.
func TestFaultsLater(t *testing.T) {
	needStrace(t)
	t.Parallel()
	w := newWorld(t, "")
	conf := func(round int) string {
		return everyKind + fmt.Sprintf(`
[program.stays]
command = ["/bin/sh", "-c", "echo $$ >>$DIR/stays; while echo; do sleep 0.05; done"]
output = "$DIR/out.stays"
[program.round%d]
command = ["/bin/sh", "-c", "exec tail -f $DIR/conf.toml"]
ready = "notify"
ready_timeout = "1h"
`, round)
	}
	w.configure(conf(0))
	d := w.up()
	a := filepath.Join(w.dir, "a")
	w.await(a, `^\d+$`)
	w.await(filepath.Join(w.dir, "stays"), `^\d+$`)
	dumps, round := 0, 0
	for _, want := range wants {
		for i, what := range strings.Fields(want.errors) {
			if i > 0 && !long() {
				break
			}
			round++
			t.Run(want.calls+":"+what, func(t *testing.T) {
				w := *w
				w.t = t
				w.withFault(t, d.pid, want.calls, what, func() {
					w.killLastOfA()
					w.configure(conf(round))
					w.briefly("status")
					w.briefly("reload")
					w.briefly("restart", "c")
					d.signal(t, unix.SIGUSR1)
					os.Remove(w.pidfile)
					os.Remove(control.Path(w.pidfile))
					w.briefly("status")
				})
				if d.ends(0) {
					t.Fatalf("the daemon has ended; the log:\n%s", w.last())
				}
				for range 2 { // and once more, to see that they are still watched
					w.await(w.pidfile, "^"+itoa(d.pid)+"\n$")
					w.until("reload", 0)
					os.Remove(w.pidfile)
					os.Remove(control.Path(w.pidfile))
				}
				w.await(w.pidfile, "^"+itoa(d.pid)+"\n$")
				w.until("reload", 0)
				w.configure(conf(1000 + round)) // what the log was to say of the one before may be lost
				w.until("reload", 0)
				w.await(w.log, fmt.Sprintf("program round%d: started", 1000+round))
				n := strings.Count(w.read(a), "\n")
				for w.killLastOfA(); ; {
					if err := await(a, regexp.MustCompile(`(?m)^\d+$`), n+1); err == nil {
						break
					} else if t.Error(err); true {
						return
					}
				}
				dumps = strings.Count(w.read(w.log), "INFO written file=") + 1
				d.signal(t, unix.SIGUSR1)
				if err := await(w.log, regexp.MustCompile(`INFO written file=`), dumps); err != nil {
					t.Fatalf("the log takes nothing: %s", w.last())
				}
				if text := w.read(filepath.Join(w.dir, "stays")); strings.Count(text, "\n") != 1 {
					t.Errorf("a program that ran was started again: %q", text)
				}
			})
			if t.Failed() {
				return
			}
		}
	}
	w.down(d)
}

// until asks again until it goes well.
func (w *world) until(verb string, want int) {
	w.t.Helper()
	var status int
	var said string
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); {
		if status, said = w.run(verb); status == want {
			return
		}
	}
	w.t.Fatalf("%s: %d, %s; the log:\n%s", verb, status, said, w.last())
}

// last is the end of the log.
func (w *world) last() string {
	var lines []string
	for s := bufio.NewScanner(strings.NewReader(w.read(w.log))); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
