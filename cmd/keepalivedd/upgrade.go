package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// upgrade asks the daemon to be replaced by a newer program, and tells what came of it.
func (o *options) upgrade(path string) int {
	v, err := daemon.AskUpgrade(path, o.binary, o.dryRun, 0)
	var refused *daemon.UpgradeError
	switch {
	case errors.As(err, &refused):
		return fail(fmt.Errorf("not upgraded, all goes on as before: %w", err))
	case err != nil:
		return fail(err)
	case o.dryRun:
		fmt.Printf("%s can take over from %s\n", plain(v.After), plain(v.Before))
	default:
		fmt.Printf("upgraded from %s to %s, in %.1f ms\n", plain(v.Before), plain(v.After), 1000*v.Pause)
	}
	return ok
}

// serviceState is what a daemon leaves to the one that takes over, beside what package daemon does. Fields are only
// ever added. The state of the Set stands behind it, as it is.
type serviceState struct {
	Version  int             `json:"version"`
	Programs json.RawMessage `json:"programs,omitempty"` // of the Set; only programs of before have it here
	Began    time.Time       `json:"began"`
	Reloads  reloadState     `json:"reloads"`
	Events   uint64          `json:"events"`
	Dropped  uint64          `json:"dropped,omitempty"`  // what the log has lost, and told of
	Untold   uint64          `json:"untold,omitempty"`   // what it has lost beside that, or not written yet
	Noted    bool            `json:"noted,omitempty"`    // the sessions of programs are noted beside the pidfile
	Leftover int             `json:"leftover,omitempty"` // the descriptor of what the startup command has left behind writes to
}

const serviceStateVersion = 1

func decodeService(state json.RawMessage, strict bool) (*serviceState, error) {
	d := json.NewDecoder(bytes.NewReader(state))
	if strict {
		d.DisallowUnknownFields()
	}
	st := &serviceState{}
	if err := d.Decode(st); err != nil {
		return nil, fmt.Errorf("state of the service: %w", err)
	}
	if st.Version < 1 || st.Version > serviceStateVersion {
		return nil, fmt.Errorf("state of the service: it is of version %d, and known are those up to %d", st.Version,
			serviceStateVersion)
	}
	if st.Programs == nil {
		st.Programs = state[d.InputOffset():]
	}
	return st, nil
}

// upgrades is how this program is replaced.
func (s *service) upgrades() daemon.Upgrades {
	return daemon.Upgrades{
		Version: versionText(), Save: s.save, State: s.copyState, Rehearse: rehearse, Flags: []string{"--" + rehearseFlag},
		Args: s.options.absolute, Thread: func(f func()) { s.spawner.Do(f) }, Command: s.runCommand,
		Abandon: abandon(s.pidfile(), s.config.ShutdownTimeout),
	}
}

const rehearseFlag = "rehearse"

// rehearse tells whether this program could go on with what another has left.
func rehearse(state json.RawMessage) error {
	st, err := decodeService(state, true)
	if err != nil {
		return err
	}
	return supervise.CheckState(st.Programs)
}

// rehearsal is for a program that was run for that. The configuration must be one to start with.
func (o *options) rehearsal() int {
	cfg, err := o.loadItself()
	if err != nil {
		return fail(err)
	}
	s := newService(o, cfg)
	if status, is := s.makeDaemon().Rehearse(); is {
		return status
	}
	return misuse("--%s is for the daemon that is being upgraded", rehearseFlag)
}

func (s *service) copyState(ctx context.Context) (json.RawMessage, error) {
	f, err := s.set.Freeze(ctx)
	if err != nil {
		return nil, err
	}
	defer f.Thaw()
	return s.state(f.State, &serviceState{Dropped: s.dropped()})
}

// state fills st in, and appends the state of the Set.
func (s *service) state(programs []byte, st *serviceState) (json.RawMessage, error) {
	st.Version, st.Began, st.Events, st.Noted = serviceStateVersion, s.began, s.events.last(), s.noted.begun()
	if now := s.reloads.state(); now != nil {
		st.Reloads = *now
	}
	text, err := json.Marshal(st)
	return append(text, programs...), err
}

// keepLeftover returns a duplicate of the leftover's descriptor; 0: there is none.
func (s *service) keepLeftover() (fd int) {
	if r := s.leftover.Load(); r != nil {
		if raw, err := r.SyscallConn(); err == nil {
			raw.Control(func(n uintptr) { fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 3) })
			if err != nil {
				return 0
			}
		}
	}
	return fd
}

// flushPatience is how long those are waited for who take what was written: a disk; syslog and a terminal may lose
// some, which is counted.
const flushPatience = 5 * time.Second

// save freezes the programs, and waits until all is written that they have said.
func (s *service) save(ctx context.Context) (*daemon.Saved, error) {
	f, err := s.set.Freeze(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, flushPatience)
	defer cancel()
	unwritten, err := s.outputs.flush(ctx)
	files, leftover := f.Files, s.keepLeftover()
	resume := func() {
		if leftover > 0 {
			unix.Close(leftover)
		}
		f.Thaw()
	}
	var own logging.UnwrittenError
	if err == nil {
		own, err = s.flushLog(ctx)
	}
	var state json.RawMessage
	if err == nil {
		state, err = s.state(f.State, &serviceState{Leftover: leftover, Dropped: s.dropped() - own.Untold,
			Untold: own.Untold + own.Left + unwritten})
	}
	if err != nil {
		resume()
		return nil, err
	}
	if leftover > 0 {
		files = append(files, leftover)
	}
	return &daemon.Saved{State: state, Descriptors: files, Resume: resume}, nil
}

// flushLog waits until the log is written. A file that is not is an error, as one of a program's is: it has lines of
// programs too, and where a write hangs, an exec may.
func (s *service) flushLog(ctx context.Context) (unwritten logging.UnwrittenError, err error) {
	err = s.log.Flush(ctx)
	unwritten = unwrittenOf(err)
	if to := s.config.Log.To; unwritten.Left > 0 && ctx.Err() != nil && filepath.IsAbs(to) {
		return unwritten, fmt.Errorf("the log is not written: %s: %w", to, err)
	}
	return unwritten, nil
}

// goOn is start for a program that takes over.
func (s *service) goOn(fail context.CancelCauseFunc, in *daemon.Inherited) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nearly all that is made here stays, and the programs wait for it
	st, err := decodeService(in.State, false)
	if err != nil {
		return err
	}
	cgroup, err := s.cgroup()
	if err != nil {
		return err
	}
	s.leaveWord()
	s.outputs.continues = true
	s.outputs.begin(s.config.Log.Facility, s.log)
	s.began, s.droppedBefore = st.Began, st.Dropped
	s.log.Lose(st.Untold)
	s.events.goOn(st.Events)
	if s.set, err = supervise.Restore(s.setOptions(fail, cgroup), st.Programs, s.programs(s.config)); err != nil {
		return err
	}
	s.outputs.goneOn()
	s.set.Keep(int(s.config.Log.Keep))
	if st.Leftover > 0 {
		s.passOver(os.NewFile(uintptr(st.Leftover), "startup"))
	}
	s.told.Store(s.set)
	s.noteSessions(s.config, st.Noted)
	s.set.Feed(s.feedOf(s.config))
	s.running.Store(s.set)
	s.reloads.goOn(st.Reloads)
	s.metrics.begin(s.config.MetricsFile, s.metricsText, s.daemon.Log)
	return nil
}

// takeOver is run for a program that takes over from another. What fails leads back to that.
func takeOver(args []string, in *daemon.Inherited) int {
	o, _, done := parse(args[1:])
	if done {
		return fail(in.Return(errors.New("its command line is not understood"), abandon(in.PIDFile(), longestAbandon)))
	}
	err := in.Lacks()
	var s *service
	if err == nil {
		s, err = succeed(o)
	}
	if err != nil {
		return fail(in.Return(err, abandon(in.PIDFile(), longestAbandon)))
	}
	s.daemon.Inherited = in
	return s.serve(&s.daemon)
}

func succeed(o *options) (*service, error) {
	if err := shortage(); err != nil {
		return nil, err
	}
	cfg, err := o.loadItself()
	if err != nil {
		return nil, err
	}
	s := newService(o, cfg)
	s.makeDaemon()
	if err := s.openLog(); err != nil {
		return nil, err
	}
	return s, nil
}

// runCommand runs a command by way of the Set, which reaps all children.
func (s *service) runCommand(ctx context.Context, c *exec.Cmd) error {
	files := []*os.File{nil, c.Stdout.(*os.File), c.Stderr.(*os.File)}
	ws, err := s.set.Run(ctx, c.Path, c.Args, c.Env, append(files, c.ExtraFiles...))
	switch {
	case err != nil:
		return err
	case ws.Signaled():
		return fmt.Errorf("killed by %s", unix.SignalName(ws.Signal()))
	case ws != 0:
		return fmt.Errorf("exited with status %d", ws.ExitStatus())
	}
	return nil
}

// longestAbandon is for who has no configuration.
const longestAbandon = 10 * time.Second

// abandon ends the programs of a daemon that neither the new program nor the old one can go on with.
func abandon(pidfile string, limit time.Duration) func(state json.RawMessage) {
	return func(state json.RawMessage) {
		st, err := decodeService(state, false)
		if err == nil {
			err = supervise.Abandon(st.Programs, limit)
		}
		if err != nil {
			slog.Error("the programs could not be ended in order", "err", err)
		}
		endLeft(pidfile)
	}
}
