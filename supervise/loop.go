package supervise

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loop is the goroutine that owns every program. It waits for nothing but channels and timers; whatever else it asks is
// asked of its kernel.
type loop struct {
	Options
	set      *Set
	programs map[string]*program
	after    map[string][]dependent // who comes after whom
	byPID    map[int]*program
	tasks    map[int]*task
	gates    map[string]*task // that were given up, by program, and have not ended
	alarms   alarms
	asleep   asleep
	epoch    time.Time
	booted   time.Time // the machine, see bootTime
	kernel   kernel

	// To be launched one at a time, between other events: a stop need not wait for five thousand starts.
	queue    []*program
	places   int                    // in it that were given so far
	turns    int                    // and taken
	launches []*launch              // what the spawner is to do next
	flight   *launch                // what it does now; nil: nothing
	lateness alarm                  // of that
	hanging  map[place]bool         // that have kept somebody from its exec, since the last reload
	searches map[*Program][]*search // by whose user and environment are being looked for
	seeking  int                    // tasks that are to be launched then
	heldBack bool                   // somebody may have died who was not looked at
	early    []notice               // from its process

	updates  []*updating    // those that have programs in the queue
	awaiting []chan error   // those who wait for the Required
	poke     syscall.Signal // that is being handed on

	silent int // how often there was no descriptor for what a process writes

	stops uint32 // how often programs have been told to stop, at a time

	reader   *reader
	feed     feeding
	freezing freezing
	beside   map[chan ran]*task // see Run

	stopping *stopRequest
	hurried  bool         // its time is over
	spared   map[int]bool // who asked for the stop, and who is above
	within   map[int]bool // the groups of those
	besides  map[int]bool // and the sessions
	kin      kin
	hunt     hunt

	sweeps     map[string]*sweep // by cgroup, or by name
	unsurveyed []*sweep          // to be looked for
	surveying  bool              // somebody looks
	inhabited  map[string]Kill   // cgroups of programs that have gone, and whose somebody is in

	binding  map[string]binding // Resources to be applied, by cgroup
	applying map[string]binding // and those that are being; nil: none are

	sockets sockets
}

// What others ask of the loop.
type (
	awaitRequest struct{ reply chan error }
	stopRequest  struct {
		ctx   context.Context
		reply chan error
	}
	statusRequest struct {
		now   func()
		reply chan []Status
	}
	// notice is what a goroutine that reads from a process has seen. It is void when that process has gone.
	notice struct {
		p     *program
		start int // p.starts when it was started
		seen  func(l *loop, p *program)
		// handled is called after that, or when it was void; may be nil.
		handled func()
	}
)

func newLoop(o Options, s *Set, k kernel) *loop {
	l := &loop{Options: o, set: s, kernel: k, programs: map[string]*program{}, byPID: map[int]*program{},
		tasks: map[int]*task{}, gates: map[string]*task{}, reader: newReader(s, o.Line), epoch: time.Now(),
		sweeps: map[string]*sweep{}, inhabited: map[string]Kill{}, binding: map[string]binding{}, sockets: sockets{},
		hanging: map[place]bool{}, searches: map[*Program][]*search{}}
	s.reader = l.reader
	return l
}

func (l *loop) run() {
	defer close(l.set.ended)
	died, shut := l.kernel.open(&l.Options)
	defer shut()
	defer l.reader.letGo()
	defer l.letGoFeed()
	defer l.closeSockets()

	l.takeStock()
	var hurried, given <-chan struct{}
	for l.stopping == nil || len(l.programs)+len(l.tasks)+len(l.launches)+l.seeking+len(l.sweeps) > 0 ||
		l.flight != nil ||
		l.strays() {
		var turn <-chan struct{}
		if l.nextSurvey() {
			continue // that may have been the last
		}
		if l.freezing.freezeRequest != nil && l.freeze() {
			continue
		}
		if l.flight == nil || l.flight.program == nil {
			l.answerUpdates()
		}
		switch {
		case l.flight != nil:
		case len(l.queue) > 0 && l.freezing.freezeRequest == nil:
			turn = l.kernel.turn()
		case l.heldBack:
			l.reap()
			continue
		}
		ring := l.alarms.next()
		select {
		case r := <-l.set.requests:
			l.take(r)
			if l.stopping != nil && !l.hurried {
				hurried = l.stopping.ctx.Done()
			}
		case r := <-l.kernel.launched():
			l.landed(r)
		case <-died:
			l.reapFirst()
		case <-ring:
			l.alarms.run(time.Now())
		case <-turn:
			l.launchProgram(l.dequeue())
		case <-hurried:
			hurried = nil
			half, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			given = half.Done()
			l.hurry()
		case <-given:
			l.stopping.reply <- l.leftBehind()
			return
		}
		l.lastFeed()
	}
	l.removeCgroups()
	l.lastLines(l.stopping.ctx)
	l.stopping.reply <- nil
}

// take does what somebody else has asked the loop for.
func (l *loop) take(r any) {
	switch r := r.(type) {
	case spoken:
		for _, word := range l.reader.take() {
			l.hear(word)
		}
	case notice, gateSaid:
		l.hear(r)
	case updateRequest:
		l.update(r)
	case *operating:
		l.operate(r)
	case runRequest:
		l.runCommand(r)
	case endRunRequest:
		l.endRun(r.reply)
	case freezeRequest:
		l.beginFreeze(r)
	case leaveRequest:
		l.answerLate(r.of)
	case awaitRequest:
		l.awaiting = append(l.awaiting, r.reply)
		l.judge()
	case stopRequest:
		l.stop(r)
	case statusRequest:
		r.now()
		r.reply <- l.status()
	case boundNow:
		l.haveBound(r)
	case sessionsRequest:
		r.reply <- l.sessions()
	case surveyed:
		l.surveyed(r)
	case givenRequest:
		r.reply <- l.given(r.next)
	case looked:
		l.looked(r)
	case feedRequest:
		l.takeFeed(r.feed)
	}
}

// takeStock is for who has processes from the beginning, see Restore: some may have died meanwhile.
func (l *loop) takeStock() {
	for _, p := range l.inOrder() {
		if pid := p.pid; pid != 0 && l.kernel.kill(pid, 0) == unix.ESRCH {
			l.Log.Error(p.says("its process has gone, and nobody knows how"), "pid", pid)
			l.gone(pid, syscall.WaitStatus(unix.SIGKILL), true)
		}
	}
	if len(l.byPID)+len(l.tasks) > 0 {
		l.reap()
	}
}

func (l *loop) stop(r stopRequest) {
	if l.stopping != nil {
		go func() { <-l.set.ended; r.reply <- nil }()
		return
	}
	l.stopping = &r
	l.askSpare()
	if l.kin.keeps != nil {
		l.look() // while all of them still descend from their program
	}
	for _, p := range l.programs {
		p.wanted = nil
	}
	l.stops++
	for _, p := range l.inOrder() {
		l.replace(p)
		if p.features != nil && p.hooks != nil && p.hooks.again.index > 0 {
			l.hookAgain(p.hooks) // now or never
		}
	}
}

func (l *loop) hurry() {
	l.hurried = true
	l.askSpare()
	l.force()
	for _, p := range l.inOrder() {
		l.on(p, hurry)
	}
	for _, pid := range slices.Sorted(maps.Keys(l.tasks)) {
		l.signalGroup(pid, unix.SIGKILL)
	}
	for _, dir := range slices.Sorted(maps.Keys(l.sweeps)) {
		l.forceSweep(l.sweeps[dir])
	}
	l.giveUpSearches()
	l.giveUpLaunch()
}

// inOrder is all programs, by name: what is done to them is done in the same order each time.
func (l *loop) inOrder() []*program {
	all := make([]*program, 0, len(l.programs))
	for _, name := range slices.Sorted(maps.Keys(l.programs)) {
		all = append(all, l.programs[name])
	}
	return all
}

func (l *loop) status() []Status {
	list := make([]Status, 0, len(l.programs))
	boot := l.bootTime()
	for name, p := range l.programs {
		st := Status{Name: name, State: p.public(), PID: p.pid, Since: boot.Add(p.since), Starts: p.starts,
			Failures: p.failures, Last: p.last, Text: p.text(), MainPID: p.mainPID(), LastPID: int(p.ran)}
		if p.state == backoff {
			st.Next = boot.Add(l.kernel.sinceBoot() + time.Until(p.alarm.at)).Round(time.Millisecond)
		}
		l.tell(p, boot, &st)
		list = append(list, st)
	}
	return list
}

func (l *loop) leftBehind() error {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(l.programs)) {
		switch p := l.programs[name]; {
		case p.state.underWay():
			name += " (on its way to its executable)"
		case p.pid == 0:
			name += " (what is left of its group)"
		default:
			name += fmt.Sprintf(" (pid %d)", p.pid)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil // but for a task
	}
	return errors.New("even KILL has not ended program " + strings.Join(names, ", "))
}
