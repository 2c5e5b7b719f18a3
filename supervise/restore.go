package supervise

import (
	"errors"
	"log/slog"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Restore returns a Set that goes on where another was frozen, in the same process before an execve(2): with its
// processes, whatever they have said and is not read yet, and everything that was to come of it. state is what [Frozen]
// has, whose Files are open. What a Program of state has to find it finds as the one of that name in programs does; in
// all else that is as it was. An error means that the Set cannot go on, and that nothing has happened yet.
func Restore(o Options, state []byte, programs []Program) (*Set, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Set{requests: make(chan any), ended: make(chan struct{})}
	l := newLoop(o, s, newLinux())
	l.reader.turn.Lock() // nothing is read before all is well
	if err := l.restore(state, programs); err != nil {
		return nil, err
	}
	l.reader.turn.Unlock()
	go l.run()
	return s, nil
}

// restore fills a new loop.
func (l *loop) restore(state []byte, programs []Program) error {
	s, err := decodeState(state, false)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return err
	}
	same := make(map[string]*Program, len(programs))
	for i := range programs {
		same[programs[i].Name] = &programs[i]
	}
	x := &restoring{loop: l, setState: s, now: l.kernel.sinceBoot()}
	l.epoch = time.Now().Add(-s.Age - max(0, x.now-s.Now))
	if l.booted = s.Booted; l.booted.IsZero() {
		l.bootTime()
	}
	l.stops, l.silent = s.Stops, s.Silent
	l.reader.kept.bound, l.reader.kept.n = s.Keep, s.Lines
	if l.Cgroup != "" || s.Cgroup != "" {
		l.Cgroup = s.Cgroup // where they are
	}
	for i := range s.Programs {
		p := x.program(&s.Programs[i], same[s.Programs[i].Spec.Name])
		l.programs[p.spec.Name] = p
		if p.pid != 0 {
			l.byPID[p.pid] = p
		}
	}
	l.noteOrder()
	closeOnExec(s.descriptors())
	for i := range s.Sinks {
		k := &s.Sinks[i]
		sink := l.openSink(&Program{Name: k.Program, Output: k.Output})
		sink.program, sink.output, sink.closing = k.Program, k.Output, k.Closing
		x.sinks = append(x.sinks, sink)
	}
	if err := l.reader.keepOn(s, x.sinks); err != nil {
		return err
	}
	if err := x.sources(); err != nil {
		return err
	}
	for i := range s.Programs {
		x.connect(l.programs[s.Programs[i].Spec.Name], &s.Programs[i])
	}
	x.restoreTasks()
	x.restoreNames()
	x.restoreSweeps()
	x.restoreSockets()
	x.restoreKin()
	x.outlets()
	for _, fd := range []int{s.Kept, s.Epoll} {
		if fd > 0 {
			unix.Close(fd)
		}
	}
	return nil
}

// restoring is a restore on its way.
type restoring struct {
	*loop
	*setState
	now   moment
	sinks []*Sink
	byFD  map[int]source
}

// in calls set with the time that is left until due; 0 is never.
func (x *restoring) in(due moment, set func(left time.Duration)) {
	if due != 0 {
		set(max(0, due-x.now))
	}
}

func (x *restoring) ring(due moment, a *alarm, ring func()) {
	x.in(due, func(left time.Duration) { x.alarms.in(left, a, ring) })
}

func (x *restoring) task(t *taskState, of *task) *task {
	if t == nil {
		return nil
	}
	of.pid = t.PID
	x.tasks[t.PID] = of
	x.ring(t.Limit, &of.limit, func() { x.loop.signalGroup(of.pid, unix.SIGKILL) })
	return of
}

// program makes what does not depend on others.
func (x *restoring) program(s *programState, same *Program) *program {
	p := &program{spec: s.Spec.program(same), outcome: s.Outcome, stop: s.Stop, missing: s.Missing, passed: s.Passed,
		pid: s.PID, starts: s.Starts, failures: s.Failures, since: s.Since.Sub(x.booted), born: s.Born, told: s.Told,
		last: s.Last, status: s.Status, why: s.Why, fault: s.Fault, begun: s.Begun, leaves: s.Leaves,
		session: s.Session, swept: s.Swept, bound: s.Bound, ran: s.Ran,
		exits: exits{uint32(s.Exits.Stopped), uint32(s.Exits.Succeeded), uint32(s.Exits.Failed),
			uint32(s.Exits.Signalled), uint32(s.Exits.Unhealthy)}}
	switch {
	case s.Spent != nil:
		p.spent = *s.Spent
	case s.Starts > 1: // by a program that did not note it
		p.spent = -1
	}
	p.state, _ = stateNamed(s.State)
	switch {
	case s.Gone:
	case s.Wanted != nil:
		p.wanted = s.Wanted.program(same)
	default:
		p.wanted = p.spec
	}
	switch l := x.loop; {
	case p.state == starting && p.spec.Ready.tells():
		x.in(s.Due, func(left time.Duration) { l.awaitReady(p, left) })
	default:
		x.ring(s.Due, &p.alarm, func() { l.on(p, timer) })
	}
	x.features(p, s, same)
	return p
}

func (x *restoring) features(p *program, s *programState, same *Program) {
	l := x.loop
	if s.Hold != nil {
		p.withFeatures().hold = s.Hold
	}
	if s.GroupEnd != nil {
		p.withFeatures().groupEnd = s.GroupEnd
		if s.GroupEnd.Lived == 0 { // whoever noted it did not know of that
			s.GroupEnd.Lived = time.Since(l.epoch) - p.born
		}
		l.alarms.in(time.Millisecond, &p.groupCheck, func() { l.awaitGroup(p, 2*time.Millisecond) })
	}
	if len(s.Died)+len(s.Deaths) > 0 {
		p.withFeatures().deaths = s.Died
	}
	for _, at := range s.Deaths {
		p.deaths = append(p.deaths, time.Since(l.epoch)-max(0, time.Since(at)))
	}
	if s.Given != nil {
		p.withFeatures().given = s.Given.program(nil)
	}
	if s.HasTail {
		p.withFeatures().tail = &tail{}
		for _, line := range s.Tail {
			p.tail.add(line)
		}
	}
	if s.FirstError != "" {
		p.withFeatures().firstError = errors.New(s.FirstError)
	}
	if s.Proven {
		p.withFeatures().proven = true
	}
	if s.Proof != 0 {
		x.ring(s.Proof, &p.withFeatures().proof, func() { l.proved(p) })
	}
	if g := s.Gate; g != nil {
		x.gate(p, g)
	}
	if w := s.Watch; w != nil {
		f := p.withFeatures()
		f.watch.failures, f.watch.failed = w.Failures, w.Failed
		f.watch.running = x.task(w.Running, &task{ended: l.checkEnded(p)})
		x.ring(w.Next, &f.watch.next, func() { l.check(p) })
	}
	if n := s.Notified; n != nil {
		p.withFeatures().notified = &notifyState{text: n.Text, reloading: n.Reloading, stopping: n.Stopping,
			watchdog: n.Watchdog, main: n.Main, mainFD: n.MainFD}
		if n.Extended {
			p.notified.extended = p.state
		}
		x.in(n.End, func(left time.Duration) { l.awaitEnd(p, left) })
	}
	if w := s.Watch; w != nil {
		x.in(w.Watchdog, func(left time.Duration) { l.awaitWatchdog(p, left, p.watchdog()) })
	}
	if h := s.Hooks; h != nil {
		k := &hooks{running: h.Running, told: p.change(h.Told, same), waiting: p.change(h.Waiting, same), wants: h.Wants}
		p.withFeatures().hooks = k
		k.task = x.task(h.Task, &task{ended: func(ws syscall.WaitStatus) { l.hookReaped(k, ws) }})
		x.ring(h.Again, &k.again, func() { l.hookAgain(k) })
	}
}

func (x *restoring) gate(p *program, s *gateState) {
	l := x.loop
	g := &gate{spec: s.Spec, socket: s.Socket, open: s.Open, token: string(s.Token), known: s.Known,
		permission: permission{renew: s.Renew, slack: s.Slack, timeout: s.Timeout, given: s.Given, heard: s.Heard,
			lost: s.Lost, since: s.Since}}
	p.withFeatures().gate = g
	g.task = x.task(s.Task, &task{ended: l.gateEnded(p, g)})
	x.ring(s.Delay, &g.delay, func() { l.gateOpens(p, g) })
	x.ring(s.Silence, &g.silence, func() { l.gateWatch(p, g) })
	pid := p.pid
	x.ring(s.Deadline, &g.deadline, func() { l.outlivesGate(p, g, pid) })
}

func (p *program) change(c *changeState, same *Program) *change {
	if c == nil {
		return nil
	}
	spec := p.spec
	if c.Spec != nil {
		spec = c.Spec.program(same)
	}
	x := &change{spec: spec, was: c.Was, now: c.Now, last: c.Last, starts: c.Starts, skipped: c.Skipped}
	for _, text := range c.Output {
		x.output = append(x.output, string(text))
	}
	return x
}

func (x *restoring) restoreTasks() {
	for i := range x.Tasks {
		x.task(&x.Tasks[i], &task{})
	}
	for name, pid := range x.Gates {
		x.outliveGate(name, x.tasks[pid])
	}
	if x.Feed != nil { // its input has come to an end
		x.feed.leave = func() {}
		x.feed.task = x.task(x.Feed, &task{ended: x.feedReaped})
		x.endFeed()
	}
}

// restoreNames has programs wait for their turn, for their bounds, and to be woken.
func (x *restoring) restoreNames() {
	l := x.loop
	for _, name := range x.Queue {
		l.queue = append(l.queue, l.programs[name])
	}
	l.places = len(l.queue)
	for _, name := range x.Binding {
		l.bind(l.programs[name])
	}
	for _, name := range x.Asleep {
		p := l.programs[name]
		l.asleep.told = append(l.asleep.told, told{p, p.starts})
	}
	if len(x.Asleep) > 0 {
		l.wakeSoon()
	}
}

func (x *restoring) restoreSweeps() {
	l := x.loop
	for i := range x.Sweeps {
		s := &x.Sweeps[i]
		w := &sweep{dir: s.Dir, name: s.Name, session: s.Session, forcing: s.Forcing, wait: s.Wait,
			asked: map[identity]bool{}}
		for _, who := range s.Asked {
			w.asked[identity{who.PID, who.Start, string(who.Name)}] = true
		}
		l.sweeps[w.dir] = w
		if w.forcing {
			x.ring(s.Limit, &w.limit, func() { l.sweepFails(w) })
		} else {
			x.ring(s.Limit, &w.limit, func() { l.forceSweep(w) })
		}
		again := s.Again
		if again == 0 {
			again = x.now // somebody was looking
		}
		x.ring(again, &w.again, func() { l.sweepAgain(w) })
	}
	if x.Inhabited != nil {
		l.inhabited = x.Inhabited
	}
}

func (x *restoring) restoreSockets() {
	for _, s := range x.Sockets {
		n := &socket{listener: listener{Socket: Socket{Address: s.Address}, fd: s.FD, dev: s.Dev, ino: s.Ino}}
		for _, name := range s.Users {
			n.users = append(n.users, x.programs[name])
		}
		x.loop.sockets[s.Address] = n
	}
}

func (x *restoring) restoreKin() {
	k := &x.kin
	if x.HasKept || len(x.Keeps) > 0 {
		k.keeps = map[int]bool{}
	}
	for _, pid := range x.Keeps {
		k.keeps[pid] = true
	}
	k.sessions = x.Sessions
	if len(x.Kin) > 0 {
		k.of = map[int]relative{}
	}
	for pid, r := range x.Kin {
		k.of[pid] = relative{r.Start, r.Ancestor}
	}
}
