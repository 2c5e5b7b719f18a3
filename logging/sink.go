package logging

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"
)

// device writes single lines. Only the goroutine of its sink uses it; it may
// block for as long as it likes.
type device interface {
	// write returns errAbsent if the same record may be written later; with any
	// other error the record is lost.
	write(record) error
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
	for {
		r, ok := s.queue.next()
		if !ok {
			return
		}
		if r.line == nil {
			r.at = time.Now()
			text := strconv.FormatUint(r.weight, 10) + " log messages lost"
			r.line = s.layout.line(r.at, r.level, text, func(b []byte) []byte { return b })
		}
		s.queue.settle(s.deliver(r))
	}
}

// deliver writes r, and reports whether that worked in the end. While nobody is
// there it keeps r, and the queue behind it, for the next attempt.
func (s *sink) deliver(r record) bool {
	for {
		last := isClosed(s.closing)
		tried := time.Now()
		err := s.device.write(r)
		if err == nil {
			return true
		}
		if last || !errors.Is(err, errAbsent) {
			return false
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
