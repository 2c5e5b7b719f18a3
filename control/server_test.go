//go:build linux

package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAsk(t *testing.T) {
	path := socket(t)
	if _, err := ask(t, path, "none"); !errors.As(err, new(*UnreachableError)) || !errors.Is(err, unix.ENOENT) {
		t.Errorf("with nobody there: %v", err)
	}
	s := listen(t, path, testMethods)
	if said, err := ask(t, path, "echo"); said != `{"n":1}` || err != nil {
		t.Errorf("%s, %v", said, err)
	}
	var told *Error
	if _, err := ask(t, path, "refuse"); !errors.As(err, &told) || told.Code != CodeRefused ||
		string(told.Data) != `{"line":3}` {
		t.Errorf("%v", err)
	}
	if _, err := ask(t, path, "nothing"); !errors.As(err, &told) || told.Code != CodeMethod {
		t.Errorf("%v", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != os.ModeSocket|0o600 {
		t.Errorf("its mode is %v, %v", st.Mode(), err)
	}
	s.Close()
	s.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there after the end: %v", err)
	}
}

// Who asks is known.
func TestAsker(t *testing.T) {
	path := socket(t)
	who := func(ctx context.Context, _ json.RawMessage) (any, error) { return AskerOf(ctx), nil }
	listen(t, path, map[string]Method{"who": who})
	want := fmt.Sprintf(`{"PID":%d,"UID":%d}`, os.Getpid(), os.Geteuid())
	if said, err := ask(t, path, "who"); said != want || err != nil {
		t.Errorf("%s, %v; want %s", said, err, want)
	}
}

// issue 7.A3: several on one connection are answered in their order, the last without a newline too, as nc -N sends it.
func TestSeveralRequests(t *testing.T) {
	path := socket(t)
	listen(t, path, testMethods)
	f, in := client(t, path)
	f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"echo"}` + "\n" + `{"jsonrpc":"2.0","method":"none"}` + "\n[]\n" +
		`{"jsonrpc":"2.0","id":2,"method":"none"}`)
	raw, _ := f.SyscallConn()
	raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_WR) })
	for _, want := range []string{`"id":1,"result"`, `"id":null,"error":{"code":-32600`, `"id":2,"result"`} {
		if line, err := in.ReadString('\n'); !strings.Contains(line, want) {
			t.Errorf("%q, %v; want %s", line, err, want)
		}
	}
	if line, err := in.ReadString('\n'); err == nil {
		t.Errorf("%q", line)
	}
}

func TestTooLong(t *testing.T) {
	path := socket(t)
	listen(t, path, testMethods)
	f, in := client(t, path)
	f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"none","x":"` + strings.Repeat("x", longestRequest) + `"}` + "\n")
	const told = `"error":{"code":-32600,"message":"a request has at most 65536 bytes"`
	if line, _ := in.ReadString('\n'); !strings.Contains(line, told) {
		t.Errorf("%q", line)
	}
}

// issue 7.A3: a request that does not come to an end is waited for, for 2 s.
func TestSlowRequest(t *testing.T) {
	path := socket(t)
	listen(t, path, testMethods)
	f, in := client(t, path)
	f.WriteString(`{"jsonrpc":"2.0",`)
	if line, err := in.ReadString('\n'); line != "" || !errors.Is(err, io.EOF) {
		t.Errorf("%q, %v", line, err)
	}
}

// promise Q2: a daemon of another user's is not believed, wherever it listens.
func TestAnswerOfAStranger(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it listens as another user")
	}
	path := socket(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	listening := make(chan error)
	go func() {
		runtime.LockOSThread() // and ends with the thread: no other goroutine is to get its user
		same := ^uintptr(0)
		// of this thread, which package unix's is not
		_, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, same, 65534, same)
		if errno != 0 {
			listening <- errno
			return
		}
		listening <- unix.Listen(fd, 1) // unix(7): who listens is who SO_PEERCRED tells of
	}()
	if err := <-listening; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := Ask(ctx, path, "none", nil, nil); err == nil || !strings.Contains(err.Error(), "uid 65534 listens there") {
		t.Errorf("Ask: %v", err)
	}
}

// promise Q2: those who say nothing keep nobody waiting, however many they are.
func TestSilentOnes(t *testing.T) {
	path := socket(t)
	listen(t, path, testMethods)
	for range 5 * mostConnections {
		client(t, path)
	}
	if said, err := ask(t, path, "echo"); said != `{"n":1}` {
		t.Error(err)
	}
}

// When all places are taken by questions that are being answered, the next is told so, and that is no answer.
func TestBusy(t *testing.T) {
	path := socket(t)
	asked, release := make(chan bool), make(chan bool)
	listen(t, path, map[string]Method{"wait": func(context.Context, json.RawMessage) (any, error) {
		asked <- true
		<-release
		return nil, nil
	}})
	var clients []*bufio.Reader
	for range mostConnections {
		f, in := client(t, path)
		f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"wait"}` + "\n")
		<-asked
		clients = append(clients, in)
	}
	var unreachable *UnreachableError
	var told *Error
	if _, err := ask(t, path, "wait"); !errors.As(err, &unreachable) || unreachable.Sent || !errors.As(err, &told) ||
		told.Code != CodeBusy {
		t.Errorf("%v", err)
	}
	close(release)
	for _, in := range clients {
		if line, err := in.ReadString('\n'); !strings.Contains(line, "result") {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

// An answer of the size that 5000 programs have arrives, and one that 50,000 have; who does not read it delays neither
// the others nor the end.
func TestLongAnswer(t *testing.T) {
	path := socket(t)
	long := strings.Repeat("x", 4<<20)
	s := listen(t, path, map[string]Method{
		"long":  func(context.Context, json.RawMessage) (any, error) { return long, nil },
		"short": func(context.Context, json.RawMessage) (any, error) { return 1, nil },
		"many":  func(context.Context, json.RawMessage) (any, error) { return strings.Repeat("x", 50_000*700), nil },
	})
	for range 10 {
		f, in := client(t, path)
		f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"long"}` + "\n")
		in.Peek(1)
	}
	if said, err := ask(t, path, "long"); len(said) != len(long)+2 {
		t.Errorf("%d bytes, %v", len(said), err)
	}
	if said, err := ask(t, path, "many"); len(said) != 50_000*700+2 {
		t.Errorf("%d bytes, %v", len(said), err)
	}
	if said, err := ask(t, path, "short"); said != "1" {
		t.Error(err)
	}
	s.Close()
}

// A question that is being answered is answered at the end too; its context tells of the end.
func TestCloseDuringAQuestion(t *testing.T) {
	path := socket(t)
	asked := make(chan bool)
	s := listen(t, path, map[string]Method{"wait": func(ctx context.Context, _ json.RawMessage) (any, error) {
		asked <- true
		<-ctx.Done()
		return "the end", nil
	}})
	f, in := client(t, path)
	f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"wait"}` + "\n")
	<-asked
	s.Close()
	if line, err := in.ReadString('\n'); !strings.Contains(line, "the end") {
		t.Errorf("%q, %v", line, err)
	}
}

// A stopped daemon is not waited for beyond the caller's patience, and the caller knows that the question is on its
// way.
func TestNoAnswer(t *testing.T) {
	path := socket(t)
	b, err := tryBind(path) // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	unreachable := &UnreachableError{}
	for limit := time.Millisecond; limit < patience && !unreachable.Sent; limit *= 2 { // it may be over before it is sent
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err = Ask(ctx, path, "none", nil, nil)
		if cancel(); !errors.As(err, &unreachable) {
			t.Fatal(err)
		}
	}
	if !unreachable.Sent || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err == nil || err.Error() != path+": there was no answer in time" {
		t.Errorf("said %v", err)
	}
}

// promise Q2: another user gets no answer, neither by the socket's mode nor by who it is.
func TestStranger(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it asks as another user")
	}
	dir := sharedDir(t)
	path := filepath.Join(dir, "test.sock")
	listen(t, path, testMethods)
	exe := filepath.Join(dir, "ask")
	b, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(exe, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	asNobody := func(ask string) string {
		c := exec.Command(exe)
		c.Env = append(os.Environ(), "CONTROL_ASK="+ask)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if said := asNobody(path); !strings.HasSuffix(said, "connect: permission denied") {
		t.Error(said)
	}
	// Somebody has got hold of it all the same.
	fd, err := unix.Open(path, unix.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	open := filepath.Join(dir, "open.sock")
	b2, err := tryBind(open)
	if err != nil {
		t.Fatal(err)
	}
	defer b2.close()
	os.Chmod(open, 0o666)
	s := &Server{path: open, calls: testCalls, log: slog.New(slog.DiscardHandler), ending: make(chan struct{})}
	s.accept(b2)
	if said := asNobody(open); !strings.Contains(said, "only root and uid 0 may ask") {
		t.Error(said)
	}
}

// promise Q1: another daemon's answer is not taken for that of the one which was meant; one in a PID namespace of its
// own is known by the PID that it has there.
func TestAskPID(t *testing.T) {
	path := socket(t)
	listen(t, path, testMethods)
	for pid, want := range map[int]bool{0: true, os.Getpid(): true, os.Getppid(): false} {
		var unreachable *UnreachableError
		if err := AskPID(t.Context(), path, pid, "none", nil, nil); (err == nil) != want ||
			!want && (!errors.As(err, &unreachable) || unreachable.Sent) {
			t.Errorf("pid %d: %v", pid, err)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("a PID namespace takes root")
	}
	c := exec.Command("/bin/sleep", "1000")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	if !isProcess(c.Process.Pid, 1) || isProcess(c.Process.Pid, 2) || isProcess(os.Getpid(), 1) {
		t.Error("the PID within a namespace is not told")
	}
}
