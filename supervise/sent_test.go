package supervise

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/cut/hostage"
)

// spokenTo is a notify socket that is read for a loop which the test is.
type spokenTo struct {
	*loop
	socket *notifySocket
	sender int
}

func newSpokenTo(t *testing.T) *spokenTo {
	t.Helper()
	l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{requests: make(chan any)}, &linux{})
	t.Cleanup(func() { go l.reader.letGo() })
	p := &program{spec: &Program{Name: "a"}}
	c := &command{}
	if err := l.openNotify(p, c, &Ready{Notify: true}); err != nil {
		t.Fatal(err)
	}
	s := p.sources[0].(*notifySocket)
	to, err := unix.Getsockname(s.socket)
	if err != nil {
		t.Fatal(err)
	}
	x := &spokenTo{loop: l, socket: s}
	if x.sender, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
		err = unix.Connect(x.sender, to)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(x.sender) })
	return x
}

// send sends so many descriptors, the last of which nobody else has by the time that the reader may look.
func (x *spokenTo) send(t *testing.T, descriptors int) {
	t.Helper()
	var all []int
	for range descriptors - 1 {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fd)
	}
	all = append(all, hostage.Take(t))
	if err := unix.Sendmsg(x.sender, []byte("STATUS=1"), unix.UnixRights(all...), nil, 0); err != nil {
		t.Fatal(err)
	}
	closeAll(all)
}

func (x *spokenTo) hear(t *testing.T) notice {
	t.Helper()
	return heardBy(t, x.set.requests, x.reader)
}

func heardBy(t *testing.T, requests chan any, r *reader) notice {
	t.Helper()
	select {
	case <-requests:
	case <-time.After(time.Minute):
		t.Fatal("nothing is read any more")
	}
	words := r.take()
	if len(words) != 1 {
		t.Fatalf("%d are heard", len(words))
	}
	return words[0].(notice)
}

// returns fails the test when f does not return.
func returns(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal(what + " waits for what a stranger has sent to be closed")
	}
}

// promise C6: anybody can send descriptors to a notify socket, and the last to close them may have to wait for as long
// as whoever has sent them likes: nobody does
func TestNotifyDescriptorsThatLinger(t *testing.T) {
	for _, descriptors := range []int{1, 3, 253} {
		x := newSpokenTo(t)
		r := x.reader
		r.mu.Lock()
		x.send(t, descriptors)
		unix.Write(x.sender, []byte("STATUS=2"))
		r.mu.Unlock()
		x.hear(t).handled()
		x.hear(t) // what comes after it

		r.mu.Lock()
		x.send(t, descriptors)
		unix.Write(x.sender, []byte("STATUS=2"))
		p := &program{sources: []source{x.socket}}
		x.socket.p = p
		p.withFeatures()
		var words []notice
		r.mu.Unlock()
		returns(t, "the end of a process", func() { words = (&linux{}).lastWords(x.loop, p) })
		if len(words) != 2 {
			t.Errorf("of 2 messages before an end %d are heard", len(words))
		}

		r.mu.Lock()
		x.send(t, descriptors)
		r.mu.Unlock()
		returns(t, "who closes the socket", func() { r.release([]source{x.socket}) })
	}
}

// promise C7: of those who have gone root and the program's user are heard, and nobody else
func TestNotifyFromUsersThatHaveGone(t *testing.T) {
	const its, other = 65534, 65533
	for uid, want := range map[uint32]string{0: "hello", its: "hello", other: ""} {
		x := newSpokenTo(t)
		child := exec.Command("sleep", "1000")
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		x.reader.mu.Lock()
		x.socket.uid = its
		sender := unix.Ucred{Pid: int32(child.Process.Pid), Uid: uid, Gid: uid}
		err := unix.Sendmsg(x.sender, []byte("STATUS=hello"), unix.UnixCredentials(&sender), nil, 0)
		child.Process.Kill()
		child.Wait()
		x.reader.mu.Unlock()
		if err == unix.EPERM {
			t.Skip("only root can send in the name of another")
		} else if err != nil {
			t.Fatal(err)
		}
		p := &program{spec: &Program{Name: "a"}}
		p.withFeatures().notified = &notifyState{}
		if x.hear(t).seen(x.loop, p); p.text() != want {
			t.Errorf("of user %d is heard %q, want %q", uid, p.text(), want)
		}
	}
}

// promise U1: a socket that is not read, because somebody has sent descriptors, is read on by who takes over
func TestNotifyDescriptorsInAnUpgrade(t *testing.T) {
	x := newSpokenTo(t)
	r := x.reader
	x.send(t, 1)
	x.hear(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	epoll, err := r.carryEpoll()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epoll)
	next := &Set{requests: make(chan any)}
	l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, next, &linux{})
	if err := l.reader.goOnWith(epoll, 1); err != nil {
		t.Fatal(err)
	}
	l.reader.mu.Lock()
	l.reader.note(&notifySocket{socket: x.socket.socket, p: x.socket.p})
	l.reader.mu.Unlock()
	heardBy(t, next.requests, l.reader)
}

// promise C6: who connects to a socket that a program listens on may send such a descriptor too, and nobody waits when
// the socket is closed
func TestListenerWithDescriptorsThatLinger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	n := &listener{Socket: Socket{Address: "unix:" + path}, fd: -1}
	if err := n.open(); err != nil {
		t.Fatal(err)
	}
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	fd := hostage.Take(t)
	if err = unix.Connect(s, &unix.SockaddrUnix{Name: path}); err == nil {
		err = unix.Sendmsg(s, []byte("x"), unix.UnixRights(fd), nil, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd) // it is in the queue
	returns(t, "who closes the socket", func() { (&linux{}).closeListener(n) })
}

// promise C6: a program that has made of the socket it listens on one that is connected, and lingers, has nobody wait
// when that is closed, before its next start or for good
func TestListenerThatLingers(t *testing.T) {
	address := fmt.Sprintf("tcp:127.%d.%d.%d:7001", 1+rand.IntN(250), 1+rand.IntN(250), 1+rand.IntN(250))
	n := &listener{Socket: Socket{Address: address}, fd: -1}
	for _, then := range []func(){
		func() {
			if err := n.open(); err != nil {
				t.Error(err)
			}
		},
		func() { (&linux{}).closeListener(n) },
	} {
		if err := n.open(); err != nil {
			t.Fatal(err)
		}
		unix.Shutdown(n.fd, unix.SHUT_RDWR) // it listens no more
		hostage.Make(t, n.fd)
		returns(t, "who closes the socket", then)
	}
}
