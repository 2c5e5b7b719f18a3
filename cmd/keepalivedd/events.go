package main

import (
	"slices"
	"sync"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// eventLine is a line of the stream of events. Its fields are only ever added to: docs/events.schema.json and
// keepalivedd(8) tell them all.
type eventLine struct {
	Event string    `json:"event"`
	N     uint64    `json:"n"` // of the last event that this line knows of
	Time  time.Time `json:"time"`

	Version int    `json:"version,omitempty"` // of the stream; of snapshot
	Release string `json:"release,omitempty"` // of snapshot

	Program  string `json:"program,omitempty"` // of program and change
	State    string `json:"state,omitempty"`   // of program, and of snapshot: the daemon's
	From     string `json:"from,omitempty"`    // of change
	To       string `json:"to,omitempty"`      // of change
	PID      int    `json:"pid,omitempty"`
	Starts   int    `json:"starts,omitempty"`
	Failures int    `json:"failures,omitempty"`
	Last     string `json:"last,omitempty"`
	Why      string `json:"why,omitempty"`
	Programs *int   `json:"programs,omitempty"` // of snapshot: how many lines follow

	Accepted *bool  `json:"accepted,omitempty"` // of reload
	Touched  string `json:"touched,omitempty"`  // of reload
	Error    string `json:"error,omitempty"`    // of reload

	Lines int `json:"lines,omitempty"` // of lost
}

// What a line is, eventLine.Event.
const (
	eventSnapshot = "snapshot" // how the daemon is, and that so many programs follow
	eventProgram  = "program"  // how one of them is
	eventChange   = "change"   // of a program's state
	eventReady    = "ready"    // the daemon
	eventReload   = "reload"
	eventStopping = "stopping"
	eventStopped  = "stopped" // all programs; nothing follows
	eventLost     = "lost"    // so many lines, in this place; a snapshot follows
)

// events number what happens, and hand it to who listens. None of it waits: what there is no room for is lost to that
// listener.
type events struct {
	mu        sync.Mutex
	n         uint64
	over      bool
	listeners []*listener
	alone     chan struct{} // closed when it is over, and nobody listens
}

func newEvents() *events { return &events{alone: make(chan struct{})} }

// listener is somebody who hears of events. The events' mu guards it.
type listener struct {
	names []string // patterns; none: all
	wake  bell
	queue []*eventLine
	lost  int // lines, after those in the queue
}

// mostHeard bounds the queue of a listener, by lines.
const mostHeard = 4096

func newListener(names []string) *listener {
	return &listener{names: names, wake: newBell()}
}

func (l *listener) hears(program string) bool { return anyMeans(l.names, program) }

func (l *listener) offer(line *eventLine) {
	if l.lost > 0 || len(l.queue) == mostHeard {
		l.lost++
	} else {
		l.queue = append(l.queue, line)
	}
	l.wake.ring()
}

// last is the number of the last one.
func (e *events) last() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n
}

// goOn has them be numbered on.
func (e *events) goOn(n uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n = n
}

// changed is for the Set. Where nobody listens it makes nothing.
func (e *events) changed(c supervise.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	var line *eventLine
	for _, l := range e.listeners {
		if !l.hears(c.Program) {
			continue
		}
		if line == nil {
			line = &eventLine{Event: eventChange, N: e.n, Time: c.Time, Program: c.Program, From: c.From, To: c.To, PID: c.PID,
				Starts: c.Starts, Failures: c.Failures, Last: c.Last, Why: c.Why()}
		}
		l.offer(line)
	}
}

// tell is for what happens to the daemon.
func (e *events) tell(line *eventLine) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	e.n++
	line.N, line.Time = e.n, time.Now()
	for _, l := range e.listeners {
		l.offer(line)
	}
}

func (e *events) reloaded(touched string, err error) {
	accepted := err == nil
	line := &eventLine{Event: eventReload, Accepted: &accepted}
	if accepted {
		line.Touched = touched
	} else {
		line.Error = err.Error()
	}
	e.tell(line)
}

// end is after the last change: who listens hears of no more.
func (e *events) end() {
	e.tell(&eventLine{Event: eventStopped})
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	e.over = true
	for _, l := range e.listeners {
		l.wake.ring()
	}
	e.noteAlone()
}

func (e *events) noteAlone() {
	if e.over && len(e.listeners) == 0 {
		select {
		case <-e.alone:
		default:
			close(e.alone)
		}
	}
}

// join has l hear of all that comes after n; what it has not taken by then is not for it any more.
func (e *events) join(l *listener) (n uint64, lost int, over bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.listeners, l) {
		e.listeners = append(e.listeners, l)
	}
	lost, l.lost, l.queue = l.lost+len(l.queue), 0, nil
	return e.n, lost, e.over
}

func (e *events) leave(l *listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listeners = slices.DeleteFunc(e.listeners, func(other *listener) bool { return other == l })
	e.noteAlone()
}

// take returns what l is to hear, whether more of it was lost, and whether nothing comes any more.
func (e *events) take(l *listener) (lines []*eventLine, lost, over bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	lines, l.queue = l.queue, nil
	return lines, l.lost > 0, e.over
}
