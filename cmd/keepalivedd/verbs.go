package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// promptly is for questions that a daemon in good health answers at once.
const promptly = time.Second

// talk carries out a verb: by the pidfile and signals alone, so that nothing which is wrong with the daemon but that it
// does not run can keep it from being told of or stopped.
func (o *options) talk() int {
	c := o.override(config.Salvage(o.file))
	if c.PIDFile == "none" {
		failed := fail(errors.New("there is no pidfile (none), so the daemon cannot be found: name it with -p FILE"))
		if o.verb == "status" {
			return statusUnknown
		}
		return failed
	}
	if path, _ := pidfile.Ask(o.file, "", promptly); o.pid == "" && path != "" {
		c.PIDFile = path // the configuration may say something else by now
	}
	switch o.verb {
	case "status":
		return status(c.PIDFile)
	case "reload":
		return o.reload(c.PIDFile)
	}
	return stop(c)
}

func status(path string) int {
	st, err := pidfile.Look(path)
	if err != nil {
		fail(err)
		return statusUnknown
	}
	switch st.State {
	case pidfile.Held:
		said, _ := pidfile.Ask(path, "", promptly)
		return statusOf(st.PID, said)
	case pidfile.Starting:
		fmt.Printf("%s is starting\n", name)
		return statusUnknown
	case pidfile.Stale:
		fmt.Printf("%s is dead, and has left its pidfile %s\n", name, path)
		if st, err := os.Stat(daemon.CrashFile(path)); err == nil && st.Size() > 0 {
			fmt.Printf("it crashed: see %s, or the log after the next start\n", daemon.CrashFile(path))
		}
		return statusDead
	}
	fmt.Printf("%s is not running\n", name)
	return statusStopped
}

// statusOf tells of a daemon that runs; said is what it says of itself, if anything.
func statusOf(pid int, said string) int {
	if said == starting {
		fmt.Printf("%s is starting, pid %d\n", name, pid)
		return statusUnknown
	}
	count, lines, _ := strings.Cut(said, "\n")
	if count == "" {
		fmt.Printf("%s is running, pid %d\n", name, pid)
		return statusRunning
	}
	fmt.Printf("%s is running, pid %d; programs up: %s\n", name, pid, count)
	if lines == "" {
		return statusRunning
	}
	fmt.Println(lines)
	return statusPartly
}

// reload refuses a broken configuration here, whatever state the daemon is in. The daemon checks again, and what cannot be
// had of it.
func (o *options) reload(path string) int {
	p, err := pidfile.Find(path)
	if err != nil {
		return fail(err)
	}
	p.Close()
	if _, err := config.Load(o.file); err != nil {
		return fail(err)
	}
	return fail(daemon.Reload(path, 0))
}

// stop waits for longer than the daemon allows itself, and only then kills it.
func stop(c *config.Config) int {
	p, err := pidfile.Find(c.PIDFile)
	if err == nil {
		defer p.Close()
		err = p.Signal(unix.SIGTERM)
	}
	switch {
	case errors.Is(err, pidfile.ErrNotRunning):
		fmt.Printf("%s is not running\n", name)
		return clean(c.PIDFile)
	case err != nil:
		return fail(err)
	}
	budget := c.ShutdownTimeout + 5*time.Second
	if p.Wait(budget) {
		return ok
	}
	fmt.Fprintf(os.Stderr, "%s: pid %d still runs after %v: killing it\n", name, p.PID, budget)
	if err := p.Signal(unix.SIGKILL); err != nil && !errors.Is(err, pidfile.ErrNotRunning) {
		return fail(err)
	}
	if !p.Wait(5 * time.Second) {
		return fail(fmt.Errorf("pid %d runs on even after KILL", p.PID))
	}
	return clean(c.PIDFile)
}

// clean removes the pidfile that a dead daemon has left.
func clean(path string) int {
	_, err := pidfile.Running(path)
	return fail(err)
}
