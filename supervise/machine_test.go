package supervise

import (
	"container/heap"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing/synctest"
	"time"
)

// machine is a model of the kernel and of the programs that run on it. A seed decides all that it does: who dies when
// and how, who takes no notice of TERM, which forks fail, when SIGCHLD comes. It is driven by one goroutine, which does
// one thing at a time and lets the loop come to rest before the next, so that the same seed always leads to the same
// life.
type machine struct {
	seed    uint64
	rnd     *rand.Rand // for what does not depend on who it is
	born    time.Time
	orphans bool
	cgroups bool
	calm    bool  // from now on everything goes well
	fates   fates // nil: the seed decides

	events   happenings
	seq      int
	sleeping bool
	wake     chan struct{}
	fence    atomic.Int64 // so that the race detector knows who comes after whom

	died      chan os.Signal
	turns     chan struct{}
	turnDue   bool
	outcomes  chan launched
	flight    *process
	landed    time.Duration // the last of them
	slowly    time.Duration // when somebody has died last who took his time
	signalDue bool
	procs     map[int]*process
	latest    map[*program]*process
	zombies   []*process // ours, in the order of their deaths
	lastPID   int
	counts    map[string]int        // of checks and the like
	bounds    map[string]*Resources // of the cgroups that there are
	looking   bool                  // at orphans
	gen       int                   // counts the Sets, one of which goes on where another was
	binding   bool                  // some are being bound
	helper    bool                  // Options.Helper
	moments   map[string][]func()
	asked     time.Duration // when the Set asked for the time, and how often within a second
	askings   int

	listening  map[string]int // sockets, by address
	lastSocket int

	judge // what has to hold

	tracing bool
	trace   []string
}

// happening is something that happens at its time.
type happening struct {
	at  time.Duration
	seq int
	do  func()
}

type happenings []happening

func (h happenings) Len() int { return len(h) }
func (h happenings) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h happenings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *happenings) Push(x any)   { *h = append(*h, x.(happening)) }
func (h *happenings) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

const us = 100 // PID of the process that the Set is in

func newMachine(seed uint64) *machine {
	m := &machine{seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), born: time.Now(), wake: make(chan struct{}, 1),
		died: make(chan os.Signal, 1), turns: make(chan struct{}, 1), outcomes: make(chan launched, 1),
		procs: map[int]*process{}, latest: map[*program]*process{}, lastPID: 1000, lastSocket: 1000, counts: map[string]int{},
		bounds: map[string]*Resources{}, moments: map[string][]func(){}, listening: map[string]int{}}
	m.judge = judge{m: m, refs: map[string]*ref{}, longest: map[string]time.Duration{}, told: map[string]string{}}
	return m
}

func (m *machine) now() time.Duration { return time.Since(m.born) }

// later has something happen after d and a bit, at a time that it shares with nothing else.
func (m *machine) later(d time.Duration, do func()) {
	m.seq++
	heap.Push(&m.events, happening{m.now() + d + time.Duration(1+m.rnd.IntN(50_000)), m.seq, do})
	if m.sleeping {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// at has something happen a while after the next moment of a kind: launch, death or reaping of a program's process.
// What is to be found between two events is too rare otherwise. It happens half a minute later if there is no such
// moment.
func (m *machine) at(moment string, while time.Duration, do func()) {
	if moment == "" {
		do()
		return
	}
	over := false
	once := func(while time.Duration) func() {
		return func() {
			if !over {
				over = true
				m.later(while, do)
			}
		}
	}
	m.moments[moment] = append(m.moments[moment], once(while))
	m.later(30*time.Second, once(0))
}

func (m *machine) moment(what string) {
	waiting := m.moments[what]
	delete(m.moments, what)
	for _, do := range waiting {
		do()
	}
}

// drive lets things happen until it is over.
func (m *machine) drive(over func() bool) {
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	for {
		synctest.Wait()
		m.sync()
		m.look()
		if over() || len(m.events) == 0 {
			return
		}
		if d := m.events[0].at - m.now(); d > 0 {
			clock.Reset(d)
			m.sleeping = true
			m.sync()
			select {
			case <-clock.C:
			case <-m.wake:
			}
			synctest.Wait() // whoever woke us may go on
			m.sync()
			m.sleeping = false
			continue
		}
		heap.Pop(&m.events).(happening).do()
		m.sync()
	}
}

func (m *machine) sync() { m.fence.Add(1) }

func (m *machine) say(format string, args ...any) {
	if m.tracing {
		m.trace = append(m.trace, fmt.Sprintf("%12.6f  ", m.now().Seconds())+fmt.Sprintf(format, args...))
	}
}

func (x *process) proc() proc {
	return proc{pid: x.pid, parent: x.parent, group: x.group, session: x.group, start: uint64(x.created / tick),
		name: x.kind, dead: x.dead}
}

const mark = "MARK=1"

// The log of the Set: a bug is one.

func (m *machine) Enabled(context.Context, slog.Level) bool { return true }
func (m *machine) WithAttrs([]slog.Attr) slog.Handler       { return m }
func (m *machine) WithGroup(string) slog.Handler            { return m }
func (m *machine) Handle(_ context.Context, r slog.Record) error {
	m.sync()
	defer m.sync()
	m.say("  log: %s", r.Message)
	if strings.Contains(r.Message, "bug: ") {
		m.breaks("%s", r.Message)
	}
	for _, what := range []string{"up", "down", "restart"} {
		names, is := strings.CutPrefix(r.Message, "programs: "+what+": ")
		if !is {
			continue
		}
		all := slices.Collect(maps.Keys(m.judge.refs))
		if !strings.HasSuffix(names, " more") {
			all = strings.Split(names, ", ")
		}
		m.judge.carriedOut(what, all)
	}
	return nil
}
