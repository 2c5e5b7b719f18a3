package main

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// said is a line on its way to those who listen, encoded once for all of them.
type said struct {
	line logLine
	once sync.Once
	text json.RawMessage
}

func (s *said) encoded() json.RawMessage {
	s.once.Do(func() { s.text, _ = json.Marshal(&s.line) })
	return s.text
}

// lines hands what programs write to who listens. None of it waits: what there is no room for is lost to that one,
// who is told.
type lines struct {
	listened atomic.Bool // somebody does

	mu       sync.Mutex
	ears     []*ear
	backlogs int // bytes that are being sent to those who do not read them
	over     bool
	alone    chan struct{} // closed when it is over, and nobody listens
}

func newLines() *lines { return &lines{alone: make(chan struct{})} }

// ear is somebody who listens. The lines' mu guards it, once it has joined.
type ear struct {
	names   []string        // patterns; none: all
	without map[string]bool // programs
	known   map[string]bool // whether it hears of a program
	wake    bell
	queue   []*said
	held    int  // bytes in it
	lost    int  // lines after it
	renewed bool // the programs may be others
}

// What is held for one who listens, and for the backlogs of all together.
const (
	mostHeld     = 256 << 10
	mostBacklogs = 8 << 20
)

func (e *ear) hears(program string) bool {
	hears, known := e.known[program]
	if !known {
		hears = !e.without[program] && anyMeans(e.names, program)
		e.known[program] = hears
	}
	return hears
}

// heard is for the Set, whose reader calls it. Where nobody listens it makes nothing.
func (h *lines) heard(l *supervise.Line) {
	if !h.listened.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var s *said
	for _, e := range h.ears {
		if !e.hears(l.Program) {
			continue
		}
		e.wake.ring()
		if e.lost > 0 || e.held > 0 && e.held+len(l.Text) > mostHeld {
			e.lost++
			continue
		}
		if s == nil {
			s = &said{line: lineOf(l)}
		}
		e.queue = append(e.queue, s)
		e.held += len(l.Text) + lineCost
	}
}

// lineCost is about what the memory for a line is beside its text, in both forms.
const lineCost = 300

func lineOf(l *supervise.Line) logLine {
	return logLine{l.Program, l.PID, l.Time, l.Stderr, string(l.Text)}
}

func (h *lines) join(e *ear) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ears = append(h.ears, e)
	h.listened.Store(true)
}

func (h *lines) leave(e *ear) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ears = slices.DeleteFunc(h.ears, func(other *ear) bool { return other == e })
	h.listened.Store(len(h.ears) > 0)
	h.noteAlone()
}

func (h *lines) noteAlone() {
	if h.over && len(h.ears) == 0 {
		select {
		case <-h.alone:
		default:
			close(h.alone)
		}
	}
}

// take returns what e is to hear, how many lines are missing after it, and whether nothing comes any more.
func (h *lines) take(e *ear) (queue []*said, lost int, renewed, over bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	queue, lost, renewed = e.queue, e.lost, e.renewed
	e.queue, e.held, e.lost, e.renewed = nil, 0, 0, false
	return queue, lost, renewed, h.over
}

// renew says that the programs may be others.
func (h *lines) renew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.ears {
		e.renewed, e.known = true, map[string]bool{}
		e.wake.ring()
	}
}

// end is when no line comes any more. Those who listen have a moment to hear of the last.
func (h *lines) end(ctx context.Context) {
	h.mu.Lock()
	h.over = true
	for _, e := range h.ears {
		e.wake.ring()
	}
	h.noteAlone()
	h.mu.Unlock()
	select {
	case <-h.alone:
	case <-time.After(time.Second): // one that has paused in a flood does not keep the daemon for longer
	case <-ctx.Done():
	}
}

// reserve is how much of what is kept may be sent to one more: all of it, unless there are many who do not read it.
func (h *lines) reserve(bytes int) (granted int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	granted = max(mostHeld, min(bytes, mostBacklogs-h.backlogs))
	h.backlogs += granted
	return granted
}

func (h *lines) release(granted int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.backlogs -= granted
}
