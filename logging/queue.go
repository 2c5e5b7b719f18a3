package logging

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of a queue, and what is dropped at once when one is reached: an eighth, so that a log that cannot keep up
// says so in one line of a hundred, not in every second one.
const (
	maxRecords = 8192
	maxBytes   = 1 << 20
	dropShare  = 8
)

// maxWaiting bounds what is offered: the bytes of a queue and of what its sink has in hand, with about what the memory
// for a record is beside its line. Whoever offers can wait, so it is no more than keeps a disk busy: there may be
// thousands of queues, and one disk that hangs fills them all.
const (
	maxWaiting = 64 << 10
	recordCost = 104
)

// keptRecords is the room for records that is kept when a burst is over.
const keptRecords = 64

// record is one line on its way.
type record struct {
	line    []byte // nil in a report of losses, which the sink words
	level   slog.Level
	at      time.Time
	weight  uint64 // the messages that are lost with it
	report  bool   // it tells of losses, which are counted already
	program string // whose line it is, for syslog; zero: ours
	pid     int
}

// losses are counted until they are told of, and in all.
type losses struct {
	untold, total atomic.Uint64
	because       atomic.Pointer[func(error)] // whom to tell why; may be nil
}

func (l *losses) add(r record) {
	l.untold.Add(r.weight)
	if !r.report {
		l.total.Add(r.weight)
	}
}

func (r record) cost() int {
	if r.line == nil {
		return 0
	}
	return len(r.line) + recordCost
}

// queue holds the records that wait to be written. Pushing never waits; when the queue is full the oldest go, so that
// the message after a recovery is always among those that get through. Offering waits neither: when there is no room it
// says so, and the caller waits.
//
// It is a mutex and a slice, not a channel, because a channel can be bounded neither in bytes nor from its old end.
type queue struct {
	ready chan struct{} // capacity 1: something was pushed while it was written
	lost  *losses       // shared by a log's queues
	write func()        // takes what is queued; on a goroutine of its own

	mu        sync.Mutex
	writing   bool     // write runs
	records   []record // records[:head] are gone
	head      int
	bytes     int
	front     []record      // given back by settle; they go before records, and beside its bounds
	inHand    uint64        // weight of what next returned and settle has not seen
	inHandFor int           // and its cost
	held      int           // cost of all that is here or in hand
	room      chan struct{} // somebody waits for room; closed when there is
	drains    *drain        // somebody waits for all to be written
	absent    bool          // nobody takes what is here, for now
	hurried   bool          // nobody is to wait any more
	closed    bool
	over      bool // closed, and all is written: write is not started again
	report    bool // losses are reported once more at the end
	reported  bool // since the last record: a report that fails must not be next for ever
	abandoned bool
}

func newQueue(lost *losses) *queue {
	return &queue{ready: make(chan struct{}, 1), lost: lost}
}

// push adds r unless the queue is closed. crowded advises the caller to let others run.
func (q *queue) push(r record) (accepted, crowded bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, false
	}
	if q.len() >= maxRecords || q.bytes+len(r.line) > maxBytes {
		for q.len() > maxRecords-maxRecords/dropShare || q.bytes+len(r.line) > maxBytes-maxBytes/dropShare {
			r := q.pop()
			q.held -= r.cost()
			q.lost.add(r)
		}
	}
	q.add(r)
	return true, q.len() >= maxRecords/dropShare
}

// admit adds r, of which there may be too many, if half of the queue has room: the other half is for those that are
// few. What it does not add is counted, and told of where it is missing.
func (q *queue) admit(r record) (accepted, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, true
	}
	if q.len() < maxRecords/2 && q.bytes+len(r.line) <= maxBytes/2 {
		q.add(r)
		return true, false
	}
	q.lost.total.Add(r.weight)
	if n := len(q.records); n > q.head && q.records[n-1].line == nil {
		q.records[n-1].weight += r.weight
		return false, false
	}
	q.add(record{level: slog.LevelWarn, weight: r.weight, report: true})
	return false, false
}

// offer adds r if there is room. If there is none, it returns a channel that is closed once there is, or once there is
// another reason to try again.
func (q *queue) offer(r record) (room <-chan struct{}, accepted bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return nil, false
	case q.held > 0 && q.held+r.cost() > maxWaiting && !q.hurried:
		if q.room == nil {
			q.room = make(chan struct{})
		}
		return q.room, false
	}
	q.add(r)
	return nil, true
}

// hurry ends the waiting for room: whoever waited is to push.
func (q *queue) hurry() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hurried = true
	q.makeRoom()
}

// makeRoom wakes whoever waits, when half of the room is there.
func (q *queue) makeRoom() {
	if q.room != nil && (q.held <= maxWaiting/2 || q.closed || q.hurried) {
		close(q.room)
		q.room = nil
	}
}

func (q *queue) add(r record) {
	if q.head >= maxRecords {
		n := copy(q.records, q.records[q.head:])
		clear(q.records[n:])
		q.records, q.head = q.records[:n], 0
	}
	q.records = append(q.records, r)
	q.bytes += len(r.line)
	q.held += r.cost()
	q.wake()
}

// next appends the next records to batch: one, and more as long as their lines take no more than limit bytes together.
// It appends none when the queue is empty: then write is to return, and is started again when there is something, the
// end included, unless this was the end: over. Losses come first, as a record without a line and alone: whatever was
// dropped is older than what is still there. Each batch that it returns is followed by one call of settle.
func (q *queue) next(batch []record, limit int) (_ []record, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.abandoned {
		return batch, true
	}
	batch = q.take(batch, limit)
	q.inHand, q.inHandFor = 0, 0
	for _, r := range batch {
		q.inHand += r.weight
		if r.line != nil {
			q.inHandFor += r.cost()
		}
	}
	if len(batch) == 0 {
		over = q.closed
		q.writing, q.over = over, over
		q.endDrain()
	}
	return batch, over
}

func (q *queue) take(batch []record, limit int) []record {
	if !q.reported && (q.waiting() || q.report) {
		if n := q.lost.untold.Swap(0); n > 0 {
			q.reported = true
			return append(batch, record{level: slog.LevelWarn, weight: n, report: true})
		}
	}
	if q.waiting() && q.first().line == nil {
		return append(batch, q.shift())
	}
	for size := 0; q.waiting() && q.first().line != nil; {
		size += len(q.first().line)
		if len(batch) > 0 && size > limit {
			break
		}
		batch = append(batch, q.shift())
		q.reported = false
	}
	return batch
}

// settle says how many of the records in hand were written. The next one, if any, was lost; those behind it were not
// tried, and next returns them again.
func (q *queue) settle(batch []record, written int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inHand, q.absent = 0, false
	if q.abandoned {
		return
	}
	q.held -= q.inHandFor
	if written < len(batch) {
		q.lost.add(batch[written])
		for _, r := range batch[written+1:] {
			q.held += r.cost()
		}
		q.front = append(slices.Clone(batch[written+1:]), q.front...)
	}
	q.makeRoom()
}

// close lets nothing in any more; what is queued can still be taken.
func (q *queue) close(report bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.report = true, report
	q.makeRoom()
	q.wake()
}

// abandon counts as lost all that is queued or in hand. That the latter may arrive after all cannot be known.
func (q *queue) abandon() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.abandoned {
		return
	}
	q.abandoned = true
	q.lost.add(record{weight: q.inHand})
	for q.waiting() {
		q.lost.add(q.shift())
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
	if !q.writing {
		q.writing = true
		go q.write()
		return
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
