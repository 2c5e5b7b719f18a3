package supervise_test

import (
	"bufio"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

func TestListenOverRestarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	tcp, path := "tcp:"+loopback(), "unix:"+filepath.Join(t.TempDir(), "s")
	w.apply(w.listening("web", supervise.Socket{Address: tcp}, supervise.Socket{Address: path}))
	was := w.expect("web/web:web")
	first := inodeOf(t, was, 3)

	var over atomic.Bool
	var clients sync.WaitGroup
	var asked [2]atomic.Int64
	for i, address := range []string{tcp, path} {
		clients.Go(func() {
			for !over.Load() {
				c, err := dial(address)
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprintln(c, "?")
				line, err := bufio.NewReader(c).ReadString('\n')
				if c.Close(); err != nil {
					t.Errorf("%q: %v", line, err)
					return
				}
				asked[i].Add(1)
			}
		})
	}
	for range 10 {
		before := [2]int64{asked[0].Load(), asked[1].Load()}
		for asked[0].Load() == before[0] || asked[1].Load() == before[1] {
			if t.Failed() {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if _, err := w.set.Restart(context.Background(), supervise.Request{Names: []string{"web"}}); err != nil {
			t.Fatal(err)
		}
		pid := w.expect("web/web:web")
		if pid == was {
			t.Error("it was not restarted")
		}
		if now := inodeOf(t, pid, 3); now != first {
			t.Errorf("the socket is %s, and was %s", now, first)
		}
		was = pid
	}
	over.Store(true)
	clients.Wait()
}

func TestListenIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	ctx := context.Background()
	s := supervise.Socket{Address: "tcp:" + loopback()}
	p := w.listening("web", s)
	w.apply(p)
	pid := w.expect("web/web")
	first := inodeOf(t, pid, 3)

	if _, err := w.set.Down(ctx, supervise.Request{Names: []string{"web"}}); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
	waits, err := dial(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.set.Up(ctx, supervise.Request{Names: []string{"web"}, NoWait: true}); err != nil {
		t.Fatal(err)
	}
	if who := finish(t, waits); who != "web" {
		t.Errorf("%s answers", who)
	}
	pid = w.expect("web/web")

	unix.Kill(pid, unix.SIGKILL)
	gone(t, pid)
	answer(t, s.Address)
	w.expect("web/web")

	if c := update(t, w, p); c.String() != "no program changed" {
		t.Error(c)
	}
	answer(t, s.Address)

	for _, change := range []func(*supervise.Program){
		func(p *supervise.Program) { p.Environment["MORE"] = "1" },
		func(p *supervise.Program) { p.Listen.Sockets[0].Name = "other" },
		func(p *supervise.Program) { p.Listen.Sockets[0].Backlog = 7 },
		func(p *supervise.Program) {
			p.Listen.Sockets = append(p.Listen.Sockets, supervise.Socket{Address: "tcp:" + loopback()})
		},
	} {
		next := w.listening("web", p.Listen.Sockets...)
		next.Listen.Sockets = append([]supervise.Socket(nil), p.Listen.Sockets...)
		change(&next)
		if c := update(t, w, next); c.String() != "~web" {
			t.Error(c)
		}
		who, pid := w.next()
		if now := inodeOf(t, pid, 3); now != first {
			t.Errorf("%s: the socket is %s, and was %s", who, now, first)
		}
		answer(t, s.Address)
		p = next
	}

	elsewhere := w.listening("web", supervise.Socket{Address: "tcp:" + loopback()})
	update(t, w, elsewhere)
	w.expect("web/web")
	refused(t, s.Address)
	update(t, w)
	w.is("web", "gone")
	refused(t, elsewhere.Listen.Sockets[0].Address)
}

func TestListenIsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	ctx := context.Background()
	s, once := supervise.Socket{Address: "tcp:" + loopback()}, supervise.Socket{Address: "tcp:" + loopback()}
	p, q := w.listening("web", s), w.listening("once", once)
	p.Listen.CloseWhenDown = true
	q.Restart = supervise.Never
	w.apply(p)
	pid := w.expect("web/web")
	answer(t, s.Address)
	down := func() {
		t.Helper()
		if _, err := w.set.Down(ctx, supervise.Request{Names: []string{"web"}}); err != nil {
			t.Fatal(err)
		}
		gone(t, pid)
	}
	down()
	refused(t, s.Address)
	if w.set.Status()[0].Listen[0].Open {
		t.Error("Status says that it is open")
	}
	if _, err := w.set.Up(ctx, supervise.Request{Names: []string{"web"}, NoWait: true}); err != nil {
		t.Fatal(err)
	}
	pid = w.expect("web/web")
	answer(t, s.Address)

	kept := w.listening("web", s)
	update(t, w, kept) // which is no reason for a restart
	down()
	c, err := dial(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	update(t, w, p)
	refused(t, s.Address)

	update(t, w, p, q)
	pid = w.expect("once/once")
	unix.Kill(pid, unix.SIGTERM)
	gone(t, pid)
	w.is("once", "done")
	refused(t, once.Address)
}

// promise K1: what a process does to its sockets at its end, as some do to wake those of their threads that wait there,
// does not reach the next: that one is asked as the one before was.
func TestListenSpoiled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	at := loopback()
	path := filepath.Join(t.TempDir(), "s")
	sockets := []supervise.Socket{{Address: "tcp:" + at}, {Address: "udp:" + at}, {Address: "unix:" + path}}
	w.apply(w.listening("web", sockets...))
	pid := w.expect("web/web:web:web")
	end := func(fd int) error { return unix.Shutdown(fd, unix.SHUT_RDWR) }
	for _, spoil := range [][]func(fd int) error{
		{end, end, end},
		{nil, func(fd int) error {
			return unix.Connect(fd, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}})
		}, nil},
		{nil, nil, nil},
	} {
		process, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, what := range spoil {
			fd, err := unix.PidfdGetfd(process, 3+i, 0)
			if err != nil {
				t.Skip("needs the descriptors of a child: ", err)
			}
			if what != nil {
				what(fd) // of one for datagrams it is done, and called a mistake
			}
			unix.Close(fd)
		}
		unix.Close(process)
		if _, err := w.set.Restart(t.Context(), supervise.Request{Names: []string{"web"}}); err != nil {
			t.Fatal(err)
		}
		pid = w.expect("web/web:web:web")
		for _, s := range sockets {
			if who := answer(t, s.Address); who != "web" {
				t.Errorf("%s: %s answers", s.Address, who)
			}
		}
	}
	// a read of a socket that is shut down returns at once
	if !silent(t, pid, 4) {
		t.Error("there is something to be read where nobody has sent anything")
	}
}

// silent reports whether there is nothing to be read from a descriptor of a child.
func silent(t *testing.T, pid, fd int) bool {
	t.Helper()
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(process)
	own, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(own)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(own), Events: unix.POLLIN}}, 0)
	return n == 0 && err == nil
}
