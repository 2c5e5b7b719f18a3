package supervise

import (
	"container/heap"
	"time"
)

// deadlines are the programs that wait for a time, and the one timer that serves them all; none runs while nobody waits.
type deadlines struct {
	waiting byTime
	clock   *time.Timer
}

// next is the channel of the soonest deadline; nil when there is none.
func (d *deadlines) next() <-chan time.Time {
	switch {
	case len(d.waiting) == 0:
		if d.clock != nil {
			d.clock.Stop()
		}
		return nil
	case d.clock == nil:
		d.clock = time.NewTimer(time.Until(d.waiting[0].deadline))
	default:
		d.clock.Reset(time.Until(d.waiting[0].deadline))
	}
	return d.clock.C
}

// due removes and returns those whose time has come.
func (d *deadlines) due(now time.Time) (due []*program) {
	for len(d.waiting) > 0 && !d.waiting[0].deadline.After(now) {
		due = append(due, heap.Pop(&d.waiting).(*program))
	}
	return due
}

// set gives p a deadline in place of any that it has.
func (d *deadlines) set(p *program, in time.Duration) {
	d.remove(p)
	p.deadline = time.Now().Add(in)
	heap.Push(&d.waiting, p)
}

func (d *deadlines) remove(p *program) {
	if p.index >= 0 {
		heap.Remove(&d.waiting, p.index)
	}
}

// byTime is a heap, soonest first, that tells each program where it is.
type byTime []*program

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].deadline.Before(h[j].deadline) }

func (h byTime) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *byTime) Push(x any) {
	p := x.(*program)
	p.index = len(*h)
	*h = append(*h, p)
}

func (h *byTime) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	p.index = -1
	return p
}
