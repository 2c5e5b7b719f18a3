package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// soaked is a program of the soak, called with the soak's directory, its own name and words for what it does. It
// complains when it is started while it runs already, and when it has not got what its section says.
func soaked() {
	s := &soaker{dir: os.Args[1], name: os.Args[2]}
	switch os.Args[3] {
	case "many":
	case "gate":
		s.wait()
	default:
		s.alone()
	}
	for _, word := range os.Args[3:] {
		s.obey(strings.Cut(word, "="))
	}
	for range s.signals() { // a storm is asked for
		line := bytes.Repeat([]byte("storm "), 20)
		line[len(line)-1] = '\n'
		for range 50_000 {
			os.Stdout.Write(line)
		}
	}
}

type soaker struct {
	dir, name string
	lock      *os.File
}

func (s *soaker) signals() chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGUSR1)
	return c
}

// complain is how a program fails the soak.
func (s *soaker) complain(format string, args ...any) {
	f, err := os.OpenFile(filepath.Join(s.dir, "complaints"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(f, "%s %s (pid %d): %s\n", time.Now().Format("15:04:05.000"), s.name, os.Getpid(),
		fmt.Sprintf(format, args...))
	f.Close()
}

// alone takes the program's lock, and complains when a process holds it that is not about to end: one which is exiting,
// or which KILL is on its way to, is no second one.
func (s *soaker) alone() {
	f := s.open()
	for n := 0; unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil; n++ {
		b := make([]byte, 20)
		n, _ := f.ReadAt(b, 0)
		holder, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
		if s.lives(holder) {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", holder))
			s.complain("started while pid %d runs: %s", holder, text)
			os.Exit(1)
		}
		if n == 20_000 {
			s.complain("its lock is held by nobody who is known (%q)", b[:n])
			os.Exit(1)
		}
		time.Sleep(time.Millisecond)
	}
	f.Truncate(0)
	f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
}

func (s *soaker) open() *os.File {
	f, err := os.OpenFile(filepath.Join(s.dir, "locks", s.name), os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	s.lock = f // not closed, or collected, while it runs
	return f
}

// wait is for a gate, which is there to wait for its lock: the one before may have been asked to give it up only now.
func (s *soaker) wait() {
	for f := s.open(); unix.Flock(int(f.Fd()), unix.LOCK_EX) != nil; {
	}
}

// lives says whether a process is this program, and is not about to end.
func (s *soaker) lives(pid int) bool {
	proc := fmt.Sprintf("/proc/%d/", pid)
	cmdline, _ := os.ReadFile(proc + "cmdline")
	stat, _ := os.ReadFile(proc + "stat")
	status, _ := os.ReadFile(proc + "status")
	if !bytes.Contains(cmdline, []byte("\x00"+s.name+"\x00")) {
		return false
	}
	const exiting = 0x4 // PF_EXITING
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 7 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
		return false
	}
	if flags, _ := strconv.ParseUint(string(fields[6]), 10, 64); flags&exiting != 0 {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if key, value, _ := strings.Cut(line, ":"); key == "SigPnd" || key == "ShdPnd" {
			if set, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64); set&(1<<(unix.SIGKILL-1)) != 0 {
				return false
			}
		}
	}
	return true
}

// calm says whether the soak is to be quiet.
func (s *soaker) calm() bool { return exists(filepath.Join(s.dir, "calm")) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func chance(d time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(d))) }

func (s *soaker) obey(word, value string, _ bool) {
	n, _ := strconv.Atoi(value)
	switch word {
	case "deaf":
		signal.Notify(make(chan os.Signal, 1), unix.SIGTERM)
	case "hears": // a reload_signal
		signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	case "child": // in its group
		s.spawn(&unix.SysProcAttr{}, s.name+".child", "deaf")
	case "stray": // in a session of its own, its parent dead
		s.spawn(&unix.SysProcAttr{Setsid: true}, s.name, "many", "fork=many stray-of")
	case "bare": // the same, its environment cleared
		s.spawn(&unix.SysProcAttr{Setsid: true}, s.name, "many", "bare-fork=many bare-of")
	case "session": // what lives on, of a program with kill = "process"
		s.spawn(&unix.SysProcAttr{Setsid: true}, s.name, "many", "session-of")
	case "fork", "bare-fork":
		if word == "bare-fork" {
			os.Clearenv()
		}
		s.spawn(&unix.SysProcAttr{}, s.name, strings.Fields(value)...)
		os.Exit(0)
	case "stray-of", "bare-of", "session-of": // so that they do not become too many
		time.Sleep(10*time.Second + chance(20*time.Second))
		os.Exit(0)
	case "fd":
		time.Sleep(chance(300 * time.Millisecond))
		f := os.NewFile(uintptr(n), "ready")
		f.Write([]byte("\n")) // it fails when the daemon has just died
		f.Close()
	case "notify":
		s.notify("READY=1\nSTATUS=soaking")
		go func() {
			for {
				time.Sleep(2*time.Second + chance(time.Second))
				s.notify("WATCHDOG=1")
			}
		}()
	case "crash":
		go func() {
			for time.Sleep(chance(20 * time.Second)); s.calm(); time.Sleep(time.Second) {
			}
			os.Exit(rand.IntN(3))
		}()
	case "fail":
		os.Exit(n)
	case "oneshot":
		time.Sleep(chance(time.Second))
		if !s.calm() && rand.IntN(3) == 0 {
			os.Exit(1)
		}
		os.Exit(0)
	case "check":
		if !s.calm() && exists(filepath.Join(s.dir, "sick", strings.TrimSuffix(s.name, ".check"))) {
			os.Exit(1)
		}
		os.Exit(0)
	case "gate":
		for {
			if _, err := fmt.Println("token", os.Getpid()); err != nil {
				os.Exit(1)
			}
			time.Sleep(time.Second)
		}
	case "flood":
		go func() {
			for {
				if time.Sleep(chance(2 * time.Second)); !s.calm() {
					os.Stdout.WriteString(strings.Repeat("a line of output that is as long as many lines are\n", rand.IntN(2000)))
				}
			}
		}()
	default:
		s.check(word, value, n)
	}
}

// check complains of what is not as the section has it.
func (s *soaker) check(word, value string, n int) {
	got := ""
	switch word {
	case "uid":
		got = strconv.Itoa(os.Getuid())
	case "nofile":
		var limit unix.Rlimit
		unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
		got = strconv.Itoa(int(limit.Max))
	case "directory":
		got, _ = os.Getwd()
	case "variable":
		got = os.Getenv("SOAK_VARIABLE")
	case "token":
		got = value
		if !strings.HasPrefix(os.Getenv("KEEPALIVEDD_GATE"), "token ") {
			got = os.Getenv("KEEPALIVEDD_GATE")
		}
	default:
		return // there to differ
	}
	if got != value {
		s.complain("its %s is %q, and should be %q", word, got, value)
	}
}

func (s *soaker) spawn(attr *syscall.SysProcAttr, name string, words ...string) {
	c := exec.Command("/proc/self/exe", append([]string{s.dir, name}, words...)...)
	c.Args[0], c.SysProcAttr = "soaked", attr
	if err := c.Start(); err != nil {
		s.complain("its child: %v", err)
	}
	go c.Wait()
}

func (s *soaker) notify(text string) {
	if c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET")); err == nil { // not when the daemon has just died
		c.Write([]byte(text))
		c.Close()
	}
}
