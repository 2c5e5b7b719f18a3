//go:build linux

package daemon

import (
	"slices"
	"strconv"

	"github.com/keepalivedd/keepalivedd/internal/procfs"
)

// process is one that a number alone does not tell: it can be another's by now.
type process struct {
	pid     int
	started string // in ticks since boot
}

const mostAskers = 16

// note remembers who has asked for the budget.
func (p *public) note(pid int) {
	_, started, ok := readStat(pid)
	if !ok {
		return // out of sight, or gone
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	asker := process{pid, started}
	p.askers = slices.DeleteFunc(p.askers, func(other process) bool { return other == asker })
	p.askers = append(p.askers, asker)
	p.askers = slices.Delete(p.askers, 0, max(0, len(p.askers)-mostAskers))
}

// Askers returns the PIDs of the processes that have asked the daemon, lately, for its budget and are still there, as
// the one does that is about to stop it, and of all their ancestors at this moment. A stop that kills one of these may
// cut itself off. Any goroutine may ask.
func (d *Daemon) Askers() (pids []int) {
	p := d.public.Load()
	if p == nil {
		return nil
	}
	p.mu.Lock()
	askers := slices.Clone(p.askers)
	p.mu.Unlock()
	for _, asker := range askers {
		parent, started, ok := readStat(asker.pid)
		if !ok || started != asker.started {
			continue
		}
		for pid := asker.pid; ok && pid > 0 && !slices.Contains(pids, pid); {
			pids = append(pids, pid)
			pid = parent
			parent, _, ok = readStat(pid)
		}
	}
	return pids
}

// readStat reads the parent and the start time of a process that has not ended, fields 4 and 22 of proc_pid_stat(5).
func readStat(pid int) (parent int, started string, ok bool) {
	_, fields, err := procfs.Stat(pid)
	if err != nil || fields[0] == "Z" || fields[0] == "X" {
		return 0, "", false
	}
	parent, err = strconv.Atoi(fields[1])
	return parent, fields[19], err == nil
}
