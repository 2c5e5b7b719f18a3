package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// service is the daemon's three functions and what they share; they run one at a time.
type service struct {
	*options
	daemon.Daemon
	config *config.Config // in force
	log    *logging.Log
	set    *supervise.Set
}

func (s *service) start(ctx context.Context, _ context.CancelCauseFunc) error {
	s.set = supervise.New(supervise.Options{Log: s.Log, NoRespawn: s.noRespawn, Orphans: os.Getpid() == 1})
	if err := s.set.Apply(ctx, s.programs(s.config)); err != nil {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		return errors.Join(err, s.set.Stop(now))
	}
	return nil
}

// reload takes on the configuration as it is now, all of it or nothing: what can fail comes first.
func (s *service) reload(ctx context.Context) error {
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
	return nil
}

func (s *service) stop(ctx context.Context) error { return s.set.Stop(ctx) }

func (s *service) pidfile() string {
	if s.config.PIDFile == "none" {
		return ""
	}
	return s.config.PIDFile
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

// programs is the configuration as package supervise takes it.
func (s *service) programs(c *config.Config) []supervise.Program {
	output := supervise.Null
	if s.foreground {
		output = supervise.Inherit
	}
	users := map[*config.User]*supervise.User{nil: nil} // shared there as here
	list := make([]supervise.Program, len(c.Programs))
	for i, p := range c.Programs {
		if u := p.User; users[u] == nil && u != nil {
			users[u] = &supervise.User{Name: u.Name, UID: u.UID, GID: u.GID, Groups: u.Groups, Home: u.Home, Shell: u.Shell}
		}
		list[i] = supervise.Program{
			Name: p.Name, Command: p.Command, User: users[p.User], Directory: p.Directory,
			Environment: p.Environment, Output: output,
			Restart:    restarts(p.Restart),
			StopSignal: syscall.Signal(p.StopSignal), StopTimeout: p.StopTimeout,
		}
	}
	return list
}

func restarts(r config.Restart) supervise.Restart {
	switch r {
	case config.OnFailure:
		return supervise.OnFailure
	case config.Never:
		return supervise.Never
	}
	return supervise.Always
}
