//go:build linux

package pidfile_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// The tests need other processes: this binary runs again as one of them, a puppet that does what its standard input
// says, a word a line, and answers each on its standard output.
func TestMain(m *testing.M) {
	if path := os.Getenv("PUPPET_PIDFILE"); path != "" {
		puppet(path)
		return
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

func puppet(path string) {
	in := bufio.NewScanner(os.Stdin)
	var f *pidfile.File
	for in.Scan() {
		var err error
		answer := "ok"
		switch in.Text() {
		case "lock":
			f, err = pidfile.Lock(path)
		case "acquire":
			f, err = pidfile.Acquire(path)
		case "write":
			err = f.Write()
		case "watch":
			err = f.Watch(slog.New(slog.DiscardHandler))
		case "release":
			err = f.Release()
		case "running":
			var pid int
			pid, err = pidfile.Running(path)
			answer = strconv.Itoa(pid)
		case "look":
			var st pidfile.Status
			st, err = pidfile.Look(path)
			answer = fmt.Sprint(st.State, st.PID)
		case "flood":
			err = flood(path)
		case "acquire, for a child to keep":
			if f, err = pidfile.Acquire(path); err == nil {
				_, _, err = f.Handover()           // descriptors without close-on-exec
				c := exec.Command("sleep", "1000") // which this gets
				err = errors.Join(err, c.Start())
				answer = strconv.Itoa(c.Process.Pid)
			}
		case "may reload", "stop":
			var owner *pidfile.Process
			if owner, err = pidfile.Find(path); err == nil && in.Text() == "stop" {
				err = owner.Signal(unix.SIGTERM)
			} else if err == nil {
				err = owner.May(unix.SIGHUP)
			}
		case "squat":
			err = squat(path)
		case "squat, for a child to keep":
			if err = squat(path); err == nil {
				c := exec.Command("sleep", "1000") // the descriptor has no close-on-exec
				err = c.Start()
				answer = strconv.Itoa(c.Process.Pid)
			}
		case "write without a lock":
			err = os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
		}
		if err != nil {
			answer = "error: " + err.Error()
		}
		fmt.Println(answer)
	}
}

type process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start runs a puppet; the options may change its command.
func start(t *testing.T, path string, options ...func(*exec.Cmd)) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(exe)}
	p.cmd.Env = append(os.Environ(), "PUPPET_PIDFILE="+path)
	p.cmd.Stderr = io.Discard
	for _, o := range options {
		o(p.cmd)
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func (p *process) do(word string) string {
	p.t.Helper()
	fmt.Fprintln(p.in, word)
	answer, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("puppet %d died at %q: %v", p.pid(), word, err)
	}
	return strings.TrimSpace(answer)
}

func (p *process) must(word string) {
	p.t.Helper()
	if got := p.do(word); got != "ok" {
		p.t.Fatalf("%s: %s", word, got)
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// pause stops the puppet, all of it.
func (p *process) pause() {
	p.t.Helper()
	err := unix.Kill(p.pid(), unix.SIGSTOP)
	if err == nil {
		err = unix.Waitid(unix.P_PID, p.pid(), nil, unix.WSTOPPED|unix.WNOWAIT, nil)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// asUser gives the puppet another user; the binary is copied to where that user may run it.
func asUser(t *testing.T, uid uint32) func(*exec.Cmd) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it runs a process as another user")
	}
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(sharedDir(t, 0o755), "puppet")
	if err := os.WriteFile(copied, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return func(c *exec.Cmd) {
		c.Path = copied
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
}

// sharedDir is a directory that other users reach, which t.TempDir need not be.
func sharedDir(t *testing.T, mode uint32) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pidfile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := syscall.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func path(t *testing.T) string { return filepath.Join(t.TempDir(), "test.pid") }

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// deadPID is the number of a process that has just been reaped.
func deadPID(t *testing.T) int {
	t.Helper()
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	return c.Process.Pid
}

// squat binds the abstract name that belongs to the owner of path.
func squat(path string) error {
	addr, err := witnessAt(path)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, addr); err != nil {
		return err
	}
	return unix.Listen(fd, unix.SOMAXCONN)
}

// flood connects to the witness until its queue is full, and keeps it so.
func flood(path string) error {
	addr, err := witnessAt(path)
	if err != nil {
		return err
	}
	connect := func(kind int) error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|kind, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Connect(fd, addr)
	}
	for err == nil {
		err = connect(unix.SOCK_NONBLOCK)
	}
	if !errors.Is(err, unix.EAGAIN) {
		return err
	}
	go func() {
		for connect(0) == nil { // as soon as there is room
		}
	}()
	return nil
}

func witnessAt(path string) (unix.Sockaddr, error) {
	var st unix.Stat_t
	err := unix.Stat(filepath.Dir(path), &st)
	return &unix.SockaddrUnix{Name: fmt.Sprintf("@pidfile/%x/%x/%s", st.Dev, st.Ino, filepath.Base(path))}, err
}
