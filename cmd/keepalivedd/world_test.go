package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait for an event; nothing waits for a time to pass.
const patience = time.Minute

var (
	built     string // where the program is built, once
	buildOnce sync.Once
	errBuild  error
)

// binary returns the program: $KEEPALIVEDD, or what `go build` makes of this folder. Without either there is nothing to
// test.
func binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("KEEPALIVEDD"); path != "" {
		return path
	}
	buildOnce.Do(func() {
		c := exec.Command("go", "build", "-o", built, ".")
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			errBuild = fmt.Errorf("go build: %w: %s", err, out)
		}
	})
	if errors.Is(errBuild, exec.ErrNotFound) {
		t.Skipf("no program to test, and none in $KEEPALIVEDD: %v", errBuild)
	}
	if errBuild != nil {
		t.Fatal(errBuild)
	}
	return built
}

// world is a directory for one daemon: its configuration, its pidfile, its log, and all its processes.
type world struct {
	t                       testing.TB
	dir, conf, pidfile, log string
	binary                  string
}

const oneProgram = `
[program.one]
command = ["/bin/sh", "-c", "echo up >>$DIR/up; exec tail -f $DIR/up"]
`

// newWorld writes a configuration: programs comes after the pidfile and the log, with $DIR put in.
func newWorld(t testing.TB, programs string) *world {
	t.Helper()
	return worldIn(t, t.TempDir(), programs)
}

func worldIn(t testing.TB, dir, programs string) *world {
	t.Helper()
	w := &world{t: t, dir: dir, binary: binary(t)}
	w.conf, w.pidfile, w.log = filepath.Join(dir, "conf.toml"), filepath.Join(dir, "pid"), filepath.Join(dir, "log")
	w.configure(programs)
	t.Cleanup(func() {
		killAll(w.dir)
		bury()
	})
	return w
}

func (w *world) configure(programs string) {
	w.t.Helper()
	text := "pidfile = \"$DIR/pid\"\nshutdown_timeout = \"20s\"\nlog.to = \"$DIR/log\"\nlog.level = \"debug\"\n" + programs
	if err := os.WriteFile(w.conf, []byte(strings.ReplaceAll(text, "$DIR", w.dir)), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// command is the program called with -f and arguments, marked as a process of this world.
func (w *world) command(args ...string) *exec.Cmd {
	c := exec.Command(w.binary, append([]string{"-f", w.conf}, args...)...)
	c.Env = append(os.Environ(), worldMark+w.dir)
	return c
}

// run runs the program to its end.
func (w *world) run(args ...string) (status int, stderr string) {
	w.t.Helper()
	return w.finish(w.command(args...))
}

// say runs the program to its end, for what it prints.
func (w *world) say(args ...string) (status int, stdout string) {
	w.t.Helper()
	c := w.command(args...)
	var out bytes.Buffer
	c.Stdout = &out
	status, _ = w.finish(c)
	return status, out.String()
}

func (w *world) finish(c *exec.Cmd) (status int, stderr string) {
	w.t.Helper()
	var out bytes.Buffer
	c.Stderr = &out
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	hung := time.AfterFunc(patience, func() { c.Process.Kill() })
	defer hung.Stop()
	c.Wait()
	if ws := c.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal()), out.String()
	}
	return c.ProcessState.ExitCode(), out.String()
}

// up starts a daemon that must get ready.
func (w *world) up() *process {
	w.t.Helper()
	if status, stderr := w.run(); status != 0 || stderr != "" {
		w.t.Fatalf("start: status %d, %q; the log:\n%s", status, stderr, w.read(w.log))
	}
	return w.daemon()
}

// daemon is the process that the pidfile names.
func (w *world) daemon() *process {
	w.t.Helper()
	text := w.read(w.pidfile)
	pid, err := strconv.Atoi(strings.TrimSuffix(text, "\n"))
	if err != nil {
		w.t.Fatalf("the pidfile says %q", text)
	}
	p, err := hold(pid)
	if err != nil {
		w.t.Fatalf("the pidfile says %d: %v", pid, err)
	}
	w.t.Cleanup(p.close)
	return p
}

// down stops the daemon and checks that nothing is left.
func (w *world) down(p *process) {
	w.t.Helper()
	p.signal(w.t, unix.SIGTERM)
	if status := p.wait(w.t); status != 0 {
		w.t.Fatalf("it ended with %d; the log:\n%s", status, w.read(w.log))
	}
	w.empty()
}

// empty checks that there is neither a pidfile nor a process, and waits for those that are dying.
func (w *world) empty() {
	w.t.Helper()
	if _, err := os.Lstat(w.pidfile); !errors.Is(err, fs.ErrNotExist) {
		w.t.Errorf("a pidfile is left: %v, %q", err, w.read(w.pidfile))
	}
	w.nobody()
}

// nobody checks that no process of this world is left, or that those left are dying.
func (w *world) nobody() {
	w.t.Helper()
	for _, p := range processes(w.dir) {
		if !p.ends(patience) {
			w.t.Errorf("process %d is left: %s", p.pid, p)
		}
		p.close()
	}
}

func (w *world) read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// await waits until the file matches.
func (w *world) await(path, pattern string) {
	w.t.Helper()
	if err := await(path, regexp.MustCompile("(?m)"+pattern), 1); err != nil {
		w.t.Fatal(err)
	}
}

// worldMark is in the environment of every process of a world but the programs, which get none of it and have the
// directory among their arguments.
const worldMark = "KEEPALIVEDD_TEST="

// processes are those of a world that live. The caller closes them.
func processes(dir string) (list []*process) {
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range procs {
		pid, _ := strconv.Atoi(filepath.Base(proc))
		if pid == os.Getpid() || !belongs(proc, dir) {
			continue
		}
		if p, err := hold(pid); err == nil {
			if belongs(proc, dir) {
				list = append(list, p)
			} else {
				p.close()
			}
		}
	}
	return list
}

func belongs(proc, dir string) bool {
	environ, _ := os.ReadFile(proc + "/environ")
	if bytes.Contains(environ, []byte(worldMark+dir+"\x00")) {
		return true
	}
	cmdline, _ := os.ReadFile(proc + "/cmdline")
	return bytes.Contains(cmdline, []byte(dir+"\x00")) || bytes.Contains(cmdline, []byte(dir+"/"))
}

// killAll ends what a test has left. A daemon that is killed takes its programs with it; one that starts meanwhile is
// seen the next time.
func killAll(dir string) (left int) {
	for range 10 {
		list := processes(dir)
		if len(list) == 0 {
			break
		}
		left += len(list)
		for _, p := range list {
			unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0)
		}
		for _, p := range list {
			p.ends(patience)
			p.close()
		}
	}
	return left
}

// bury reaps the orphans that came to us as the subreaper, so that the zombies of a thousand rounds do not fill /proc.
// A child that a pidfd of ours refers to is left to whoever holds that: os/exec, or a process of a test.
func bury() {
	dead := zombies() // first: whoever is among them is held by now, or never will be
	held := map[int]bool{}
	infos, _ := filepath.Glob("/proc/self/fdinfo/*")
	for _, info := range infos {
		b, _ := os.ReadFile(info)
		if m := pidfdOf.FindSubmatch(b); m != nil {
			pid, _ := strconv.Atoi(string(m[1]))
			held[pid] = true
		}
	}
	for _, pid := range dead {
		if !held[pid] {
			unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}

var pidfdOf = regexp.MustCompile(`(?m)^Pid:\t(\d+)$`)

// zombies are our children that have ended.
func zombies() (dead []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		b, _ := os.ReadFile(stat)
		var state string
		var parent int
		fmt.Sscan(string(b[bytes.LastIndexByte(b, ')')+1:]), &state, &parent)
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat))); err == nil && state == "Z" && parent == os.Getpid() {
			dead = append(dead, pid)
		}
	}
	return dead
}

// await waits until the file has count matches. It watches the directory: the file may not exist yet.
func await(path string, pattern *regexp.Regexp, count int) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const change = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), change); err != nil {
		return fmt.Errorf("watch %s: %w", filepath.Dir(path), err)
	}
	deadline := time.Now().Add(patience)
	buf := make([]byte, 64<<10)
	for {
		text, _ := os.ReadFile(path)
		if len(pattern.FindAllIndex(text, count)) >= count {
			return nil
		}
		if n, err := poll(fd, time.Until(deadline)); n == 0 || err != nil {
			return fmt.Errorf("%s has no match for %v; it says:\n%s", path, pattern, text)
		}
		unix.Read(fd, buf)
	}
}
