package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// A door lets connections in until it is left to the program that takes over, with all that wait at it: those that
// nobody has let in, and those inside that have not asked for anything, or not again. [http.Server.Shutdown] would hang
// up on these, and on a request that is just on its way.
type door struct {
	*net.TCPListener

	mu      sync.Mutex
	changed sync.Cond
	inside  map[*guest]bool
	first   []*os.File // connections that are let in before others
	left    bool       // between leave and stay
	leavers int        // of those inside, on their way to first
	shut    bool       // Accept waits for stay
}

func newDoor(l net.Listener, first []*os.File) (*door, error) {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("%s is no TCP socket", l.Addr())
	}
	d := &door{TCPListener: tcp, first: first, inside: map[*guest]bool{}}
	d.changed.L = &d.mu
	return d, nil
}

var past = time.Unix(1, 0) // as a deadline it ends a system call that waits

// leave returns the connections that wait, once all requests have been answered. Whatever it returns,
// nobody is let in until stay.
func (d *door) leave(ctx context.Context) ([]*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = true
	d.SetDeadline(past)
	for g := range d.inside {
		if g.waits() {
			g.told = true
			g.SetReadDeadline(past)
		}
	}
	defer context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.changed.Broadcast()
	})()
	for !d.shut || len(d.inside) > 0 {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%d connections have a request that has not come to its end", len(d.inside))
		}
		d.changed.Wait()
	}
	return d.first, nil
}

// stay lets everybody in again.
func (d *door) stay() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = false
	d.changed.Broadcast()
}

func (d *door) Accept() (net.Conn, error) {
	for {
		c := d.waited()
		if c == nil {
			var err error
			if c, err = d.AcceptTCP(); errors.Is(err, os.ErrDeadlineExceeded) {
				continue // of leave
			} else if err != nil {
				return nil, err
			}
		}
		g := &guest{TCPConn: c, door: d, idle: true}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.inside[g] = true
		return g, nil
	}
}

// waited returns the next of those who come first; nil: there is none. It waits while the door is left.
func (d *door) waited() *net.TCPConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.left || d.leavers > 0 {
		d.shut = true
		d.changed.Broadcast()
		d.changed.Wait()
	}
	d.shut = false
	d.SetDeadline(time.Time{})
	for len(d.first) > 0 {
		file := d.first[0]
		d.first = d.first[1:]
		c, err := net.FileConn(file)
		file.Close()
		if tcp, ok := c.(*net.TCPConn); ok && err == nil {
			return tcp
		}
	}
	return nil
}

// A guest is a connection that was let in. What it is at is known by its state and by the order of what is
// read and written: who asks waits for the answer before asking again. With pipelining, which no browser
// does, a request can be lost.
type guest struct {
	*net.TCPConn

	// Of the lock of the door.
	door   *door
	idle   bool // it is new, or was answered
	heard  bool // something was read since
	told   bool // a deadline has told it that the door is left
	leaves bool // it is on its way
}

// waits says that nothing of a request has been read.
func (g *guest) waits() bool { return g.idle && !g.heard }

// enter is for [http.Server.ConnState].
func enter(c net.Conn, s http.ConnState) {
	g := c.(*guest)
	g.door.mu.Lock()
	defer g.door.mu.Unlock()
	g.idle = s == http.StateNew || s == http.StateIdle
}

// Read has a server close a connection that waits at a door which is left.
func (g *guest) Read(p []byte) (int, error) {
	for g.goesOn() {
		n, err := g.TCPConn.Read(p)
		if n > 0 {
			g.hear()
		} else if g.wasTold() && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		return n, err
	}
	return 0, os.ErrDeadlineExceeded
}

func (g *guest) goesOn() bool {
	g.door.mu.Lock()
	defer g.door.mu.Unlock()
	if g.door.left && g.waits() {
		if !g.leaves {
			g.leaves = true
			g.door.leavers++
		}
		return false
	}
	g.forget()
	return true
}

func (g *guest) hear() {
	g.door.mu.Lock()
	defer g.door.mu.Unlock()
	g.heard = true
	g.forget()
}

// forget lets it wait again: it has asked at the last moment, or the door is not left after all.
func (g *guest) forget() {
	if g.told {
		g.told = false
		g.SetReadDeadline(time.Time{})
	}
}

func (g *guest) wasTold() bool {
	g.door.mu.Lock()
	defer g.door.mu.Unlock()
	return g.told
}

func (g *guest) Write(p []byte) (int, error) {
	g.door.mu.Lock()
	g.heard = false
	g.door.mu.Unlock()
	return g.TCPConn.Write(p)
}

// Close hangs up, but not on who leaves.
func (g *guest) Close() error {
	d := g.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if g.leaves && d.inside[g] {
		if f, err := g.File(); err == nil {
			d.first = append(d.first, f)
		}
		d.leavers--
	}
	err := g.TCPConn.Close()
	delete(d.inside, g)
	d.changed.Broadcast()
	return err
}
