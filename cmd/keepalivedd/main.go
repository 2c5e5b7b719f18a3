// Keepalivedd keeps programs alive: see keepalivedd(8), or --help.
package main

import (
	"context"
	"log"
	"os"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/supervise"
)

func main() { os.Exit(run(os.Args)) }

// run loads the configuration, checks the pidfile, forks and detaches, writes its PID and runs the signal loop.
func run(args []string) int {
	if status, ran := supervise.RunSetup(args); ran {
		return status // as a program that is being set up
	}
	log.SetFlags(0) // what is said before the log is open is the caller's to read
	log.SetPrefix(name + ": ")
	o, status, done := parse(args[1:])
	if done {
		return status
	}
	if o.verb != "" {
		return o.talk()
	}
	cfg, err := config.Load(o.file)
	switch {
	case err != nil:
		return fail(err)
	case o.test:
		return ok
	case o.dump:
		return fail(o.override(cfg).Dump(os.Stdout))
	}
	s := &service{options: o, config: o.override(cfg)}
	d := s.daemon()
	if err := s.checkMoved(); err != nil {
		return fail(err)
	}
	if !o.foreground {
		if status, launched := d.Detach(); launched {
			return status
		}
	}
	if err := s.openLog(); err != nil {
		return fail(err)
	}
	err = d.Run(context.Background())
	s.closeLog(err)
	return fail(err)
}

// daemon is the service as package daemon runs it.
func (s *service) daemon() *daemon.Daemon {
	s.Daemon = daemon.Daemon{
		Name:         name,
		PIDFile:      s.pidfile(),
		Umask:        s.umask,
		ReadyFD:      s.readyFD,
		Grace:        s.config.ShutdownTimeout,
		StartTimeout: s.config.StartTimeout,
		Env:          []string{frugal + "=1"},
		Start:        s.start,
		Reload:       s.reload,
		Stop:         s.stop,
		Dump:         s.dump,
		Stats:        s.stats,
		Status:       s.status,
		Reaps:        true,
		Report:       func(err error) { fail(err) },
	}
	return &s.Daemon
}
