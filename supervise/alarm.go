package supervise

import (
	"container/heap"
	"time"
)

// An alarm rings once, at its time, on the loop's goroutine.
type alarm struct {
	at    time.Time
	index int // in the heap, from 1; 0: not set
	ring  func()
}

// alarms are all that are set, and the one timer that serves them; it does not run while none is.
type alarms struct {
	set   byTime
	clock *time.Timer
}

// in sets a, in place of what it was set to.
func (s *alarms) in(d time.Duration, a *alarm, ring func()) {
	s.off(a)
	a.at, a.ring = time.Now().Add(d), ring
	heap.Push(&s.set, a)
}

func (s *alarms) off(a *alarm) {
	if a.index > 0 {
		heap.Remove(&s.set, a.index-1)
		a.ring = nil
	}
}

// next is the channel on which the soonest comes; nil when none is set.
func (s *alarms) next() <-chan time.Time {
	switch {
	case len(s.set) == 0:
		if s.clock != nil {
			s.clock.Stop()
		}
		return nil
	case s.clock == nil:
		s.clock = time.NewTimer(time.Until(s.set[0].at))
	default:
		s.clock.Reset(time.Until(s.set[0].at))
	}
	return s.clock.C
}

// run rings those whose time has come. One may set or put off others.
func (s *alarms) run(now time.Time) {
	for len(s.set) > 0 && !s.set[0].at.After(now) {
		a := heap.Pop(&s.set).(*alarm)
		ring := a.ring
		a.ring = nil
		ring()
	}
}

// byTime is a heap, soonest first, that tells each alarm where it is.
type byTime []*alarm

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h byTime) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h *byTime) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.index = len(*h)
}

func (h *byTime) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	a.index = 0
	return a
}
