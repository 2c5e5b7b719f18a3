package supervise

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// loop is the goroutine that owns every program. It stays on one thread: the kernel ends a child when the thread that
// started it ends (PR_SET_PDEATHSIG, golang/go#27505).
type loop struct {
	Options
	set      *Set
	programs map[string]*program
	after    map[string][]string // who comes after whom
	byPID    map[int]*program
	tasks    map[int]*task
	alarms   alarms
	epoch    time.Time
	launcher launcher

	// To be launched one at a time, between other events: a stop need not wait for five thousand starts.
	queue    []*program
	ready    chan struct{} // closed
	applying []chan error  // those who wait for the queue to be empty
	failed   []error       // the launches that failed meanwhile
	awaiting []chan error  // those who wait for the Required

	readers sync.WaitGroup // of output

	stopping *stopRequest
	killed   map[int]bool // the strays
}

// What others ask of the loop.
type (
	applyRequest struct {
		next  map[string]*Program
		reply chan error
	}
	awaitRequest struct{ reply chan error }
	stopRequest  struct {
		ctx   context.Context
		reply chan error
	}
	statusRequest struct{ reply chan []Status }
	// notice is what a goroutine that reads from a process has seen. It is void when that process has gone.
	notice struct {
		p     *program
		start int // p.starts when it was started
		seen  func(l *loop, p *program)
	}
)

func newLoop(o Options, s *Set) *loop {
	l := &loop{Options: o, set: s, programs: map[string]*program{}, byPID: map[int]*program{}, tasks: map[int]*task{},
		epoch: time.Now(), killed: map[int]bool{}, ready: make(chan struct{})}
	close(l.ready)
	return l
}

func (l *loop) run() {
	runtime.LockOSThread() // never unlocked: no other goroutine may get the cleared signal mask
	defer close(l.set.ended)
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	defer signal.Stop(died)
	if l.Orphans {
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	l.launcher.open(l.Helper, l.Mark)
	defer l.launcher.close()

	var hurried, given <-chan struct{}
	for l.stopping == nil || len(l.programs)+len(l.tasks) > 0 || l.strays() {
		select {
		case r := <-l.set.requests:
			switch r := r.(type) {
			case notice:
				if r.p.starts == r.start && r.p.state.running() {
					r.seen(l, r.p)
				}
			case gateOpened:
				l.gateOpened(r)
			case applyRequest:
				l.apply(r)
			case awaitRequest:
				l.awaiting = append(l.awaiting, r.reply)
				l.judge()
			case stopRequest:
				l.stop(r)
				hurried = l.stopping.ctx.Done()
			case statusRequest:
				r.reply <- l.status()
			}
		case <-died:
			l.reap()
		case <-l.alarms.next():
			l.alarms.run(time.Now())
		case <-l.more():
			p := l.queue[0]
			l.queue = l.queue[1:]
			l.launch(p)
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
	}
	l.readers.Wait() // the last lines
	l.stopping.reply <- nil
}

// more is ready while the queue is not empty; once it is, those who wait for that are answered.
func (l *loop) more() <-chan struct{} {
	if len(l.queue) > 0 {
		return l.ready
	}
	l.queue = nil
	for _, reply := range l.applying {
		reply <- errors.Join(l.failed...)
	}
	l.applying, l.failed = nil, nil
	return nil
}

// apply moves every program towards its new self.
func (l *loop) apply(r applyRequest) {
	if l.stopping != nil {
		r.reply <- errStopped
		return
	}
	l.applying = append(l.applying, r.reply)
	old := make(map[string]*Program, len(l.programs))
	for name, p := range l.programs {
		if p.wanted != nil {
			old[name] = p.wanted
		}
	}
	l.order(r.next)
	c := plan(old, r.next)
	if len(old) > 0 {
		l.Log.Info("programs: " + c.String())
	}
	for _, name := range c.gone {
		l.become(l.programs[name], nil)
	}
	for _, name := range c.changed {
		p := l.programs[name]
		if next := r.next[name]; p.takesOn(next) {
			p.spec, p.wanted = next, next
			p.signal(next.ReloadSignal)
		} else {
			l.become(p, next)
		}
	}
	for _, name := range c.same {
		p := l.programs[name]
		if p.spec == p.wanted {
			p.spec = r.next[name]
		}
		p.wanted = r.next[name]
	}
	for _, name := range c.added {
		p := l.programs[name]
		if p == nil {
			p = &program{spec: r.next[name], since: time.Now()}
			l.programs[name] = p
		}
		p.wanted = r.next[name]
		l.on(p, want)
	}
	for _, p := range l.programs { // what they wait for may have changed
		if p.state == blocked {
			l.admit(p)
		}
	}
}

// become stops p and has it go on as next.
func (l *loop) become(p *program, next *Program) {
	p.wanted, p.failures = next, 0
	l.on(p, unwant)
}

func (l *loop) stop(r stopRequest) {
	if l.stopping != nil {
		go func() { <-l.set.ended; r.reply <- nil }()
		return
	}
	l.stopping = &r
	for _, p := range l.programs {
		p.wanted = nil
	}
	for _, p := range l.programs {
		l.become(p, nil)
	}
}

func (l *loop) hurry() {
	for _, p := range l.programs {
		l.on(p, hurry)
	}
	for _, t := range l.tasks {
		t.signal(unix.SIGKILL)
	}
}

func (l *loop) status() []Status {
	list := make([]Status, 0, len(l.programs))
	for name, p := range l.programs {
		st := Status{Name: name, State: p.public(), PID: p.pid, Since: p.since, Starts: p.starts, Failures: p.failures, Last: p.last}
		if p.state == backoff {
			st.Next = p.alarm.at
		}
		list = append(list, st)
	}
	return list
}

func (l *loop) leftBehind() error {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(l.programs)) {
		names = append(names, fmt.Sprintf("%s (pid %d)", name, l.programs[name].pid))
	}
	if len(names) == 0 {
		return nil // but for a task
	}
	return errors.New("even KILL has not ended program " + strings.Join(names, ", "))
}
