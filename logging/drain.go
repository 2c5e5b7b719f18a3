package logging

import "context"

// drain is over when all is written, or when nobody is there to take it.
type drain struct {
	over   chan struct{}
	absent bool
}

// drain waits until nothing is queued or in hand. It returns what is when ctx ends, or when nobody is there to take it.
func (q *queue) drain(ctx context.Context) (left uint64) {
	d := q.draining()
	if d == nil {
		return 0
	}
	select {
	case <-d.over:
		if !d.absent {
			return 0
		}
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	left = q.inHand
	for _, r := range q.front {
		left += r.weight
	}
	for _, r := range q.records[q.head:] {
		left += r.weight
	}
	return left
}

// draining returns what ends when all is written that there is; nil: there is nothing.
func (q *queue) draining() *drain {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.writing || q.abandoned || q.over {
		return nil
	}
	if q.drains == nil {
		q.drains = &drain{over: make(chan struct{})}
	}
	d := q.drains
	if q.absent {
		q.endDrain()
	}
	return d
}

func (q *queue) endDrain() {
	if q.drains != nil {
		q.drains.absent = q.absent
		close(q.drains.over)
		q.drains = nil
	}
}

// stall says that nobody is there to take what is in hand, until the next settle.
func (q *queue) stall() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.absent = true
	q.endDrain()
}
