//go:build linux

package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
)

// A verb of one's own: what the daemon answers to, and the process that asks it.
func ExampleDaemon_methods() {
	dir, err := os.MkdirTemp("", "queued")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	var mu sync.Mutex // methods are called at any time, several at once
	var jobs []string
	type push struct{ Job string }
	d := daemon.Daemon{Log: slog.New(slog.DiscardHandler), PIDFile: filepath.Join(dir, "queued.pid")}
	d.Methods = map[string]control.Method{
		"push": func(_ context.Context, params json.RawMessage) (any, error) {
			var p push
			if err := control.Params(params, &p); err != nil {
				return nil, err
			}
			if p.Job == "" {
				return nil, &control.Error{Code: control.CodeParams, Message: "which job?"}
			}
			mu.Lock()
			defer mu.Unlock()
			jobs = append(jobs, p.Job)
			return len(jobs), nil
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	ready := make(chan struct{})
	d.Ready = func() { close(ready) }
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	<-ready

	ask := func(job string) { // as another process does, which knows the pidfile
		c, err := daemon.Query(d.PIDFile, 0)
		if err != nil || c.PID == 0 {
			fmt.Println(c, err)
			return
		}
		bounded, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var length int
		err = control.AskPID(bounded, control.Path(d.PIDFile), c.PID, "push", push{job}, &length)
		fmt.Println(length, err)
	}
	ask("sweep")
	ask("")
	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// 1 <nil>
	// 0 which job?
	// ended: <nil>
}

// A server of TCP that a newer program takes over, and that refuses nobody: who connects meanwhile waits in the queue
// of the socket, and who is being served is served to the end first. One that does not end within 5 s has the upgrade
// refused.
func ExampleUpgrades() {
	var ln *net.TCPListener
	var served sync.WaitGroup // connections
	var paused chan struct{}  // closed when nobody is let in any more
	var failed context.CancelCauseFunc
	accept := func() {
		paused = make(chan struct{})
		go func() {
			defer close(paused)
			for {
				c, err := ln.Accept()
				if errors.Is(err, os.ErrDeadlineExceeded) {
					return // of Save
				} else if err != nil {
					failed(err)
					return
				}
				served.Go(func() {
					defer c.Close()
					io.Copy(c, c)
				})
			}
		}()
	}
	end := func(ctx context.Context) error {
		all := make(chan struct{})
		go func() { served.Wait(); close(all) }()
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return errors.New("connections are open yet")
		}
	}
	d := daemon.Daemon{PIDFile: "/run/echod.pid"}
	d.Start = func(_ context.Context, fail context.CancelCauseFunc) (err error) {
		failed = fail
		var l net.Listener
		if f := d.Inherited.File("listener"); f != nil {
			l, err = net.FileListener(f)
			f.Close()
		} else {
			l, err = net.Listen("tcp", ":7")
		}
		if err == nil {
			ln = l.(*net.TCPListener)
			accept()
		}
		return err
	}
	d.Stop = func(ctx context.Context) error { return errors.Join(ln.Close(), end(ctx)) }
	d.Upgrades.Save = func(ctx context.Context) (*daemon.Saved, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		f, err := ln.File()
		if err != nil {
			return nil, err
		}
		resume := func() {
			f.Close()
			ln.SetDeadline(time.Time{})
			accept()
		}
		ln.SetDeadline(time.Unix(1, 0))
		<-paused
		if err := end(ctx); err != nil {
			resume()
			return nil, err
		}
		return &daemon.Saved{Files: map[string]*os.File{"listener": f}, Resume: resume}, nil
	}
	os.Exit(d.Main(true, nil))
}
