package logging

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"
)

// device writes lines. Only the goroutine of its sink uses it; it may block for
// as long as it likes.
type device interface {
	// batch is the number of bytes up to which records are best written together;
	// 0 means one by one.
	batch() int
	// write writes the records in their order, and returns how many of them were
	// written as a whole. With errAbsent the next one may be written later; with
	// any other error it is lost, and those behind it are still to be written.
	write([]record) (int, error)
	close()
}

// errAbsent means that nobody is there to take the record.
var errAbsent = errors.New("nobody listens")

// sink is a device with its queue and the goroutine between them.
type sink struct {
	device   device
	layout   layout
	queue    *queue
	retry    time.Duration
	closing  chan struct{} // closed by end
	done     chan struct{} // closed when the goroutine has ended
	finished chan struct{} // closed when nobody waits for it any more
}

func startSink(d device, f layout, lost *atomic.Uint64, retry time.Duration) *sink {
	s := &sink{
		device:   d,
		layout:   f,
		queue:    newQueue(lost),
		retry:    retry,
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
		finished: make(chan struct{}),
	}
	go s.run()
	return s
}

func (s *sink) run() {
	defer close(s.done)
	defer s.device.close()
	var batch []record
	for {
		batch = s.queue.next(batch[:0], s.device.batch())
		if len(batch) == 0 {
			return
		}
		if r := &batch[0]; r.line == nil {
			r.at = time.Now()
			text := strconv.FormatUint(r.weight, 10) + " log messages lost"
			r.line = s.layout.line(r.at, r.level, text, func(b []byte) []byte { return b })
		}
		s.queue.settle(batch, s.deliver(batch))
		clear(batch)
		if cap(batch) > keptRecords {
			batch = nil // the memory of a burst is not kept
		}
	}
}

// deliver writes the batch, and returns how much of it was written. While
// nobody is there it keeps the rest, and the queue behind it, for the next
// attempt.
func (s *sink) deliver(batch []record) int {
	for written := 0; ; {
		last := isClosed(s.closing)
		tried := time.Now()
		n, err := s.device.write(batch[written:])
		written += n
		if err == nil || last || !errors.Is(err, errAbsent) {
			return written
		}
		s.pause(tried)
	}
}

// pause waits for a reason to try again: a newer record, but no sooner than the
// retry interval after the last attempt. As long as nothing is logged there is
// no reason, and no timer.
func (s *sink) pause(tried time.Time) {
	select {
	case <-s.queue.ready:
	case <-s.closing:
		return
	}
	t := time.NewTimer(time.Until(tried.Add(s.retry)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.closing:
	}
}

// end makes the goroutine write what is queued and then end; with report, also
// that messages were lost. It is followed by one call of await.
func (s *sink) end(report bool) {
	s.queue.close(report)
	close(s.closing)
}

// await waits for the goroutine, and leaves it to itself after the bound.
func (s *sink) await(bound time.Duration) {
	defer close(s.finished)
	t := time.NewTimer(bound)
	defer t.Stop()
	select {
	case <-s.done:
	case <-t.C:
		s.queue.abandon()
	}
}

// over reports whether await has returned.
func (s *sink) over() bool { return isClosed(s.finished) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
