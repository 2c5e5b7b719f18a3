// Httpd serves the files of a directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
)

func main() { os.Exit(run()) }

func run() (status int) {
	file := flag.String("config", "/etc/httpd.toml", "configuration")
	pid := flag.String("pid", "/run/httpd/httpd.pid", "pidfile")
	background := flag.Bool("daemon", false, "run in the background")
	test := flag.Bool("t", false, "check the configuration, and do nothing else")
	flag.Parse()
	path, err := filepath.Abs(*file) // a reload, or an upgrade, has another working directory
	pidfile, e := filepath.Abs(*pid)
	d := &daemon.Daemon{Name: "httpd", PIDFile: pidfile, Inherited: daemon.Inherit()}
	if err = errors.Join(err, e); err != nil {
		fmt.Fprintln(os.Stderr, "httpd:", err)
		return 1
	}
	if flag.NArg() > 0 {
		return d.Verb(flag.Arg(0)) // status, reload, upgrade or stop
	}
	now, err := load(path)
	if err != nil {
		if d.Inherited != nil {
			err = d.Inherited.Return(err, nil) // to the program before, which goes on
		}
		config.Tell(os.Stderr, "httpd", err)
		return misconfigured
	}
	if *test {
		return 0
	}
	s := &server{path: path, settings: now, daemon: d}
	s.http.Handler, s.http.ConnState = s, enter
	s.serve(now)
	d.User, d.Grace = now.User, 20*time.Second
	d.Privileged, d.Start, d.Reload, d.Stop = s.listen, s.start, s.reload, s.stop
	d.Status, d.Dump = s.status, s.dump
	d.Upgrades = daemon.Upgrades{
		Version: version, State: s.state, Save: s.save, Rehearse: s.rehearse,
		Args: []string{"-config", path, "-pid", pidfile, fmt.Sprint("-daemon=", *background)},
	}
	return d.Main(*background, logging.Options{To: now.Log, Ident: "httpd"}.Logger)
}

const (
	version       = "1.0"
	misconfigured = 6 // the LSB's status for it
)

type server struct {
	path     string
	settings *settings // in force
	daemon   *daemon.Daemon
	http     http.Server
	door     *door
	files    atomic.Pointer[http.Handler]
	requests atomic.Int64
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	(*s.files.Load()).ServeHTTP(w, r)
}

// serve has what is served from now on be what the settings say.
func (s *server) serve(c *settings) {
	files := http.FileServer(http.Dir(c.Files))
	s.files.Store(&files)
}

// listen takes the socket that systemd has bound, or binds one, while the port may still be below 1024.
func (s *server) listen(context.Context) error {
	all, err := s.daemon.Listeners()
	if err == nil && len(all) == 0 {
		all = make([]net.Listener, 1)
		all[0], err = net.Listen("tcp", s.settings.Listen)
	}
	if err == nil {
		s.door, err = newDoor(all[0], nil)
	}
	return err
}

func (s *server) start(_ context.Context, fail context.CancelCauseFunc) error {
	if from := s.daemon.Inherited; from != nil { // then there was no listen
		if err := s.inherit(from); err != nil {
			return err
		}
	}
	go func() { fail(s.http.Serve(s.door)) }()
	return nil
}

// reload takes on what has changed: all of it, or nothing.
func (s *server) reload(context.Context) error {
	next, err := load(s.path)
	if err != nil {
		return err
	}
	if err := s.settings.mayBecome(next); err != nil {
		return err
	}
	s.serve(next)
	s.settings = next
	return nil
}

// stop lets requests come to their end, as long as there is time.
func (s *server) stop(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}

func (s *server) status() string { return fmt.Sprintf("%d requests served", s.requests.Load()) }

// dump answers USR1.
func (s *server) dump(context.Context) error {
	slog.Info("state", "files", s.settings.Files, "requests", s.requests.Load())
	return nil
}
