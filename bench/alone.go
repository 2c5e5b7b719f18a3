//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// begin returns when the start command has succeeded and the pidfile names a daemon of ours.
func (p *peer) begin() (pid int, err error) {
	os.Remove(p.pidfile)
	if status := wait(spawn(p.argv)); status < 0 {
		return 0, errors.New("its start command could not be run, or was killed")
	} else if status != 0 {
		return 0, fmt.Errorf("its start command ends with status %d", status)
	}
	return awaitPID(p.pidfile)
}

// start is a start, a second one, and a stop, with nothing to keep running.
func (t *table) start(p *peer) {
	defer endAll()
	began := time.Now()
	pid, err := p.begin()
	ready := time.Since(began)
	if t.bad(startFailed, p, err != nil); err != nil {
		return
	}
	t.took(startReady, p, ready)
	began = time.Now()
	status := wait(spawn(p.argv))
	t.took(startSecond, p, time.Since(began))
	t.bad(notRefused, p, status == 0)
	began = time.Now()
	unix.Kill(pid, unix.SIGTERM)
	t.bad(slowStops, p, !reapAll(5*time.Second))
	t.took(stopAlone, p, time.Since(began))
}

// storm is many starts at once, of which one is to succeed.
func (t *table) storm(p *peer) {
	defer endAll()
	os.Remove(p.pidfile)
	began := time.Now()
	pids, statuses := make([]int, t.options.storm), map[int]int{}
	for i := range pids {
		pids[i] = spawn(p.argv)
	}
	for _, pid := range pids {
		statuses[wait(pid)]++
	}
	t.took(storm, p, time.Since(began))
	reapAll(300 * time.Millisecond) // copies that nobody has waited for come to an end
	t.bad(manyStatuses, p, statuses[0] != 1)
	t.bad(manyDaemons, p, len(children(os.Getpid())) != 1)
}

// idle has all peers run side by side and looks at what they use while there is nothing to do.
func (t *table) idle(ctx context.Context) {
	defer endAll()
	families := map[*peer][]int{}
	before := map[*peer]usage{}
	for _, p := range t.peers {
		if p.argv == nil {
			continue
		}
		if pid, err := p.begin(); err == nil {
			families[p] = []int{pid}
		}
	}
	pause(ctx, min(3*time.Second, 10*t.options.idle)) // for settling
	for p, pids := range families {
		families[p] = family(pids[0], nil)
		before[p] = look(families[p])
	}
	began := time.Now()
	pause(ctx, t.options.idle)
	for p, pids := range families {
		t.quiet(p, look(pids), before[p], time.Since(began), idlePSS, idleCPU, idleSwitches)
	}
}

// quiet notes what was used in a time in which there was nothing to do.
func (t *table) quiet(p *peer, now, before usage, long time.Duration, pss, cpu, switches figure) {
	t.add(pss, p, now.pss)
	t.add(cpu, p, (now.cpu-before.cpu).Seconds()*1e6/long.Seconds())
	t.add(switches, p, (now.switches-before.switches)/long.Seconds())
}
