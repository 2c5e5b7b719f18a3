package logging

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of a queue, and what is dropped at once when one is reached: an
// eighth, so that a log that cannot keep up says so in one line of a hundred,
// not in every second one.
const (
	maxRecords = 8192
	maxBytes   = 1 << 20
	dropShare  = 8
)

// keptRecords is the room for records that is kept when a burst is over.
const keptRecords = 64

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
	front     []record // given back by settle; they go before records, and beside its bounds
	inHand    uint64   // weight of what next returned and settle has not seen
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
	return true, q.len() >= maxRecords/dropShare
}

// next waits for records and appends the next ones to batch: one, and more as
// long as their lines take no more than limit bytes together. It appends none
// when the queue is closed and empty. Losses come first, as a record without a
// line and alone: whatever was dropped is older than what is still there. Each
// batch that it returns is followed by one call of settle.
func (q *queue) next(batch []record, limit int) []record {
	for {
		q.mu.Lock()
		if q.abandoned {
			q.mu.Unlock()
			return batch
		}
		batch = q.take(batch, limit)
		q.inHand = 0
		for _, r := range batch {
			q.inHand += r.weight
		}
		closed := q.closed
		q.mu.Unlock()
		if len(batch) > 0 || closed {
			return batch
		}
		<-q.ready
	}
}

func (q *queue) take(batch []record, limit int) []record {
	if !q.reported && (q.waiting() || q.report) {
		if n := q.lost.Swap(0); n > 0 {
			q.reported = true
			return append(batch, record{level: slog.LevelWarn, weight: n})
		}
	}
	for size := 0; q.waiting(); {
		size += len(q.first().line)
		if len(batch) > 0 && size > limit {
			break
		}
		batch = append(batch, q.shift())
		q.reported = false
	}
	return batch
}

// settle says how many of the records in hand were written. The next one, if
// any, was lost; those behind it were not tried, and next returns them again.
func (q *queue) settle(batch []record, written int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inHand = 0
	if written == len(batch) || q.abandoned {
		return
	}
	q.lost.Add(batch[written].weight)
	q.front = append(slices.Clone(batch[written+1:]), q.front...)
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
	for q.waiting() {
		q.lost.Add(q.shift().weight)
	}
	q.wake()
}

func (q *queue) len() int { return len(q.records) - q.head }

// waiting, first and shift are about the front and the records behind it.
func (q *queue) waiting() bool { return len(q.front) > 0 || q.len() > 0 }

func (q *queue) first() record {
	if len(q.front) > 0 {
		return q.front[0]
	}
	return q.records[q.head]
}

func (q *queue) shift() record {
	if len(q.front) == 0 {
		return q.pop()
	}
	r := q.front[0]
	q.front[0] = record{}
	if q.front = q.front[1:]; len(q.front) == 0 {
		q.front = nil
	}
	return r
}

func (q *queue) pop() record {
	r := q.records[q.head]
	q.records[q.head] = record{}
	q.head++
	q.bytes -= len(r.line)
	if q.head == len(q.records) {
		q.records, q.head = q.records[:0], 0
		if cap(q.records) > keptRecords {
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
