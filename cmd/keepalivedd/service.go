package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
	"github.com/keepalivedd/keepalivedd/pidfile"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// service is the daemon's three functions and what they share; they run one at a time.
type service struct {
	*options
	daemon.Daemon
	config  *config.Config // in force
	log     *logging.Log
	set     *supervise.Set
	outputs outputs
	running atomic.Pointer[supervise.Set] // once the start is over, for Status
	conceal func()                        // ends the announcement of our pidfile
}

// checkMoved refuses a start whose configuration names another pidfile than the daemon that runs with it.
func (s *service) checkMoved() error {
	if s.pid != "" {
		return nil // a second daemon with the same configuration, on purpose
	}
	path, _ := pidfile.Ask(s.file, "", promptly)
	if path == "" || path == s.config.PIDFile {
		return nil
	}
	if st, err := pidfile.Look(path); err == nil && st.State == pidfile.Held {
		return &pidfile.HeldError{Path: path, PID: st.PID}
	}
	return nil
}

// announce lets the verbs find us by the configuration file when its pidfile has been changed since.
func (s *service) announce() {
	path := s.pidfile()
	if path == "" || s.pid != "" {
		return
	}
	if end, err := pidfile.Announce(s.file, func(string) string { return path }); err == nil {
		s.conceal = end
	}
}

// frugal bounds the processors that the runtime makes use of. One goroutine decides all, and the rest wait: more than one
// processor gains nothing, and costs threads, memory and the time of waking them, most on a large machine.
const frugal = "GOMAXPROCS"

func (s *service) start(ctx context.Context, fail context.CancelCauseFunc) error {
	if os.Getenv(frugal) == "" { // in the foreground
		runtime.GOMAXPROCS(1)
	}
	s.outputs.config = s.config.Log
	if s.Crashed() {
		if pids := supervise.EndLeftovers(s.mark()); len(pids) > 0 {
			s.Log.Warn("ended what the previous daemon, which was killed, had left behind", "pids", pids)
		}
	}
	if err := runHook(ctx, "startup", s.config.Startup); err != nil {
		return err
	}
	s.set = supervise.New(supervise.Options{
		Log: s.Log, Fail: fail, Output: s.outputs.open, Helper: true, Mark: s.mark(),
		NoRespawn: s.noRespawn, Orphans: true,
	})
	err := s.set.Apply(ctx, s.programs(s.config))
	if err == nil {
		err = s.set.Await(ctx)
	}
	if err != nil {
		now, cancel := context.WithTimeout(context.Background(), s.config.ShutdownTimeout)
		defer cancel()
		return errors.Join(err, s.set.Stop(now))
	}
	s.forget()
	s.announce()
	s.running.Store(s.set)
	return nil
}

// reload takes on the configuration as it is now, all of it or nothing. Log files are reopened in any case.
func (s *service) reload(ctx context.Context) error {
	err := s.takeOn(ctx)
	if err != nil {
		if to, err := s.log.Prepare(s.logOptions(s.config)); err == nil {
			s.log.Switch(to)
		}
	}
	s.outputs.reopen(s.Log)
	return err
}

// takeOn does what can fail first.
func (s *service) takeOn(ctx context.Context) error {
	next, err := config.Load(s.file)
	if err != nil {
		return err
	}
	next = s.override(next)
	if keys := s.config.NeedsRestart(next); len(keys) > 0 {
		return fmt.Errorf("%s: %s cannot change while the daemon runs: restart it, or change it back", s.file, strings.Join(keys, ", "))
	}
	to, err := s.log.Prepare(s.logOptions(next))
	if err != nil {
		return err
	}
	defer to.Close()
	if err := s.set.Apply(ctx, s.programs(next)); err != nil {
		return err
	}
	s.log.Switch(to)
	s.Grace = next.ShutdownTimeout
	s.config = next
	s.forget()
	return nil
}

// forget gives back the memory of a configuration that the Set has taken over. With few programs it would be all for
// nothing: the heap grows back at once.
func (s *service) forget() {
	many := len(s.config.Programs) >= 200
	s.config.Programs = nil
	if many {
		go debug.FreeOSMemory()
	}
}

func (s *service) stop(ctx context.Context) error {
	err := s.set.Stop(ctx)
	if s.conceal != nil {
		s.conceal()
	}
	s.outputs.close()
	s.removeJSON()
	return errors.Join(err, runHook(ctx, "shutdown", s.config.Shutdown))
}

func (s *service) pidfile() string {
	if s.config.PIDFile == "none" {
		return ""
	}
	return s.config.PIDFile
}

// mark is what tells our children from those of other daemons.
func (s *service) mark() string {
	if s.config.PIDFile == "none" {
		return ""
	}
	return "KEEPALIVEDD=" + s.config.PIDFile
}

func (s *service) openLog() (err error) {
	if s.log, err = logging.Open(s.logOptions(s.config)); err != nil {
		return err
	}
	s.Log = s.log.Logger()
	slog.SetDefault(s.Log)
	return nil
}

// closeLog tells the log why the daemon ends, where the caller is not told the same on standard error.
func (s *service) closeLog(err error) {
	if err != nil && s.config.Log.To != "stderr" {
		s.Log.Error("ending", "err", err)
	}
	s.log.Close()
}

func (s *service) logOptions(c *config.Config) logging.Options {
	o := logging.Options{To: c.Log.To, Ident: name}
	o.Facility, _ = logging.ParseFacility(c.Log.Facility) // was checked with the configuration
	o.Level.UnmarshalText([]byte(c.Log.Level))
	return o
}
