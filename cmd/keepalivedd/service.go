package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// service is the daemon's three functions and what they share; they run one at a time.
type service struct {
	options       *options
	daemon        daemon.Daemon
	config        *settings.Config // in force
	log           *logging.Log
	set           *supervise.Set
	spawner       *supervise.Spawner // on the main thread
	changes       supervise.Changes  // of the last reload that was accepted
	differing     []string           // keys of the daemon's own that it has changed
	outputs       outputs
	reading       sync.Mutex                    // an environment_file, beside the load
	running       atomic.Pointer[supervise.Set] // once the start is over, for who asks
	began         time.Time
	droppedBefore uint64 // by the log, in programs before this one
	reloads       reloads
	metrics       *metricsFile
	events        *events
	lines         *lines
	noted         *notedSessions
	measuring     sync.Mutex
	told          atomic.Pointer[supervise.Set] // that tells the events
	// leftover is the output of the startup command, while what that has left behind may write; nil: nobody.
	leftover atomic.Pointer[os.File]
}

func newService(o *options, cfg *settings.Config) *service {
	return &service{options: o, config: cfg, began: time.Now().Round(0), metrics: newMetricsFile(),
		noted: newNotedSessions(), events: newEvents(), lines: newLines()}
}

// frugal bounds the processors that the runtime makes use of. One goroutine decides all, and the rest wait: more than
// one processor gains nothing, and costs threads, memory and the time of waking them, most on a large machine.
const frugal = "GOMAXPROCS"

func (s *service) start(ctx context.Context, fail context.CancelCauseFunc) error {
	if s.daemon.Inherited != nil {
		return s.goOn(fail, s.daemon.Inherited)
	}
	s.leaveWord()
	s.outputs.begin(s.config.Log.Facility, s.log)
	s.leaveCgroup()
	if s.tells() {
		warnOfWriters(s.config, false, mostWriters)
	}
	s.logWriters(s.config)
	if s.daemon.Crashed() {
		if pids := endLeft(s.pidfile()); len(pids) > 0 {
			s.daemon.Log.Warn("ended what the previous daemon, which was killed, had left behind", "pids", pids)
		}
	}
	cgroup, err := s.cgroup()
	if err != nil {
		return err
	}
	// What the startup command leaves behind is ours to end, as what programs leave is.
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	err = s.runHook(ctx, "startup", s.config.Startup)
	s.set = supervise.New(s.setOptions(fail, cgroup)) // not before: it reaps every child
	s.set.Keep(int(s.config.Log.Keep))
	s.told.Store(s.set)
	s.noteSessions(s.config, cgroup == "")
	if err == nil {
		err = s.bringUp(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			s.nameAwaited(err)
		}
		now, cancel := context.WithTimeout(context.Background(), s.config.ShutdownTimeout)
		defer cancel()
		err = errors.Join(err, s.halt(now))
		s.outputs.close(now)
		return err
	}
	s.running.Store(s.set)
	s.reloads.begin()
	s.metrics.begin(s.config.MetricsFile, s.metricsText, s.daemon.Log)
	return nil
}

func (s *service) setOptions(fail func(error), cgroup string) supervise.Options {
	return supervise.Options{
		Log: s.daemon.Log, Fail: fail, Output: s.outputs.open, Helper: true, Mark: s.mark(),
		NoRespawn: s.options.noRespawn, Orphans: true, Exits: true, Spare: s.daemon.Askers, Spawner: s.spawner,
		Cgroup: cgroup, CgroupRequired: s.config.Cgroups == settings.Require,
		Changed: s.changed, Event: s.events.changed, Line: s.lines.heard,
	}
}

func (s *service) bringUp(ctx context.Context) error {
	s.nameLacking()
	s.daemon.Readers = readers(s.config) // whom the startup command may have made
	if s.daemon.Childless {
		return nil // without waiting for the Set, which has nothing to bring up
	}
	s.set.Feed(s.feedOf(s.config))
	changes, err := s.set.Update(ctx, s.programs(s.config))
	if err != nil {
		return err
	}
	s.nameFailed(changes.Failed)
	return s.set.Await(ctx)
}

// reload takes on the configuration as it is now, all of it or nothing. Log files are reopened in any case.
func (s *service) reload(ctx context.Context) error {
	err := s.takeOn(ctx)
	if err != nil {
		if to, err := s.log.Prepare(s.logOptions(s.config)); err == nil {
			s.log.Switch(to)
		}
	}
	s.outputs.reopen(ctx, s.config.Log.Facility)
	s.reloads.note(err)
	s.events.reloaded(s.touched(), err)
	s.metrics.move(s.config.MetricsFile)
	s.lines.renew()
	return err
}

// takeOn does first what can fail. The programs come last of that: once the Set has taken them on there is no refusal
// any more, and those that could not be started are among the changes.
func (s *service) takeOn(ctx context.Context) error {
	next, err := s.next()
	if err != nil {
		return err
	}
	to, err := s.log.Prepare(s.logOptions(next))
	if err != nil {
		return err
	}
	defer to.Close()
	if err := s.makeThreads(next); err != nil {
		return err
	}
	changes, err := s.set.Update(ctx, s.programs(next))
	if err != nil {
		return err
	}
	s.noteSessions(next, false)
	s.changes, s.differing = changes, s.config.Differing(next)
	s.set.Feed(s.feedOf(next))
	s.set.Keep(int(next.Log.Keep))
	s.log.Switch(to)
	s.daemon.Grace = next.ShutdownTimeout
	s.config = next
	s.logWriters(next)
	s.daemon.Readers = readers(next)
	s.forget()
	return nil
}

// next is the configuration as it is now, if it may follow the one in force.
func (s *service) next() (*settings.Config, error) {
	next, err := s.options.load()
	if err == nil {
		next.Lacking = leaveOutOwn(next.Lacking, os.Getpid())
		err = lacks(next, lacksNow)
	}
	if err != nil {
		return nil, err
	}
	if keys := s.config.NeedsRestart(next); len(keys) > 0 {
		return nil, fmt.Errorf("%s: %s cannot change while the daemon runs: restart it, or change it back", s.options.file,
			strings.Join(keys, ", "))
	}
	return next, nil
}

// changed is for whoever wants to know that something has changed.
func (s *service) changed() {
	s.metrics.changed()
	s.noted.changed()
}

// touched tells in a line what the last reload has changed.
func (s *service) touched() string { return tellChanges(s.changes, s.differing) }

func tellChanges(changes supervise.Changes, differing []string) string {
	said := changes.String()
	if len(differing) > 0 {
		said += "; settings changed: " + strings.Join(differing, ", ")
	}
	return said
}

// dryRun tells in a line what a reload would change, or why it would be refused.
func (s *service) dryRun(ctx context.Context) (string, error) {
	next, err := s.next()
	if err != nil {
		return "", err
	}
	changes, err := s.set.Plan(ctx, s.programs(next))
	if err != nil {
		return "", err
	}
	return tellChanges(changes, s.config.Differing(next)), nil
}

// ready is called when nobody waits for anything any more.
func (s *service) ready() {
	s.forget()
	time.AfterFunc(settled, dropUnneeded)
}

// forget gives back the memory of a configuration that the Set has taken over. With few programs it would be all for
// nothing: the heap grows back at once.
func (s *service) forget() {
	many := len(s.config.Programs) >= 50
	s.config.Programs, s.config.Lacking = nil, nil
	if many {
		go debug.FreeOSMemory()
	}
}

func (s *service) stop(ctx context.Context) error {
	err := s.halt(ctx)
	s.metrics.end(ctx)
	s.writeOutputs(ctx)
	s.removeJSON()
	return errors.Join(err, s.runHook(ctx, "shutdown", s.config.Shutdown))
}

// halt stops the programs, and has those who listen hear of the last of them.
func (s *service) halt(ctx context.Context) error {
	s.events.tell(&eventLine{Event: eventStopping})
	err := s.set.Stop(ctx)
	s.noted.end()
	s.endEvents(ctx)
	s.lines.end(ctx)
	return err
}

// writeOutputs leaves the shutdown command its time: a disk that hangs is not to keep it from running. A second is for
// the disk in any case, while there is one.
func (s *service) writeOutputs(ctx context.Context) {
	if until, bounded := ctx.Deadline(); bounded && s.config.Shutdown != nil {
		left := time.Until(until)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(left-s.config.Shutdown.Timeout, min(left, time.Second)))
		defer cancel()
	}
	s.outputs.close(ctx)
}

// readers are whom the control socket is open to, as far as there are any.
func readers(c *settings.Config) *int {
	if c.Control == nil || c.Control.Group == (settings.GroupName{}) {
		return nil
	}
	gid, err := c.Control.Group.Find()
	if err != nil {
		return nil // it is among what is lacking
	}
	return &gid
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
	return mark(s.config.PIDFile)
}

func mark(pidfile string) string { return "KEEPALIVEDD=" + pidfile }

func (s *service) openLog() (err error) {
	if s.log, err = logging.Open(s.logOptions(s.config)); err != nil {
		return err
	}
	s.daemon.Log = s.log.Logger()
	slog.SetDefault(s.daemon.Log)
	return nil
}

// closeLog tells the log why the daemon ends, where the caller is not told the same on standard error.
func (s *service) closeLog(err error) {
	if err != nil && s.config.Log.To != "stderr" {
		s.daemon.Log.Error("ending", "err", err)
	}
	s.log.Close()
}

func (s *service) logOptions(c *settings.Config) logging.Options {
	o := logging.Options{To: c.Log.To, Ident: name}
	o.Facility, _ = logging.ParseFacility(c.Log.Facility) // was checked with the configuration
	o.Level.UnmarshalText([]byte(c.Log.Level))
	return o
}
