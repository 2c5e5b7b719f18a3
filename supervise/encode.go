package supervise

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// encode writes down all that there is. Of the descriptors that have to stay open own are made for this, and its
// caller's, whatever it returns. The reader's locks are held.
func (l *loop) encode() (state []byte, files, own []int, err error) {
	now := l.kernel.sinceBoot()
	due := func(a *alarm) moment {
		if a.index == 0 {
			return 0
		}
		return max(1, now+time.Until(a.at))
	}
	s := &setState{Version: stateVersion, Now: now, Age: time.Since(l.epoch), Stops: l.stops, Cgroup: l.Cgroup,
		Inhabited: l.inhabited, Silent: l.silent, Keep: l.reader.kept.bound, Lines: l.reader.kept.n}
	s.Programs = make([]programState, 0, len(l.programs))
	s.Sources = make([]sourceState, 0, len(l.reader.sources))
	sinks := make(map[*Sink]int, len(l.programs))
	sink := func(k *Sink) int {
		i, known := sinks[k]
		if !known {
			i = len(s.Sinks)
			sinks[k] = i
			st := sinkState{Program: k.program, Output: k.output, Closing: k.closing}
			for _, o := range k.outlets {
				st.Outlets = append(st.Outlets, o.pipe)
			}
			s.Sinks = append(s.Sinks, st)
		}
		return i
	}
	wanted := map[*task]bool{}
	task := func(t *task) *taskState {
		if t == nil || l.tasks[t.pid] != t {
			return nil
		}
		wanted[t] = true
		return &taskState{t.pid, due(&t.limit)}
	}
	for _, p := range l.inOrder() {
		x, fds := p.encode(due, task, l.reader.has)
		if p.sink != nil {
			i := sink(p.sink)
			x.Sink = &i
		}
		files = append(files, fds...)
		s.Programs = append(s.Programs, x)
	}
	for _, fd := range slices.Sorted(maps.Keys(l.reader.sources)) {
		x := encodeSource(l.reader.sources[fd])
		if o, ok := l.reader.sources[fd].(*outlet); ok {
			x.Sink = sink(o.sink)
		}
		files = append(files, fd)
		s.Sources = append(s.Sources, x)
	}
	for _, p := range l.queue {
		if p.state == queued {
			s.Queue = append(s.Queue, p.spec.Name)
		}
	}
	s.Feed = task(l.feed.task)
	for _, pid := range slices.Sorted(maps.Keys(l.tasks)) {
		if t := l.tasks[pid]; !wanted[t] {
			s.Tasks = append(s.Tasks, taskState{pid, due(&t.limit)})
		}
	}
	for _, of := range []map[string]binding{l.applying, l.binding} {
		for _, dir := range slices.Sorted(maps.Keys(of)) {
			if p := l.programs[of[dir].name]; p != nil {
				s.Binding = append(s.Binding, p.spec.Name)
			}
		}
	}
	for name, t := range l.gates {
		if s.Gates == nil {
			s.Gates = map[string]int{}
		}
		s.Gates[name] = t.pid
	}
	for _, t := range l.asleep.told {
		if t.p.pid != 0 && t.p.starts == t.start {
			s.Asleep = append(s.Asleep, t.p.spec.Name)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(l.sweeps)) {
		w := l.sweeps[dir]
		x := sweepState{Dir: w.dir, Name: w.name, Session: w.session, Forcing: w.forcing, Limit: due(&w.limit),
			Again: due(&w.again), Wait: w.wait}
		for who := range w.asked {
			x.Asked = append(x.Asked, whoState{who.pid, who.start, []byte(who.name)})
		}
		s.Sweeps = append(s.Sweeps, x)
	}
	for _, address := range slices.Sorted(maps.Keys(l.sockets)) {
		n := l.sockets[address]
		x := socketState{Address: address, FD: n.fd, Dev: n.dev, Ino: n.ino}
		for _, p := range n.users {
			x.Users = append(x.Users, p.spec.Name)
		}
		if n.fd >= 0 {
			files = append(files, n.fd)
		}
		s.Sockets = append(s.Sockets, x)
	}
	s.Keeps, s.HasKept, s.Sessions = slices.Sorted(maps.Keys(l.kin.keeps)), l.kin.keeps != nil, l.kin.sessions
	if len(l.kin.of) > 0 {
		s.Kin = make(map[int]kinState, len(l.kin.of))
	}
	for pid, r := range l.kin.of {
		s.Kin[pid] = kinState{r.start, r.ancestor}
	}
	if s.Kept, err = l.reader.carry(s, sinks); err != nil {
		return nil, nil, nil, err
	}
	if s.Kept > 0 {
		own = append(own, s.Kept)
	}
	if s.Epoll, err = l.reader.carryEpoll(); err != nil {
		return nil, nil, own, err
	}
	if s.Epoll > 0 {
		own = append(own, s.Epoll)
	}
	state, err = json.Marshal(s)
	if err == nil {
		err = s.check() // a fault of ours is found before anything has happened
	}
	return state, files, own, err
}

// encode writes down a program, but for its sink; files are descriptors that are not read. A source may have come to
// its end before its process has.
func (p *program) encode(due func(*alarm) moment, task func(*task) *taskState,
	reads func(source) bool) (x programState, files []int) {
	e := p.exits
	x = programState{Spec: specOf(p.spec), State: p.state.String(), Outcome: p.outcome, Stop: p.stop, Missing: p.missing,
		Passed: p.passed, PID: p.pid, Starts: p.starts, Failures: p.failures, Since: p.since, Born: p.born, Told: p.told,
		Begun: p.begun, Due: due(&p.alarm), Last: p.last, Status: p.status, Why: p.why, Fault: p.fault, Leaves: p.leaves,
		Session: p.session, Swept: p.swept, Bound: p.bound, Ran: p.ran,
		Exits: Exits{int(e.stopped), int(e.succeeded), int(e.failed), int(e.signalled), int(e.unhealthy)}}
	if p.starts > 1 && p.spent >= 0 {
		x.Spent = &p.spent
	}
	switch p.wanted {
	case nil:
		x.Gone = true
	case p.spec:
	default:
		x.Wanted = specOf(p.wanted)
	}
	if p.holder != nil {
		x.Holder = p.holder.spec.Name
	}
	for _, s := range p.sources {
		if reads(s) {
			x.Sources = append(x.Sources, s.fd())
		}
	}
	f := p.features
	if f == nil {
		return x, nil
	}
	x.Hold, x.GroupEnd, x.Died, x.Given, x.Proven, x.Proof = f.hold, f.groupEnd, f.deaths, specOf(f.given), f.proven,
		due(&f.proof)
	if f.firstError != nil {
		x.FirstError = f.firstError.Error()
	}
	if x.HasTail = f.tail != nil; x.HasTail {
		for line := range strings.Lines(f.tail.String()) {
			x.Tail = append(x.Tail, []byte(strings.TrimSuffix(line, "\n")))
		}
	}
	if g := f.gate; g != nil {
		x.Gate = &gateState{Spec: g.spec, Task: task(g.task), Socket: g.socket, Open: g.open, Token: []byte(g.token),
			Known: g.known, Given: g.given, Heard: g.heard, Lost: g.lost, Since: g.since, Renew: g.renew, Slack: g.slack,
			Timeout: g.timeout, Delay: due(&g.delay), Silence: due(&g.silence), Deadline: due(&g.deadline)}
		if g.socket >= 0 {
			files = append(files, g.socket)
		}
	}
	w := &f.watch
	if st := (watchState{due(&w.next), task(w.running), w.failures, w.failed, due(&w.watchdog)}); st != (watchState{}) {
		x.Watch = &st
	}
	if n := f.notified; n != nil {
		x.Notified = &notifiedState{Text: n.text, Reloading: n.reloading, Stopping: n.stopping, Watchdog: n.watchdog,
			End: due(&n.end), Extended: n.extended == p.state, Main: n.main, MainFD: n.mainFD}
		if n.main != 0 {
			files = append(files, n.mainFD)
		}
	}
	if h := f.hooks; h != nil {
		x.Hooks = &hooksState{Running: h.running, Told: p.encodeChange(h.told), Task: task(h.task),
			Waiting: p.encodeChange(h.waiting), Wants: h.wants, Again: due(&h.again)}
	}
	return x, files
}

func (p *program) encodeChange(c *change) *changeState {
	if c == nil {
		return nil
	}
	x := &changeState{Was: c.was, Now: c.now, Last: c.last, Starts: c.starts, Skipped: c.skipped}
	for _, text := range c.output {
		x.Output = append(x.Output, []byte(text))
	}
	if c.spec != p.spec {
		x.Spec = specOf(c.spec)
	}
	return x
}

func encodeSource(s source) (x sourceState) {
	x.FD = s.fd()
	switch s := s.(type) {
	case *outlet:
		x.Kind, x.PID, x.Start, x.Stderr, x.Kept = kindOutput, int(s.pid), s.process, s.stderr, bytes.Clone(s.kept)
		x.Over, x.Stalled = s.over, s.stalled != nil
		x.Begun, x.Pass, x.Within, x.Untold = s.begun, s.pass, s.within, s.untold
		if m := s.limit; m != nil {
			x.Rate, x.Used, x.Dropped, x.Second = m.rate, m.used, m.dropped, m.second
		}
		x.Tail, x.Left, x.Cut, x.Final = s.tail != nil, s.left, s.cut, s.final
	case *readyPipe:
		x.Kind, x.Program, x.Start = kindReady, s.p.spec.Name, s.start
	case *notifySocket:
		x.Kind, x.Program, x.Start, x.UID = kindNotify, s.p.spec.Name, s.start, s.uid
	case *gateLines:
		x.Kind, x.Guarded, x.Line, x.Opened = kindGate, s.guarded, bytes.Clone(s.line), s.opened
		if s.p.features != nil && s.p.gate == s.g {
			x.Program = s.p.spec.Name
		}
	}
	return x
}
