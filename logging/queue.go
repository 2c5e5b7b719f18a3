package logging

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of a queue, and what is dropped at once when one is reached: an
// eighth, so that a log that cannot keep up says so in one line of a hundred,
// not in every second one.
const (
	maxRecords = 1024
	maxBytes   = 1 << 20
	dropShare  = 8
)

// record is one line on its way.
type record struct {
	line   []byte // nil in a report of losses, which the sink words
	level  slog.Level
	at     time.Time
	weight uint64 // the messages that are lost with it
}

// queue holds the records that wait to be written. Pushing never waits; when
// the queue is full the oldest go, so that the message after a recovery is
// always among those that get through.
//
// It is a mutex and a slice, not a channel, because a channel can be bounded
// neither in bytes nor from its old end.
type queue struct {
	ready chan struct{}  // capacity 1: something was pushed, or the end has come
	lost  *atomic.Uint64 // counts what is dropped; shared by a log's queues

	mu        sync.Mutex
	records   []record // records[:head] are gone
	head      int
	bytes     int
	inHand    uint64 // weight of what next returned and settle has not seen
	closed    bool
	report    bool // losses are reported once more at the end
	reported  bool // since the last record: a report that fails must not be next for ever
	abandoned bool
}

func newQueue(lost *atomic.Uint64) *queue {
	return &queue{ready: make(chan struct{}, 1), lost: lost}
}

// push adds r unless the queue is closed. crowded advises the caller to let
// others run.
func (q *queue) push(r record) (accepted, crowded bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, false
	}
	if q.len() >= maxRecords || q.bytes+len(r.line) > maxBytes {
		for q.len() > maxRecords-maxRecords/dropShare || q.bytes+len(r.line) > maxBytes-maxBytes/dropShare {
			q.lost.Add(q.pop().weight)
		}
	}
	if q.head >= maxRecords {
		n := copy(q.records, q.records[q.head:])
		clear(q.records[n:])
		q.records, q.head = q.records[:n], 0
	}
	q.records = append(q.records, r)
	q.bytes += len(r.line)
	q.wake()
	return true, q.len() >= maxRecords/2
}

// next waits for the next record; ok is false when the queue is closed and
// empty. Losses come first, as a record without a line: whatever was dropped
// is older than what is still there. Each record that it returns is followed by
// one call of settle.
func (q *queue) next() (r record, ok bool) {
	for {
		q.mu.Lock()
		if q.abandoned {
			q.mu.Unlock()
			return record{}, false
		}
		if !q.reported && (q.len() > 0 || q.report) {
			if n := q.lost.Swap(0); n > 0 {
				r, ok = record{level: slog.LevelWarn, weight: n}, true
				q.reported = true
			}
		}
		if !ok && q.len() > 0 {
			r, ok = q.pop(), true
			q.reported = false
		}
		q.inHand = r.weight
		closed := q.closed
		q.mu.Unlock()
		if ok || closed {
			return r, ok
		}
		<-q.ready
	}
}

// settle says whether the record in hand was written.
func (q *queue) settle(written bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !written && !q.abandoned {
		q.lost.Add(q.inHand)
	}
	q.inHand = 0
}

// close lets nothing in any more; what is queued can still be taken.
func (q *queue) close(report bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.report = true, report
	q.wake()
}

// abandon counts as lost all that is queued or in hand. That the latter may
// arrive after all cannot be known.
func (q *queue) abandon() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.abandoned {
		return
	}
	q.abandoned = true
	q.lost.Add(q.inHand)
	for q.len() > 0 {
		q.lost.Add(q.pop().weight)
	}
	q.wake()
}

func (q *queue) len() int { return len(q.records) - q.head }

func (q *queue) pop() record {
	r := q.records[q.head]
	q.records[q.head] = record{}
	q.head++
	q.bytes -= len(r.line)
	if q.head == len(q.records) {
		q.records, q.head = q.records[:0], 0
		if cap(q.records) > maxRecords/dropShare {
			q.records = nil // the memory of a burst is not kept
		}
	}
	return r
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
