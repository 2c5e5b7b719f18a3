//go:build linux

package daemon_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sample is a program of another module, which knows the packages from the README, and a place for it to run in.
type sample struct {
	t                   *testing.T
	name, exe, dir, pid string
	args                []string
}

// samples builds them: the README's echod, as it is printed there, and spoold, which has a configuration too.
func samples(t *testing.T) (echod, spoold string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it compiles two modules")
	}
	if strings.Contains(os.Getenv("GOFLAGS"), "-mod=vendor") {
		t.Skip("needs modules, and there are packages only")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "\n## A daemon of your own\n")
	_, rest, _ = strings.Cut(rest, "```go\n")
	block, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("the README has no block of Go")
	}
	dir := t.TempDir()
	build := func(name, source string) string {
		at := filepath.Join(dir, name)
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, from := range map[string]string{"go.mod": "testdata/author/go.mod", "go.sum": "../go.sum"} {
			b, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			b = bytes.ReplaceAll(b, []byte("../../.."), []byte(root))
			if err := os.WriteFile(filepath.Join(at, file), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(at, "main.go"), []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("go", "build", "-o", name)
		c.Dir, c.Env = at, append(os.Environ(), "GOFLAGS=-mod=mod")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return filepath.Join(at, name)
	}
	source, err := os.ReadFile("testdata/author/main.go")
	if err != nil {
		t.Fatal(err)
	}
	return build("echod", block), build("spoold", string(source))
}

func newSample(t *testing.T, exe string) *sample {
	t.Helper()
	s := &sample{t: t, name: filepath.Base(exe), exe: exe, dir: t.TempDir()}
	s.pid = filepath.Join(s.dir, s.name+".pid")
	s.args = []string{"-pid", s.pid, "-log", filepath.Join(s.dir, "log")}
	if s.name == "spoold" {
		s.args = append(s.args, "-config", filepath.Join(s.dir, "conf"))
		for _, dir := range []string{"spool", "other"} {
			if err := os.Mkdir(filepath.Join(s.dir, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		s.watches("spool")
		return s
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.args = append(s.args, "-listen", l.Addr().String())
	return s
}

func (s *sample) watches(dir string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "conf"), []byte(filepath.Join(s.dir, dir)+"\n"), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// breaks has the next start fail, and says with which words.
func (s *sample) breaks() (words string) {
	s.t.Helper()
	if s.name == "spoold" {
		s.watches("missing")
		return "missing is not a directory"
	}
	l, err := net.Listen("tcp", s.args[len(s.args)-1])
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	return "address already in use"
}

func (s *sample) do(args ...string) (status int, said string) {
	s.t.Helper()
	c := exec.Command(s.exe, append(s.args, args...)...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String()
}

func (s *sample) expect(status int, words string, args ...string) {
	s.t.Helper()
	if got, said := s.do(args...); got != status || !strings.Contains(said, words) || words == "" && said != "" {
		s.t.Errorf("%s %v: status %d, %q; want %d, %q", s.name, args, got, said, status, words)
	}
}

// up starts it in the background, and returns its PID.
func (s *sample) up() int {
	s.t.Helper()
	if status, said := s.do("-daemon"); status != 0 {
		s.t.Fatalf("%s: the start: status %d, %q", s.name, status, said)
	}
	b, err := os.ReadFile(s.pid)
	pid, e := strconv.Atoi(strings.TrimSuffix(string(b), "\n"))
	if err := errors.Join(err, e); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if unix.Kill(pid, 0) == nil {
			unix.Kill(pid, unix.SIGKILL)
			unix.Wait4(pid, nil, 0, nil)
		}
	})
	return pid
}

// ends waits for its end, once, by sig if there is one.
func (s *sample) ends(pid int, sig syscall.Signal, want int) {
	s.t.Helper()
	if sig != 0 {
		if err := unix.Kill(pid, sig); err != nil {
			s.t.Fatal(err)
		}
	}
	w := &world{t: s.t}
	if status := w.end(pid); status != want {
		s.t.Errorf("%s: it ended with %d, want %d", s.name, status, want)
	}
}

// left checks which files of the daemon's are there.
func (s *sample) left(want ...string) {
	s.t.Helper()
	var left []string
	for _, suffix := range []string{".pid", ".sock", ".crash"} {
		if _, err := os.Lstat(strings.TrimSuffix(s.pid, ".pid") + suffix); err == nil {
			left = append(left, suffix)
		}
	}
	if fmt.Sprint(left) != fmt.Sprint(want) {
		s.t.Errorf("%s: it has left %v, want %v", s.name, left, want)
	}
}

func (s *sample) logs(words string) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // it may come after the answer
		b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		if strings.Contains(string(b), words) {
			return
		}
		if time.Now().After(end) {
			s.t.Errorf("%s: the log does not say %q:\n%s", s.name, words, b)
			return
		}
	}
}

// promise A1: what S, P, R, T, L and Q promise of keepalivedd holds for what the README leads to; promise A2
func TestAuthorsDaemon(t *testing.T) {
	echod, spoold := samples(t)
	for _, exe := range []string{echod, spoold} {
		life := func(name string, test func(t *testing.T, s *sample)) {
			t.Run(filepath.Base(exe)+"/"+name, func(t *testing.T) { test(t, newSample(t, exe)) })
		}
		life("S1, S3, Q1, T1: a start, another, verbs, TERM", func(t *testing.T, s *sample) {
			s.expect(3, "is not running", "status")
			s.expect(7, "not running", "reload")
			pid := s.up()
			s.expect(100, fmt.Sprintf("already running, pid %d", pid), "-daemon")
			s.expect(100, fmt.Sprintf("already running, pid %d", pid))
			s.expect(0, fmt.Sprintf("%s is running, pid %d", s.name, pid), "status")
			s.expect(2, "none of status, reload, upgrade and stop", "jump")
			s.ends(pid, unix.SIGTERM, 0)
			s.left()
			s.logs("stopped")
			s.expect(3, "is not running", "status")
		})
		life("T1: stop", func(t *testing.T, s *sample) {
			pid := s.up()
			ended := make(chan int)
			go func() { w := &world{t: t}; ended <- w.end(pid) }()
			s.expect(0, "", "stop")
			if status := <-ended; status != 0 {
				t.Errorf("it ended with %d", status)
			}
			s.expect(0, "is not running", "stop")
			s.left()
		})
		life("S6: start | cat ends", func(t *testing.T, s *sample) {
			c := exec.Command("sh", "-c", `"$0" "$@" 9>&1 | cat`, s.exe)
			c.Args = append(append(c.Args, s.args...), "-daemon")
			if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v, %q", err, out)
			}
			s.expect(0, "", "stop")
		})
		life("S5: a start that nobody reads, with something to say", startUnread)
		life("P1, P3: stale contents, and a pidfile that is deleted", func(t *testing.T, s *sample) {
			for _, stale := range []string{"", "garbage", "1\n", "0\n", "99999999999\n", strconv.Itoa(os.Getpid()) + "\n"} {
				if err := os.WriteFile(s.pid, []byte(stale), 0o644); err != nil {
					t.Fatal(err)
				}
				pid := s.up()
				os.Remove(s.pid)
				s.expect(100, "already running", "-daemon")
				s.ends(pid, unix.SIGTERM, 0)
				s.left()
			}
		})
		life("P2: a link is not followed", func(t *testing.T, s *sample) {
			victim := filepath.Join(s.dir, "victim")
			if err := errors.Join(os.WriteFile(victim, []byte("precious"), 0o644), os.Symlink(victim, s.pid)); err != nil {
				t.Fatal(err)
			}
			s.expect(1, s.name+": pidfile "+s.pid+": it is a symbolic link", "-daemon")
			if b, _ := os.ReadFile(victim); string(b) != "precious" {
				t.Errorf("the victim says %q", b)
			}
		})
		life("S2, A2: a failed start tells its caller, and the log", func(t *testing.T, s *sample) {
			words := s.breaks()
			s.expect(1, s.name+": ", "-daemon")
			s.expect(1, words, "-daemon")
			s.expect(1, words)
			s.logs(words)
			s.left()
		})
		life("S2: a log that cannot be had", func(t *testing.T, s *sample) {
			s.args = append(s.args, "-log", "/nowhere/log")
			s.expect(1, s.name+": log file /nowhere/log: ", "-daemon")
			s.left()
		})
		life("P6, A2: kill -9, and again", func(t *testing.T, s *sample) {
			s.ends(s.up(), unix.SIGKILL, 128+9)
			s.expect(1, "is dead", "status")
			pid := s.up()
			s.logs("the previous daemon was killed, or crashed")
			s.ends(pid, unix.SIGTERM, 0)
			s.left()
		})
		life("A2: a crash is in the log of the next", func(t *testing.T, s *sample) {
			s.ends(s.up(), unix.SIGQUIT, 2)
			pid := s.up()
			s.logs("the previous daemon crashed: SIGQUIT")
			s.ends(pid, unix.SIGTERM, 0)
			s.left()
		})
		life("R2, R3: HUP, a thousand of them, a rotation, TERM", func(t *testing.T, s *sample) {
			pid := s.up()
			log := filepath.Join(s.dir, "log")
			if err := os.Rename(log, log+".1"); err != nil {
				t.Fatal(err)
			}
			s.expect(0, "", "reload")
			for range 1000 {
				unix.Kill(pid, unix.SIGHUP)
			}
			s.ends(pid, unix.SIGTERM, 0)
			s.logs("stopped")
			s.left()
		})
	}
	t.Run("spoold/R1: a reload is accepted, or refused with 6", func(t *testing.T) {
		s := newSample(t, spoold)
		pid := s.up()
		s.watches("other")
		s.expect(0, "", "reload")
		if err := os.Remove(filepath.Join(s.dir, "spool")); err != nil { // which is not watched any more
			t.Fatal(err)
		}
		s.watches("missing")
		s.expect(6, "missing is not a directory", "reload")
		s.logs("everything goes on as before")
		s.expect(0, "is running", "status")
		s.ends(pid, unix.SIGTERM, 0)
	})
	t.Run("spoold/A2: what falls over is in its log, and in that of the next", func(t *testing.T) {
		s := newSample(t, spoold)
		pid := s.up()
		if err := os.Remove(filepath.Join(s.dir, "spool")); err != nil {
			t.Fatal(err)
		}
		s.ends(pid, 0, 1)
		s.left(".crash")
		s.logs("no such file or directory")
		s.watches("other")
		os.Remove(filepath.Join(s.dir, "log"))
		pid = s.up()
		s.logs("the previous daemon ended: stat " + filepath.Join(s.dir, "spool") + ": no such file or directory")
		s.ends(pid, unix.SIGTERM, 0)
		s.left()
	})
}
