//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/daemontest"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// visitor is a client with one connection, which does not try again.
type visitor struct {
	net.Conn
	said *bufio.Reader
}

func visit(addr string) (*visitor, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	return &visitor{c, bufio.NewReader(c)}, nil
}

const request = "GET / HTTP/1.1\r\nHost: httpd\r\n\r\n"

// ask sends the rest of a request, and wants the answer, with the connection going on.
func (v *visitor) ask(rest string) error {
	if _, err := io.WriteString(v, rest); err != nil {
		return err
	}
	r, err := http.ReadResponse(v.said, nil)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(r.Body)
	if err == nil && (string(b) != "one" || r.Close) {
		err = fmt.Errorf("%s, close %v: %q", r.Status, r.Close, b)
	}
	return err
}

// issue 11.6, promise U1: no request is lost in ten upgrades, and no connection on which another may come
func TestUpgrade(t *testing.T) {
	s := newSite(t)
	d := daemontest.Start(t, s.pid, s.args("-daemon")...)
	quiet, err := visit(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	var stop atomic.Bool
	var asked atomic.Int64
	var asking sync.WaitGroup
	defer asking.Wait()
	defer stop.Store(true)
	worker := func(what string, once func() error) {
		asking.Go(func() {
			for !stop.Load() {
				if err := once(); err != nil {
					t.Errorf("%s, after %d requests in all: %v", what, asked.Load(), err)
					return
				}
				asked.Add(1)
			}
		})
	}
	for range 4 {
		v, err := visit(s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		worker("a connection that goes on", func() error { return v.ask(request) })
		worker("a new connection", func() error {
			v, err := visit(s.addr)
			if err != nil {
				return err
			}
			defer v.Close()
			return v.ask(request)
		})
	}
	halves, err := visit(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer halves.Close()
	worker("a request in halves", func() error {
		const whole = "POST / HTTP/1.1\r\nHost: httpd\r\nContent-Length: 5\r\n\r\nhello"
		n := int(asked.Load()) % len(whole)
		if _, err := io.WriteString(halves, whole[:n]); err != nil {
			return err
		}
		return halves.ask(whole[n:])
	})
	for n := range int64(10) {
		for asked.Load() < n*100 && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		s.do(0, "upgraded from 1.0 to 1.0, in ", "upgrade")
	}
	stop.Store(true)
	asking.Wait()
	if err := quiet.ask(request); err != nil {
		t.Errorf("who has come before all upgrades, and asked behind them: %v", err)
	}
	s.do(0, fmt.Sprintf("httpd is running, pid %d: %d requests served", d.PID, asked.Load()+1), "status")
	if st, err := pidfile.Look(s.pid); err != nil || st.PID != d.PID {
		t.Errorf("it was pid %d, and is %+v, %v", d.PID, st, err)
	}
}

// An upgrade is refused where it would lose something, and the daemon goes on.
func TestUpgradeRefused(t *testing.T) {
	s := newSite(t)
	s.do(7, "not running", "upgrade")
	daemontest.Start(t, s.pid, s.args("-daemon")...)
	v, err := visit(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	addr := s.addr
	s.addr = "127.0.0.1:1"
	s.serves("one")
	s.do(1, "listen cannot change from", "upgrade")
	s.write("httpd.toml", "nonsense")
	s.do(1, "httpd.toml:1:", "upgrade")
	s.addr = addr
	if err := v.ask(request); err != nil {
		t.Error(err)
	}
}

// await waits until the door is so.
func await(t *testing.T, d *door, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		d.mu.Lock()
		is := so()
		d.mu.Unlock()
		if is {
			return
		}
	}
	t.Error("it has not come to that within a minute")
}

// What has not been answered when time is over is answered all the same, and those who wait come in again.
func TestDoorThatIsNotLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDoor(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	begun, answer := make(chan struct{}), make(chan struct{})
	server := http.Server{ConnState: enter, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-answer
		}
		io.WriteString(w, "one")
	})}
	var served sync.WaitGroup
	served.Go(func() { server.Serve(d) })
	defer served.Wait()
	defer server.Close()
	var all []*visitor
	for range 3 {
		v, err := visit(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		all = append(all, v)
	}
	for _, v := range all[1:] {
		if err := v.ask(request); err != nil {
			t.Fatal(err)
		}
	}
	slow := make(chan error, 1)
	go func() { slow <- all[0].ask(strings.Replace(request, "/", "/slow", 1)) }()
	<-begun
	for range 2 {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := d.leave(ctx); err == nil {
			t.Error("it is left with a request under way")
		}
		d.stay()
		for _, v := range all[1:] {
			if err := v.ask(request); err != nil {
				t.Error(err)
			}
		}
	}
	close(answer)
	if err := <-slow; err != nil {
		t.Error(err)
	}
	half, err := visit(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if _, err := io.WriteString(half, request[:9]); err != nil {
		t.Fatal(err)
	}
	await(t, d, func() bool {
		for g := range d.inside {
			if g.heard {
				return true
			}
		}
		return false
	})
	go func() {
		await(t, d, func() bool { return d.shut })
		slow <- half.ask(request[9:])
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if waiting, err := d.leave(ctx); err != nil || len(waiting) != len(all)+1 {
		t.Errorf("%d wait, %v", len(waiting), err)
	}
	if err := <-slow; err != nil {
		t.Error(err)
	}
	d.stay()
	another, err := visit(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	for _, v := range append(all, half, another) {
		if err := v.ask(request); err != nil {
			t.Error(err)
		}
	}
}
