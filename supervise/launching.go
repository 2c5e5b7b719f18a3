package supervise

import (
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"
)

// launch is a process that is to be started: of a program, or a task. It is connected on the loop, started by the
// kernel, which may take its time, and what was left to the child is closed on the loop again.
type launch struct {
	command
	program *program // nil: it is a task's
	gate    *gate    // nil: it is none's
	gateOf  *program // whose gate it is
	task    *task
	explain func(error) error
	close   func()
	then    func(pid int, err error) // on the loop
	began   time.Duration            // on the loop's clock
	until   time.Duration            // and when it is given up
	lingers bool                     // it takes long
	late    bool                     // it was given up
	since   time.Duration            // the boot, when the kernel was asked for it
}

// launched is what has come of a launch. The process may have died meanwhile.
type launched struct {
	pid int
	err error
}

// How long it takes to get to an executable, which, or whose directory, may be on a file system that hangs.
const (
	longLaunch     = 100 * time.Millisecond // longer than one that does not
	recallPatience = time.Second            // for one that is not wanted any more, or can go aside
	launchPatience = 10 * time.Second
	fullPatience   = 8 // every so many tries of a program that has hung it gets that again: others are to have their turn
)

// mostEarly bounds what is kept of the messages of a process that is heard of before it is known to run.
const mostEarly = 1000

// handOver has a process started when its turn comes: one at a time, in the order in which they were asked for.
func (l *loop) handOver(x *launch) {
	if x.finds != nil && !l.hurried {
		l.seek(x)
		return
	}
	l.launches = append(l.launches, x)
	l.nextLaunch()
}

func (l *loop) nextLaunch() {
	for l.flight == nil && len(l.launches) > 0 {
		x := l.launches[0]
		l.launches = l.launches[1:]
		if x.task != nil && x.task.ending != 0 {
			x.close()
			x.task.leaves()
			continue
		}
		if l.hurried {
			x.close()
			x.then(0, fmt.Errorf("%s: not executed by the end of the stop", x.argv[0]))
			continue
		}
		l.flight = x
		x.began = time.Since(l.epoch)
		x.until = x.began + launchPatience
		if l.canGoAside(x) {
			if x.aside = l.hanging[x.place()]; !x.aside {
				x.until = x.began + recallPatience
			}
		} else if p := x.program; p != nil && p.failures%fullPatience > 0 && l.hanging[x.place()] {
			x.until = x.began + recallPatience
		}
		l.alarms.in(longLaunch, &l.lateness, l.lookAtLaunch)
		x.since = l.kernel.sinceBoot()
		l.kernel.launch(x)
	}
}

func (l *loop) lookAtLaunch() {
	if l.flight == nil {
		return
	}
	l.flight.lingers = true
	l.kernel.linger()
	if l.heldBack {
		l.reap()
	}
	if left := l.flight.until - time.Since(l.epoch); left > 0 {
		l.alarms.in(left, &l.lateness, l.lookAtLaunch)
		return
	}
	l.giveUpLaunch()
}

// place is where a command gets its executable from.
type place struct{ path, dir string }

func (c *command) place() place { return place{c.argv[0], c.dir} }

// canGoAside says whether a check or a hook can be executed by the helper. That is there in any case, and who waits for
// its exec is not waited for.
func (l *loop) canGoAside(x *launch) bool {
	return l.Helper && x.task != nil && x.task.brief && !x.aside
}

// recallLaunch has a launch given up sooner, of which there is no need to see the end.
func (l *loop) recallLaunch(x *launch) {
	x.until = min(x.until, time.Since(l.epoch)+recallPatience)
	if !x.late {
		l.alarms.in(longLaunch, &l.lateness, l.lookAtLaunch)
	}
}

// giveUpLaunch ends a child that is on its way to its executable. Who waits for a disk does not end for that: whatever
// is to be launched waits, and nothing else does.
func (l *loop) giveUpLaunch() {
	if l.flight == nil {
		return
	}
	l.flight.late = true
	l.kernel.giveUp()
	l.alarms.in(time.Second, &l.lateness, l.giveUpLaunch)
}

// landed is for what the kernel says of a launch.
func (l *loop) landed(r launched) {
	x := l.flight
	l.flight = nil
	l.alarms.off(&l.lateness)
	if p := x.program; p != nil && p.state == launching && !l.hurried {
		if x.late {
			l.hanging[x.place()] = true
		} else {
			delete(l.hanging, x.place())
		}
	}
	aside := x.late && l.canGoAside(x)
	if aside {
		l.hanging[x.place()] = true
		aside = r.err == nil && !l.hurried
	}
	if x.late && r.err == nil {
		l.tasks[r.pid] = &task{pid: r.pid} // whatever it is by now
		l.kernel.kill(r.pid, unix.SIGKILL) // it may not have got as far as to have a group
		r = launched{err: fmt.Errorf("%s: not executed after %v", x.argv[0],
			(time.Since(l.epoch) - x.began).Round(time.Second))}
		if l.hurried {
			r.err = fmt.Errorf("%s: not executed by the end of the stop", x.argv[0])
		}
	}
	if aside {
		x.late, x.lingers = false, false
		l.launches = append([]*launch{x}, l.launches...)
	} else {
		x.close()
		x.then(r.pid, r.err)
	}
	if l.heldBack {
		l.heldBack = false
		l.reap()
	}
	l.heedEarly()
	l.sweepAfter(x)
	l.nextLaunch()
}

// heedEarly takes what was heard too early.
func (l *loop) heedEarly() {
	early := l.early
	l.early = nil
	for _, n := range early {
		l.heed(n)
	}
}

// heed takes what was seen of a process, if that is still there. A process may be heard of before it is known to run.
func (l *loop) heed(n notice) {
	switch p := n.p; {
	case p.starts != n.start:
	case p.state.underWay():
		if len(l.early) < mostEarly {
			l.early = append(l.early, n)
			return
		}
	case p.pid != 0 && p.state.running():
		n.seen(l, p)
	}
	if n.handled != nil {
		n.handled()
	}
}

func (l *loop) enqueue(p *program) {
	l.queue = append(l.queue, p)
	l.places++
	for _, u := range l.updates {
		if u.untried[p.spec.Name] {
			u.last = l.places
		}
	}
}

func (l *loop) dequeue() *program {
	p := l.queue[0]
	if l.queue = l.queue[1:]; len(l.queue) == 0 {
		l.queue = nil
	}
	l.turns++
	return p
}

// launchProgram starts the process of a program whose turn has come, unless it has been stopped, or something has come
// in its way, since.
func (l *loop) launchProgram(p *program) {
	if p.state != queued {
		return
	}
	if !l.orderAllows(p) {
		l.on(p, reblocked)
		return
	}
	c := p.spec.command(p.spec.Command)
	if c.finds != nil {
		f := l.sought(p)
		if f == nil {
			return
		}
		c.give(f)
	}
	p.starts++
	p.swept = false
	p.ran = 0
	c.spare = p.spec.Kill == KillProcess
	c.group, c.must, c.bounds = l.cgroup(p.spec), l.CgroupRequired, p.spec.Resources
	_, inhabited := l.inhabited[c.group] // and bounded, it may be, for a program of this name that has gone
	if p.bound = p.bound || inhabited || c.bounds.binds(); p.bound && c.bounds == nil {
		c.bounds = &Resources{}
	}
	if c.group != "" && (p.starts > 1 || inhabited) {
		c.spent = new(int64)
	}
	if err := l.passGate(p, &c); err != nil {
		l.notLaunched(p, err)
		return
	}
	done, err := l.kernel.connect(l, p, &c)
	if err != nil {
		done()
		l.release(p)
		l.notLaunched(p, err)
		return
	}
	p.give(c)
	l.lend(p, &c)
	l.on(p, launches)
	x := &launch{command: c, program: p, explain: p.spec.explain, close: done}
	x.then = func(pid int, err error) {
		l.takeBack(c.listen)
		if err != nil {
			l.release(p)
			l.notLaunched(p, err)
			return
		}
		p.spent = 0
		if x.spent != nil {
			p.spent = *x.spent
		}
		l.runs(p, pid)
		if !c.bounds.same(p.spec.Resources) {
			l.bind(p) // anew: the launch may have come after it
		}
	}
	l.handOver(x)
}

func (l *loop) notLaunched(p *program, err error) {
	what := fmt.Sprintf("cannot be started: %v", err)
	p.last = what
	if p.state == recalled {
		l.on(p, notStarted)
		return
	}
	l.noteTried(p, err)
	if shortage(err) {
		l.failure(p, what, slog.LevelError, notStarted)
		return
	}
	l.fails(p, what, slog.LevelError, notStarted)
}

// runs is for a process that was launched, whatever has come in its way meanwhile.
func (l *loop) runs(p *program, pid int) {
	l.noteTried(p, nil)
	l.begun(pid, p.spec.Kill)
	p.pid, p.session, p.why, p.born = pid, pid, "", time.Since(l.epoch)
	if p.ran = int32(pid); len(p.sources) > 0 {
		l.reader.known(p.sources, pid)
	}
	l.byPID[pid] = p
	l.debug(p, pid, "started")
	l.on(p, started)
	if p.features != nil && p.gate != nil && p.gate.lost != "" {
		l.gateLost(p, p.gate, p.gate.lost)
	}
	if l.hurried {
		l.on(p, hurry)
	}
}
