package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/internal/stderr"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// What is lacking refuses a test and a reload: what runs is safe then. A machine starts with one program broken.

// load reads the configuration, with what the command line says, for whatever there is to do with it.
func (o *options) load() (*settings.Config, error) { return o.loadFor(false) }

// loadItself is load for a program that is to take over from another: what programs lack is no reason not to. All wait
// meanwhile; so nothing is looked for on their disks, one of which may hang, nor in all processes of the machine, for
// whoever has an address.
func (o *options) loadItself() (*settings.Config, error) {
	c, err := o.loadFor(true)
	if err == nil {
		err = lacks(c, lacksItself)
	}
	return c, err
}

func (o *options) loadFor(itself bool) (*settings.Config, error) {
	c, err := settings.LoadOn(settings.Machine{Cgroup: supervise.LookForCgroup, Itself: itself,
		Contents: o.test}, o.file)
	var mistakes settings.Errors
	switch {
	case errors.As(err, &mistakes):
		return nil, brief{mistakes}
	case err != nil:
		return nil, err
	}
	return o.override(c), o.clash(c)
}

// loadWhole is load for a test, and for who asks for a reload: what is lacking is an error. What this user may not do
// or look at says nothing of root, whose configuration it may be.
func (o *options) loadWhole() (*settings.Config, error) {
	c, err := o.load()
	if err != nil {
		return nil, err
	}
	o.leaveOutOwn(c)
	return c, lacks(c, certain)
}

// leaveOutOwn leaves out the addresses that are no fault: the daemon that runs has them.
func (o *options) leaveOutOwn(c *settings.Config) {
	if slices.ContainsFunc(c.Lacking, isInUse) {
		c.Lacking = leaveOutOwn(c.Lacking, o.running(c))
	}
}

// certain is what is lacking for root too.
func certain(e *settings.Error) bool { return os.Geteuid() == 0 || !errors.Is(e, fs.ErrPermission) }

// lacks is an error about what is lacking and matters, nil if there is nothing.
func lacks(c *settings.Config, matters func(*settings.Error) bool) error {
	lacking := slices.DeleteFunc(slices.Clone(c.Lacking), func(e *settings.Error) bool { return !matters(e) })
	if len(lacking) == 0 {
		return nil
	}
	return brief{lacking}
}

// lacksItself is what the daemon itself lacks for its start. What it may not, the attempt tells, with its own status;
// metrics are nothing to do without the programs for.
func lacksItself(e *settings.Error) bool {
	return e.Program == "" && e.Key != readersKey && e.Key != eventsKey && e.Key != metricsKey &&
		!errors.Is(e, fs.ErrPermission)
}

// What a start goes on without: the group that may read, who reads the events, and the file for metrics.
const (
	readersKey = "control.group"
	eventsKey  = "events.command"
	metricsKey = "metrics_file"
)

// lacksNow is what a daemon that runs lacks for a configuration. It has its pidfile.
func lacksNow(e *settings.Error) bool { return e.Key != "pidfile" }

// check is -t.
func (o *options) check() int {
	c, err := o.loadWhole()
	if err == nil {
		err = o.lacksPlace()
	}
	if err != nil {
		return fail(err)
	}
	warn(c)
	warnOfWriters(c, true, math.MaxInt)
	fmt.Printf("ok: %s in %s\n", count(len(c.Programs), "program"), count(len(c.Files), "file"))
	return ok
}

// print is -d. What is lacking may be missing there too.
func (o *options) print(c *settings.Config) int {
	o.leaveOutOwn(c)
	fail(lacks(c, certain))
	return fail(c.Dump(os.Stdout))
}

// lacksPlace looks for the directories of the files that the command line names.
func (o *options) lacksPlace() error {
	for _, file := range []struct{ what, path string }{{"pidfile", o.pid}, {"log file", o.logFile}} {
		if file.path == "" || file.path == "none" {
			continue
		}
		dir := filepath.Dir(file.path)
		st, err := os.Stat(dir)
		if err == nil && !st.IsDir() {
			err = errors.New("it is not a directory")
		}
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("%s %s: the directory %s: %w", file.what, file.path, dir, reason(err))
		}
	}
	return nil
}

// reason leaves out what the message has already.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// nameLacking tells the caller of a start, and the log, what programs lack. The failure of a required one is the
// start's, and told as such.
func (s *service) nameLacking() {
	s.config.Lacking = s.config.Lacking.Still() // the startup command may have made it
	programs := s.programsByName()
	told, more := 0, 0
	for _, e := range s.config.Lacking {
		p := programs[e.Program]
		switch {
		case e.Key == readersKey, e.Key == eventsKey, e.Key == metricsKey:
		case p == nil || p.Required && keepsDown(e):
			continue
		case told == mostMistakes:
			more++
			continue
		}
		told++
		then := "the program is started, and its output lost until a reload finds where it goes"
		switch {
		case e.Key == readersKey:
			then = "nobody of that group can ask for the status until a reload finds it"
		case e.Key == eventsKey, e.Key == metricsKey:
			then = "it is tried again"
		case keepsDown(e):
			then = afterFailing(p)
		}
		if s.tells() {
			fmt.Fprintf(stderr.Writer{}, "%s: %v; %s\n", name, e, then)
		}
		if s.logs() {
			about := []any{"err", e}
			if p != nil {
				about = append([]any{"program", e.Program}, about...)
			}
			s.daemon.Log.Error("something is lacking: "+then, about...)
		}
	}
	if more > 0 && s.tells() {
		fmt.Fprintf(stderr.Writer{}, "%s: and %d more\n", name, more)
	}
	if more > 0 && s.logs() {
		s.daemon.Log.Error("more of them cannot be had", "count", more)
	}
}

// tells and logs say whether the caller of a start reads what is on standard error, and whether anybody reads the log.
// In the foreground both may be the same, and in the background a log on standard error ends with the start.
func (s *service) tells() bool { return !s.options.foreground || s.config.Log.To != "stderr" }
func (s *service) logs() bool  { return s.options.foreground || s.config.Log.To != "stderr" }

// nameFailed tells the caller of a start which programs could not be started though nothing seemed to be lacking for
// them. The log has said it already.
func (s *service) nameFailed(failed []*supervise.LaunchError) {
	if !s.tells() {
		return
	}
	told, programs := map[string]bool{}, s.programsByName()
	for _, e := range s.config.Lacking {
		told[e.Program] = told[e.Program] || keepsDown(e)
		for _, more := range e.More {
			told[more.Program] = told[more.Program] || keepsDown(e)
		}
	}
	failed = slices.DeleteFunc(slices.Clone(failed), func(e *supervise.LaunchError) bool {
		return told[e.Name] || programs[e.Name].Required
	})
	for i, e := range failed {
		if i == mostMistakes {
			fmt.Fprintf(stderr.Writer{}, "%s: and %d more\n", name, len(failed)-i)
			break
		}
		fmt.Fprintf(stderr.Writer{}, "%s: %v; %s\n", name, e, afterFailing(programs[e.Name]))
	}
}

// nameAwaited tells the caller of a start, and the log, what it was waiting for when it was called off, because it took
// too long or was stopped. The error that it fails with then says no more than that.
func (s *service) nameAwaited(err error) {
	var awaited []string
	if !errors.Is(err, context.Canceled) {
		awaited = append(awaited, err.Error())
	}
	all := s.set.Status()
	for i := range all {
		if p := &all[i]; p.Program.Required && !p.Ready {
			what := fmt.Sprintf("program %s%s%s", p.Name, isIn(p.State), p.State)
			if p.Why != "" {
				what += ": " + p.Why
			}
			awaited = append(awaited, what)
		}
	}
	for i, what := range awaited {
		if i == mostMistakes {
			what = fmt.Sprintf("and %d more", len(awaited)-i)
		}
		if s.tells() {
			fmt.Fprintf(stderr.Writer{}, "%s: %s\n", name, what)
		}
		if s.logs() {
			s.daemon.Log.Warn("the start is called off while it waits", "for", what)
		}
		if i == mostMistakes {
			break
		}
	}
}

// keepsDown tells whether a program cannot run without what is lacking. Its output may go nowhere.
func keepsDown(e *settings.Error) bool { return !strings.HasSuffix(e.Key, ".output") }

// afterFailing says what becomes of a program that could not be started, and of the others.
func afterFailing(p *settings.Program) string {
	if p.Restart == settings.Never {
		return "the program is not tried again, all others are started"
	}
	return "the program is tried again, all others are started"
}

func (s *service) programsByName() map[string]*settings.Program {
	programs := make(map[string]*settings.Program, len(s.config.Programs))
	for i := range s.config.Programs {
		programs[s.config.Programs[i].Name] = &s.config.Programs[i]
	}
	return programs
}
