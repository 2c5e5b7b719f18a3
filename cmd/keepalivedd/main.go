// Keepalivedd keeps programs alive: see keepalivedd(8), or --help.
package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/internal/stderr"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// init locks main to the main thread, which nothing else can give it, wherever there may be something to fork. Who only
// launches a daemon, or asks one, does without: the runtime makes a thread for that, a thirtieth of a refused start.
func init() {
	if daemon.Continues() || !onlyLaunches(os.Args) {
		runtime.LockOSThread()
	}
}

// onlyLaunches tells the command lines of a start in the background, and of the verbs, as far as they are the usual
// ones: words, -f and -p. What a daemon has itself run as has an argument "--".
func onlyLaunches(args []string) bool {
	for i := 1; i < len(args); i++ {
		switch {
		case args[i] == "-f", args[i] == "-p":
			i++ // with its file
		case strings.HasPrefix(args[i], "-"):
			return false
		}
	}
	return os.Getpid() != 1
}

func main() {
	widen()
	os.Exit(run(os.Args))
}

// widen has the stack of main be at once as large as a start needs it. The runtime would double it again and again, in
// the midst of calls, and go through all of them each time: a twentieth of what a start takes.
//
//go:noinline
func widen() {
	var room [12 << 10]byte
	runtime.KeepAlive(&room)
}

// run loads the configuration, checks the pidfile, forks and detaches, writes its PID and runs the signal loop.
func run(args []string) int {
	if status, ran := supervise.RunSetup(args); ran {
		return status // as a program that is being set up
	}
	slog.SetDefault(slog.New(caller{stderr.Writer{}})) // until the log is open
	if in := daemon.Inherit(); in != nil {
		return takeOver(args, in)
	}
	o, status, done := parse(args[1:])
	if done {
		return status
	}
	if !daemon.Continues() { // else the launcher has looked
		if err := shortage(); err != nil {
			return o.failed(err)
		}
	}
	switch {
	case o.verb != "":
		return o.talk()
	case o.test:
		return o.check()
	case o.rehearse:
		return o.rehearsal()
	}
	if err := o.lacksReadyFD(); err != nil {
		return misuse("%v", err)
	}
	cfg, err := o.load()
	switch {
	case err != nil:
		return fail(err)
	case o.dump:
		return o.print(cfg)
	}
	if err := lacks(cfg, lacksItself); err != nil {
		return fail(err)
	}
	s := newService(o, cfg)
	d := s.makeDaemon()
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
	return s.serve(d)
}

// serve runs the daemon beside the main thread, which forks for it: only that one's children survive an execve(2) of
// this process (ADR 0009).
func (s *service) serve(d *daemon.Daemon) (status int) {
	if os.Getenv(frugal) == "" { // in the foreground
		runtime.GOMAXPROCS(1)
	}
	s.spawner = supervise.NewSpawner()
	s.spawner.Forking = s.daemon.Forking
	go func() {
		err := d.Run(context.Background())
		s.closeLog(err)
		os.Exit(fail(err)) // not after a fork that may hang
	}()
	s.spawner.Run() // does not return
	return failure
}

// makeDaemon fills in the Daemon by which package daemon runs the service.
func (s *service) makeDaemon() *daemon.Daemon {
	s.daemon = daemon.Daemon{
		Name:         name,
		PIDFile:      s.pidfile(),
		Umask:        s.options.umask,
		NoUmask:      s.options.noUmask,
		ReadyFD:      s.options.readyFD,
		Grace:        s.config.ShutdownTimeout,
		StartTimeout: s.config.StartTimeout,
		Left:         func() { endLeft(s.pidfile()) },
		Env:          []string{frugal + "=1"},
		Threads:      s.threads(s.config),
		OOMScoreAdj:  -900,
		Childless:    s.config.Startup == nil && s.config.Events == nil && len(s.config.Programs) == 0,
		Exits:        true,
		Start:        s.start,
		Ready:        s.ready,
		Reload:       s.reload,
		Stop:         s.stop,
		Dump:         s.dump,
		Stats:        s.stats,
		About:        s.about,
		Touched:      s.touched,
		DryRun:       s.dryRun,
		Reads:        map[string]control.Method{"status": s.answerStatus, "metrics": s.answerMetrics},
		Methods:      s.operations(),
		Streams:      map[string]control.Stream{"events": s.answerEvents, "logs": s.answerLogs},
		Readers:      readers(s.config),
		Reaps:        true,
		Upgrades:     s.upgrades(),
		Report:       func(err error) { fail(err) },
	}
	return &s.daemon
}
