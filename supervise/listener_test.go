package supervise_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// beListener is a program that takes its sockets by systemd's protocol. It answers each line that it reads with its
// name, finishes what it has accepted when it gets TERM, and announces itself with the names of its sockets.
func beListener(fifo string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return 3
	}
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	var listeners []net.Listener
	var files []*os.File // so that they are not closed before
	var busy sync.WaitGroup
	name := os.Getenv("NAME")
	for fd := 3; fd < 3+n; fd++ {
		files = append(files, os.NewFile(uintptr(fd), ""))
		if kind, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); kind == unix.SOCK_DGRAM {
			c, err := net.FilePacketConn(files[fd-3])
			if err != nil {
				return 6
			}
			go func() {
				buf := make([]byte, 100)
				for n, from, err := c.ReadFrom(buf); err == nil; n, from, err = c.ReadFrom(buf) {
					c.WriteTo([]byte(name+":"+string(buf[:n])), from)
				}
			}()
			continue
		}
		l, err := net.FileListener(files[fd-3])
		if err != nil {
			return 4
		}
		listeners = append(listeners, l)
	}
	if ready, err := strconv.Atoi(os.Getenv("READY_FD")); err == nil {
		unix.Write(ready, []byte("\n"))
	}
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		return 5
	}
	fmt.Fprintf(f, "%s/%s %d\n", name, os.Getenv("LISTEN_FDNAMES"), os.Getpid())
	for _, l := range listeners {
		busy.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				busy.Go(func() {
					defer c.Close()
					if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
						fmt.Fprintf(c, "%s:%s", name, line)
					}
				})
			}
		})
	}
	<-term
	for _, l := range listeners {
		l.Close()
	}
	busy.Wait()
	for _, f := range files {
		f.Close()
	}
	return 0
}

// listening is a program that is a listener.
func (w *world) listening(name string, sockets ...supervise.Socket) supervise.Program {
	exe, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	return supervise.Program{Name: name, Command: []string{exe}, StopTimeout: time.Minute,
		Listen:      &supervise.Listen{Sockets: sockets},
		Environment: map[string]string{"FIFO": w.fifo, "NAME": name, "SUPERVISE_ROLE": "listener"}}
}

// loopback is an address that nobody else on this machine has.
func loopback() string {
	return fmt.Sprintf("127.%d.%d.%d:7000", 1+rand.IntN(250), 1+rand.IntN(250), 1+rand.IntN(250))
}

// dial connects to a socket of a program.
func dial(address string) (net.Conn, error) {
	network, rest, _ := strings.Cut(address, ":")
	c, err := net.Dial(network, rest)
	if err == nil {
		c.SetDeadline(time.Now().Add(2 * time.Minute))
	}
	return c, err
}

// refused waits until nobody listens on an address: a child of another Set of this process has all our descriptors
// until its exec.
func refused(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		c, err := dial(address)
		if err != nil {
			return
		}
		if c.Close(); time.Now().After(deadline) {
			t.Fatalf("%s is open", address)
		}
	}
}

// answer is who answers on an address.
func answer(t *testing.T, address string) string {
	t.Helper()
	c, err := dial(address)
	if err != nil {
		t.Fatal(err)
	}
	return finish(t, c)
}

func finish(t *testing.T, c net.Conn) string {
	t.Helper()
	defer c.Close()
	fmt.Fprintln(c, "?")
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(line, ":?")
	return name
}

func inodeOf(t *testing.T, pid, fd int) string {
	t.Helper()
	to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func update(t *testing.T, w *world, programs ...supervise.Program) supervise.Changes {
	t.Helper()
	c, err := w.set.Update(context.Background(), programs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The protocol, with more sockets than there is room for below the descriptors that the setup of a process needs for
// itself. promise K1
func TestListenProtocol(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	var sockets []supervise.Socket
	var names []string
	for i := range 20 {
		s := supervise.Socket{Address: []string{"tcp:", "udp:"}[i%2] + loopback(), Name: fmt.Sprintf("n%d", i)}
		sockets, names = append(sockets, s), append(names, s.Name)
	}
	w.apply(w.listening("web:1", sockets...))
	pid := w.expect("web:1/" + strings.Join(names, ":"))
	for _, s := range sockets {
		if who := answer(t, s.Address); who != "web:1" {
			t.Errorf("%s answers on %s", who, s.Address)
		}
	}
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	for _, e := range entries {
		fd := mustAtoi(t, e.Name())
		if to := inodeOf(t, pid, fd); fd > 2 && strings.HasPrefix(to, "pipe:") { // 1 and 2 are for its output
			t.Errorf("it has inherited descriptor %d, %s", fd, to)
		}
	}
	for _, st := range w.set.Status()[0].Listen {
		if !st.Open {
			t.Errorf("%s is not open", st.Address)
		}
	}
}

// What a process has made of a socket does not reach the next: that one finds it blocking, as from systemd.
func TestListenBlocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	s := supervise.Socket{Address: "tcp:" + loopback()}
	w.apply(w.listening("a", s)) // Go makes it one that does not block
	w.expect("a/a")
	update(t, w,
		w.program("a", `NAME=$(sed -n "s/^flags:[[:space:]]*//p" /proc/$$/fdinfo/3); `+announce+hold,
			func(p *supervise.Program) {
				p.Listen = &supervise.Listen{Sockets: []supervise.Socket{s}}
			}))
	text, _ := w.next()
	if flags, err := strconv.ParseUint(text, 8, 32); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("its flags are %q", text)
	}
}

// IPv6 does without IPv4, so that both can be had at the same port.
func TestListenBothFamilies(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		t.Skip("there is no IPv6 here: ", err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	w := newWorld(t, supervise.Options{Helper: true})
	sockets := []supervise.Socket{{Address: fmt.Sprintf("tcp6:[::]:%d", port)},
		{Address: fmt.Sprintf("tcp:0.0.0.0:%d", port)}}
	if c := update(t, w, w.listening("a", sockets...)); len(c.Failed) > 0 {
		if strings.Contains(c.Failed[0].Error(), fmt.Sprintf("(pid %d)", os.Getpid())) {
			t.Fatal(c.Failed[0])
		}
		t.Skip("somebody else has got the port: ", c.Failed[0])
	}
	w.expect("a/a:a")
	answer(t, fmt.Sprintf("tcp:127.0.0.1:%d", port))
	answer(t, fmt.Sprintf("tcp6:[::1]:%d", port))
}

func mustAtoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Beside a descriptor for readiness, a user, limits and a gate; the name is the program's.
func TestListenBesideOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	p := w.listening("web:2", supervise.Socket{Address: "tcp:" + loopback()},
		supervise.Socket{Address: "tcp:" + loopback()})
	p.Ready = &supervise.Ready{FD: 5}
	p.Environment["READY_FD"] = "5"
	p.Setup = &supervise.Setup{Limits: []supervise.Limit{{Name: "nofile", Resource: unix.RLIMIT_NOFILE, Soft: 64,
		Hard: 64}}}
	p.Gate = &supervise.Gate{Command: []string{"/bin/sh", "-c", "echo open; exec sleep 1000"}, Timeout: time.Minute}
	p.Required = true
	w.apply(p)
	w.expect("web:2/web:web")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := w.set.Await(ctx); err != nil {
		t.Error(err)
	}
	answer(t, p.Listen.Sockets[1].Address)
	p.Ready = &supervise.Ready{FD: 4}
	p.Name = "x"
	if _, err := w.set.Plan(ctx, []supervise.Program{p}); err == nil ||
		!strings.Contains(err.Error(), "ready: descriptor 4 is one of those of listen") {
		t.Errorf("descriptor 4 for two things: %v", err)
	}
}

// promise K1: nobody who connects is refused, and nobody who was accepted goes without an answer, over ten restarts.
// promise K1: while a program is held, dies, or is replaced by what a reload makes of it, the socket is the very same.
// A program that has ended for good, and one that wants it so, have no socket while they are down.
// promises K1, S8: what cannot be bound is that program's failure, in words, and tried again.
func TestListenInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	at := loopback()
	other, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	free := supervise.Socket{Address: "tcp:" + loopback()}
	p := w.listening("web", free, supervise.Socket{Address: "tcp:" + at})
	p.Backoff = &supervise.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}
	c := update(t, w, p)
	comm, _ := os.ReadFile("/proc/self/comm")
	want := fmt.Sprintf("listen: tcp:%s: the address is in use by %s (pid %d)", at, strings.TrimSpace(string(comm)),
		os.Getpid())
	if len(c.Failed) != 1 || c.Failed[0].Err.Error() != want {
		t.Errorf("got %v, want %s", c.Failed, want)
	}
	waits, err := dial(free.Address) // what could be bound stays bound
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	w.expect("web/web:web")
	finish(t, waits)
	answer(t, "tcp:"+at)
}

// Programs that name the same address share the socket, if they agree on it.
func TestListenShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	s := supervise.Socket{Address: "tcp:" + loopback()}
	w.apply(w.listening("web:1", s), w.listening("web:2", s))
	one, two := 0, 0
	for range 2 {
		if who, pid := w.next(); who == "web:1/web" {
			one = pid
		} else {
			two = pid
		}
	}
	if a, b := inodeOf(t, one, 3), inodeOf(t, two, 3); a != b {
		t.Errorf("%s and %s", a, b)
	}
	update(t, w, w.listening("web:2", s))
	gone(t, one)
	if who := answer(t, s.Address); who != "web:2" {
		t.Errorf("%s answers", who)
	}
	differs := s
	differs.Backlog = 7
	_, err := w.set.Update(context.Background(),
		[]supervise.Program{w.listening("web:1", s), w.listening("web:2", differs)})
	if err == nil || !strings.Contains(err.Error(), "program web:1 says something else of it") {
		t.Errorf("got %v", err)
	}
}

// A socket in the file system gets its owner and mode, goes when the program goes, and is bound anew when its name was
// taken away. promise K1
// promise K1: only a stale socket of our own is replaced, and no link is followed.
