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
	s := &setState{Version: stateVersion, Now: l.kernel.sinceBoot(), Booted: l.bootTime(), Age: time.Since(l.epoch),
		Stops: l.stops, Cgroup: l.Cgroup, Inhabited: l.inhabited, Silent: l.silent, Keep: l.reader.kept.bound,
		Lines: l.reader.kept.n}
	x := &encoding{loop: l, setState: s, index: make(map[*Sink]int, len(l.programs)), wanted: map[*task]bool{}}
	x.encodePrograms()
	x.encodeSources()
	x.encodeTasks()
	x.encodeNames()
	x.encodeSweeps()
	x.encodeSockets()
	x.encodeKin()
	if s.Kept, err = l.reader.carry(s, x.index); err != nil {
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
	return state, x.files, own, err
}

// encoding is an encode on its way.
type encoding struct {
	*loop
	*setState
	files  []int          // descriptors that have to stay open
	index  map[*Sink]int  // in Sinks
	wanted map[*task]bool // those of programs, and of the feed
}

// due is when an alarm rings; 0: it is not set.
func (x *encoding) due(a *alarm) moment {
	if a.index == 0 {
		return 0
	}
	return max(1, x.Now+time.Until(a.at))
}

// task is nil for one that is not there, or has no process.
func (x *encoding) task(t *task) *taskState {
	if t == nil || x.tasks[t.pid] != t {
		return nil
	}
	x.wanted[t] = true
	return &taskState{t.pid, x.due(&t.limit)}
}

// sink is the index of one, which is written down the first time.
func (x *encoding) sink(k *Sink) int {
	i, known := x.index[k]
	if !known {
		i = len(x.Sinks)
		x.index[k] = i
		s := sinkState{Program: k.program, Output: k.output, Closing: k.closing}
		for _, o := range k.outlets {
			s.Outlets = append(s.Outlets, o.pipe)
		}
		x.Sinks = append(x.Sinks, s)
	}
	return i
}

func (x *encoding) encodePrograms() {
	x.Programs = make([]programState, 0, len(x.programs))
	for _, p := range x.inOrder() {
		s := x.program(p)
		if p.sink != nil {
			i := x.sink(p.sink)
			s.Sink = &i
		}
		x.Programs = append(x.Programs, s)
	}
}

func (x *encoding) encodeSources() {
	x.Sources = make([]sourceState, 0, len(x.reader.sources))
	for _, fd := range slices.Sorted(maps.Keys(x.reader.sources)) {
		s := encodeSource(x.reader.sources[fd])
		if o, ok := x.reader.sources[fd].(*outlet); ok {
			s.Sink = x.sink(o.sink)
		}
		x.files = append(x.files, fd)
		x.Sources = append(x.Sources, s)
	}
}

// encodeTasks comes after the programs: what is left is nobody's.
func (x *encoding) encodeTasks() {
	x.Feed = x.task(x.feed.task)
	for _, pid := range slices.Sorted(maps.Keys(x.tasks)) {
		if t := x.tasks[pid]; !x.wanted[t] {
			x.Tasks = append(x.Tasks, taskState{pid, x.due(&t.limit)})
		}
	}
	for name, t := range x.gates {
		if x.Gates == nil {
			x.Gates = map[string]int{}
		}
		x.Gates[name] = t.pid
	}
}

// encodeNames tells which programs wait for their turn, for their bounds, and to be woken.
func (x *encoding) encodeNames() {
	for _, p := range x.queue {
		if p.state == queued {
			x.Queue = append(x.Queue, p.spec.Name)
		}
	}
	for _, p := range x.inOrder() {
		if p.seeks() {
			x.Queue = append(x.Queue, p.spec.Name)
		}
	}
	for _, of := range []map[string]binding{x.applying, x.binding} {
		for _, dir := range slices.Sorted(maps.Keys(of)) {
			if p := x.programs[of[dir].name]; p != nil {
				x.Binding = append(x.Binding, p.spec.Name)
			}
		}
	}
	for _, t := range x.asleep.told {
		if t.isThere() {
			x.Asleep = append(x.Asleep, t.p.spec.Name)
		}
	}
}

func (x *encoding) encodeSweeps() {
	for _, dir := range slices.Sorted(maps.Keys(x.sweeps)) {
		w := x.sweeps[dir]
		s := sweepState{Dir: w.dir, Name: w.name, Session: w.session, Forcing: w.forcing, Limit: x.due(&w.limit),
			Again: x.due(&w.again), Wait: w.wait}
		for who := range w.asked {
			s.Asked = append(s.Asked, whoState{who.pid, who.start, []byte(who.name)})
		}
		x.Sweeps = append(x.Sweeps, s)
	}
}

func (x *encoding) encodeSockets() {
	for _, addr := range slices.Sorted(maps.Keys(x.sockets)) {
		n := x.sockets[addr]
		s := socketState{Address: addr, FD: n.fd, Dev: n.dev, Ino: n.ino}
		for _, p := range n.users {
			s.Users = append(s.Users, p.spec.Name)
		}
		if n.fd >= 0 {
			x.files = append(x.files, n.fd)
		}
		x.Sockets = append(x.Sockets, s)
	}
}

func (x *encoding) encodeKin() {
	k := &x.kin
	x.Keeps, x.HasKept, x.Sessions = slices.Sorted(maps.Keys(k.keeps)), k.keeps != nil, k.sessions
	if len(k.of) > 0 {
		x.Kin = make(map[int]kinState, len(k.of))
	}
	for pid, r := range k.of {
		x.Kin[pid] = kinState{r.start, r.ancestor}
	}
}

// program writes down one, but for its sink. A source may have come to its end before its process has.
func (x *encoding) program(p *program) programState {
	e := p.exits
	s := programState{Spec: specOf(p.spec), State: p.state.String(), Outcome: p.outcome, Stop: p.stop, Missing: p.missing,
		Passed: p.passed, PID: p.pid, Starts: p.starts, Failures: p.failures, Since: x.Booted.Add(p.since), Born: p.born,
		Told: p.told, Begun: p.begun, Due: x.due(&p.alarm), Last: p.last, Status: p.status, Why: p.why, Fault: p.fault,
		Leaves: p.leaves, Session: p.session, Swept: p.swept, Bound: p.bound, Ran: p.ran,
		Exits: Exits{int(e.stopped), int(e.succeeded), int(e.failed), int(e.signalled), int(e.unhealthy)}}
	if p.starts > 1 && p.spent >= 0 {
		s.Spent = &p.spent
	}
	switch p.wanted {
	case nil:
		s.Gone = true
	case p.spec:
	default:
		s.Wanted = specOf(p.wanted)
	}
	if p.holder != nil {
		s.Holder = p.holder.spec.Name
	}
	for _, of := range p.sources {
		if x.reader.has(of) {
			s.Sources = append(s.Sources, of.fd())
		}
	}
	if p.features != nil {
		x.features(p, &s)
	}
	return s
}

// features are those of a program that has some.
func (x *encoding) features(p *program, s *programState) {
	f := p.features
	s.Hold, s.GroupEnd, s.Died, s.Given, s.Proven, s.Proof = f.hold, f.groupEnd, f.deaths, specOf(f.given), f.proven,
		x.due(&f.proof)
	if f.firstError != nil {
		s.FirstError = f.firstError.Error()
	}
	if s.HasTail = f.tail != nil; s.HasTail {
		for line := range strings.Lines(f.tail.String()) {
			s.Tail = append(s.Tail, []byte(strings.TrimSuffix(line, "\n")))
		}
	}
	if g := f.gate; g != nil {
		s.Gate = &gateState{Spec: g.spec, Task: x.task(g.task), Socket: g.socket, Open: g.open, Token: []byte(g.token),
			Known: g.known, Given: g.given, Heard: g.heard, Lost: g.lost, Since: g.since, Renew: g.renew, Slack: g.slack,
			Timeout: g.timeout, Delay: x.due(&g.delay), Silence: x.due(&g.silence), Deadline: x.due(&g.deadline)}
		if g.socket >= 0 {
			x.files = append(x.files, g.socket)
		}
	}
	w := &f.watch
	of := watchState{x.due(&w.next), x.task(w.running), w.failures, w.failed, x.due(&w.watchdog)}
	if of != (watchState{}) {
		s.Watch = &of
	}
	if n := f.notified; n != nil {
		s.Notified = &notifiedState{Text: n.text, Reloading: n.reloading, Stopping: n.stopping, Watchdog: n.watchdog,
			End: x.due(&n.end), Extended: n.extended == p.state, Main: n.main, MainFD: n.mainFD}
		if n.main != 0 {
			x.files = append(x.files, n.mainFD)
		}
	}
	if h := f.hooks; h != nil {
		s.Hooks = &hooksState{Running: h.running, Told: p.encodeChange(h.told), Task: x.task(h.task),
			Waiting: p.encodeChange(h.waiting), Wants: h.wants, Again: x.due(&h.again)}
	}
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
