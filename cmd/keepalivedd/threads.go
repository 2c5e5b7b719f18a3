package main

import (
	"path/filepath"
	"slices"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
)

// threads is how many calls may hang at once that the configuration leads to: writes to the log, and to the outputs of
// programs, and a read of an environment_file that was not there yet. syslog takes none, whatever it does.
func (s *service) threads(c *settings.Config) (n int) {
	if c.Log.To != "syslog" {
		n++
	}
	late := func(p settings.Program) bool { return p.ReadEnvironment != nil }
	if slices.ContainsFunc(c.Programs, late) {
		n++
	}
	for i := range c.Programs {
		if to := s.output(c.Programs[i].Output); filepath.IsAbs(to) || to == terminal {
			return n + logging.MostHanging
		}
	}
	return n
}

// makeThreads is for a reload. While nothing hangs, those that there are for what may hang are free.
func (s *service) makeThreads(next *settings.Config) error {
	more := s.threads(next) - s.daemon.Threads
	if more <= 0 {
		return nil
	}
	if err := lackOfTasks(2 * more); err != nil {
		return err
	}
	daemon.MakeThreads(s.threads(next) + 4) // the daemon's own, but for the programs' and the hook's
	s.daemon.Threads += more
	return nil
}
