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
	pidfile := flag.String("pid", "/run/httpd/httpd.pid", "pidfile")
	background := flag.Bool("daemon", false, "run in the background")
	test := flag.Bool("t", false, "check the configuration, and do nothing else")
	flag.Parse()
	path, err := filepath.Abs(*file) // a reload has another working directory
	d := &daemon.Daemon{Name: "httpd", PIDFile: *pidfile}
	if verb := flag.Arg(0); verb != "" && err == nil {
		return d.Verb(verb) // status, reload or stop
	}
	now, e := load(path)
	if err = errors.Join(err, e); err != nil {
		config.Tell(os.Stderr, "httpd", err)
		return misconfigured
	}
	if *test {
		return 0
	}
	s := &server{path: path, settings: now, daemon: d}
	s.http.Handler = s
	s.serve(now)
	d.User, d.Grace = now.User, 20*time.Second
	d.Privileged, d.Start, d.Reload, d.Stop = s.listen, s.start, s.reload, s.stop
	d.Status, d.Dump = s.status, s.dump
	return d.Main(*background, logging.Options{To: now.Log, Ident: "httpd"}.Logger)
}

const misconfigured = 6 // the LSB's status for it

type server struct {
	path     string
	settings *settings // in force
	daemon   *daemon.Daemon
	http     http.Server
	listener net.Listener
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
	passed, err := s.daemon.Listeners()
	if err == nil && len(passed) > 0 {
		s.listener = passed[0]
		return nil
	}
	if err == nil {
		s.listener, err = net.Listen("tcp", s.settings.Listen)
	}
	return err
}

func (s *server) start(_ context.Context, fail context.CancelCauseFunc) error {
	go func() { fail(s.http.Serve(s.listener)) }()
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
