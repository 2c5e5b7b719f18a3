package main

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// cgroup is where the programs get their cgroups; "": they get none.
func (s *service) cgroup() (dir string, err error) {
	if s.config.Cgroups == settings.Off {
		return "", nil
	}
	base, err := supervise.FindCgroup()
	switch {
	case err == nil:
		return filepath.Join(base, cgroupName(s.pidfile())), nil
	case s.config.Cgroups == settings.Require:
		return "", fmt.Errorf("cgroups are required: %w", err)
	}
	s.daemon.Log.Debug("programs get no cgroup", "err", err)
	return "", nil
}

// leaveCgroup is for a daemon that is started over the sshd of the one before, and is in the cgroup of that.
func (s *service) leaveCgroup() {
	if s.config.Cgroups == settings.Off || s.pidfile() == "" {
		return
	}
	if err := supervise.LeaveCgroup(cgroupName(s.pidfile())); err != nil {
		s.daemon.Log.Debug("the daemon stays in the cgroup that it was started in", "err", err)
	}
}

// cgroupName tells the cgroup of this daemon from those of all others, in containers too, where /run is another
// directory of that name. It stays the same from one start to the next; without a pidfile, nobody looks for it then.
func cgroupName(pidfile string) string {
	if pidfile == "" {
		return fmt.Sprintf("%s-%d", name, os.Getpid())
	}
	var st unix.Stat_t
	unix.Stat(filepath.Dir(pidfile), &st)
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %d %s", st.Dev, st.Ino, filepath.Base(pidfile))
	return fmt.Sprintf("%s-%016x", name, h.Sum64())
}

// endLeft ends what the programs of a daemon that was killed have left behind, and removes what it had noted of them.
func endLeft(pidfile string) []int {
	if pidfile == "" {
		return nil
	}
	pids := slices.Concat(supervise.EndCgroups(cgroupName(pidfile)),
		supervise.EndSessions(readSessions(sessionsFile(pidfile))), supervise.EndLeftovers(mark(pidfile)))
	os.Remove(sessionsFile(pidfile))
	slices.Sort(pids)
	return slices.Compact(pids)
}
