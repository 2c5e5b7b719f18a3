package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
)

// promise U2: what cannot take over is refused, with words, and nothing has happened
func TestUpgradeRefused(t *testing.T) {
	w := newWorld(t, oneProgram)
	p := w.up()
	w.await(filepath.Join(w.dir, "up"), "up")
	was := w.pids()
	program, err := os.ReadFile(newer(t))
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, mode os.FileMode, content []byte) string {
		path := filepath.Join(w.dir, name)
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := bytes.Clone(program)
	other[18], other[19] = 0xf3, 0 // e_machine: RISC-V
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, path, want string }{
		{"absent", filepath.Join(w.dir, "absent"), "no such file or directory"},
		{"directory", w.dir, "it is no regular file"},
		{"empty", file("empty", 0o755, nil), "cannot take over|no program that this machine can execute"},
		{"text", file("text", 0o755, []byte("hello\n")), "no program that this machine can execute"},
		{"not executable", file("plain", 0o644, program), "it may not be executed"},
		{"truncated", file("short", 0o755, program[:len(program)/2]),
			"killed by SIG|exited with status|no program that this machine can execute"},
		{"another machine", file("other", 0o755, other), "no program that this machine can execute"},
		{"true", "/bin/true", "without a word"},
		{"false", "/bin/false", "exited with status 1"},
		{"script", file("script", 0o755, []byte("#!/bin/sh\necho '{\"can_take_over\":true}' >&4\n")),
			"exited with status|its interpreter"},
		{"panics", self, "exited with status 2.*out of cheese"},
		{"is killed", self, "killed by SIGKILL"},
		{"lies", self, "exited with status 1"},
		{"says nothing", self, "without a word"},
		{"hangs", self, "it has not said within 10s"},
	} {
		for _, args := range [][]string{{"--dry-run"}, nil} {
			if test.name == "hangs" && args == nil {
				continue
			}
			w.failing(test.name)
			status, stderr := w.run(append([]string{"upgrade", "--binary", test.path}, args...)...)
			flat := strings.ReplaceAll(stderr, "\n", " ")
			if ok, _ := regexp.MatchString("not upgraded, all goes on as before: .*("+test.want+")", flat); status != 1 || !ok {
				t.Errorf("%s: status %d, %q", test.name, status, stderr)
			}
		}
	}
	// A configuration that the daemon could not be started with.
	w.configure(oneProgram + "nonsense = 1\n")
	if status, stderr := w.run("upgrade", "--binary", newer(t)); status != 1 || !strings.Contains(stderr, "nonsense") {
		t.Errorf("configuration: status %d, %q", status, stderr)
	}
	w.configure(strings.ReplaceAll(oneProgram, "pidfile", ""))
	if status, stdout := w.say("upgrade", "--binary", newer(t), "--dry-run"); status != 0 ||
		!strings.HasPrefix(stdout, "v2 can take over from ") {
		t.Errorf("dry run: status %d, %q", status, stdout)
	}
	if now := w.pids(); fmt.Sprint(now) != fmt.Sprint(was) {
		t.Errorf("programs were %v, are %v", was, now)
	}
	if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid)); exe != w.binary {
		t.Errorf("the daemon is %s", exe)
	}
	if text := w.read(filepath.Join(w.dir, "up")); text != "up\n" {
		t.Errorf("the program was started again: %q", text)
	}
	w.upgrade(newer(t)) // it still can
	w.down(p)
}

// failing is main, in a program to upgrade to that fails, as this test's own binary does when a file beside the
// configuration says how: in the rehearsal, or in the midst of taking over.
func failing() {
	how := ""
	if i := slices.Index(os.Args, "-f"); i > 0 && i+1 < len(os.Args) {
		b, _ := os.ReadFile(filepath.Join(filepath.Dir(os.Args[i+1]), "fails"))
		how = string(b)
	}
	if os.Getenv("_DAEMON_REHEARSAL") != "" {
		switch how {
		case "hangs":
			time.Sleep(time.Hour) // a select without cases is a deadlock to the runtime, which ends it
		case "is killed":
			unix.Kill(os.Getpid(), unix.SIGKILL)
		case "panics":
			panic("out of cheese")
		case "lies":
			os.NewFile(4, "verdict").WriteString(`{"can_take_over":true}`)
			os.Exit(1)
		case "says nothing":
			os.Exit(0)
		case "cannot be executed": // any more, when it comes to that
			self, _ := os.Readlink("/proc/self/exe")
			os.Chmod(self, 0o644)
		}
	}
	if os.Getenv("_DAEMON_SUCCESSOR") == "" {
		how = ""
	}
	switch what, arg, _ := strings.Cut(how, "="); what {
	case "at once":
		in := daemon.Inherit()
		panic(in.Return(errors.New("it fails at once"), nil))
	case "descriptors": // so many are left
		left, _ := strconv.Atoi(arg)
		var opened []int
		unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 128, Max: 128})
		for {
			fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				break
			}
			opened = append(opened, fd)
		}
		for _, fd := range opened[len(opened)-left:] {
			unix.Close(fd)
		}
	case "traced":
		if os.Getenv("_DAEMON_RETURNED") == "" {
			awaitTracer(filepath.Dir(os.Args[2]))
		}
	case "configuration":
		os.Remove(os.Args[2]) // -f FILE
	}
	main()
}

func (w *world) failing(how string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "fails"), []byte(how), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// promise U2: where the new program fails in the midst of taking over, the old one goes on with everything
func TestUpgradeRolledBack(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"at once", "descriptors=0", "descriptors=3", "descriptors=15"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t, oneProgram)
			w.failing(how)
			p := w.up()
			w.await(filepath.Join(w.dir, "up"), "up")
			was := w.pids()
			for range 2 { // it can be tried again
				status, stderr := w.run("upgrade", "--binary", self)
				if status != 1 || !strings.Contains(stderr, "could not take over") {
					t.Fatalf("status %d, %q; the log:\n%s", status, stderr, w.read(w.log))
				}
				if now := w.pids(); fmt.Sprint(now) != fmt.Sprint(was) {
					t.Fatalf("programs were %v, are %v", was, now)
				}
				if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid)); exe != w.binary {
					t.Fatalf("the daemon is %s", exe)
				}
			}
			w.upgrade(newer(t))
			if text := w.read(filepath.Join(w.dir, "up")); text != "up\n" {
				t.Errorf("the program was started again: %q", text)
			}
			w.down(p)
		})
	}
}

// promise U2: where neither can go on, nothing is left running, and the next start tells
func TestUpgradeFailsAltogether(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, `
[program.one]
command = ["/bin/sh", "-c", "trap 'echo asked >>$DIR/asked; exit' TERM; echo up >>$DIR/up; while :; do sleep 1000 & wait; done"]
[program.stubborn]
command = ["/bin/sh", "-c", "trap '' TERM; echo up >>$DIR/up; while :; do sleep 1000; done"]
stop_timeout = "200ms"
`)
	w.failing("configuration")
	p := w.up()
	if err := await(filepath.Join(w.dir, "up"), regexp.MustCompile("up"), 2); err != nil {
		t.Fatal(err)
	}
	conf := w.read(w.conf)
	status, stderr := w.run("upgrade", "--binary", self)
	if status != 1 || !strings.Contains(stderr, "nor can this one go on") &&
		!strings.Contains(stderr, "has ended in the midst") || strings.Contains(stderr, "goes on as before") {
		t.Errorf("status %d, %q", status, stderr)
	}
	p.wait(t)
	w.empty()
	if text := w.read(filepath.Join(w.dir, "asked")); text != "asked\n" {
		t.Errorf("the program was not asked to end: %q", text)
	}
	if err := os.WriteFile(w.conf, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	p = w.up()
	w.await(w.log, "nor can this one go on")
	w.down(p)
}
