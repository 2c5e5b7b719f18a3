package logging

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
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

// sink is a device with its queue and, while something is queued, the goroutine
// between them.
type sink struct {
	device   device
	layout   layout
	whose    string    // begins the report of losses
	midline  bool      // what was written last does not end its line
	absent   time.Time // of the last attempt that has found nobody
	known    bool      // it fails, and somebody was told so
	told     time.Time // when that was
	queue    *queue
	retry    time.Duration
	closing  chan struct{} // closed by end
	done     chan struct{} // closed when the goroutine has ended for good
	finished chan struct{} // closed when nobody waits for it any more
}

func startSink(d device, f layout, whose string, lost *losses, retry time.Duration) *sink {
	s := &sink{
		device:   d,
		layout:   f,
		whose:    whose,
		queue:    newQueue(lost),
		retry:    retry,
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
		finished: make(chan struct{}),
	}
	s.queue.write = s.run
	return s
}

// run writes what is queued. It ends when that is done, for there may be
// thousands of sinks that get a line in a day, and the next one starts it anew.
func (s *sink) run() {
	var batch []record
	for {
		var over bool
		batch, over = s.queue.next(batch[:0], s.device.batch())
		if over {
			s.device.close()
			close(s.done)
		}
		if len(batch) == 0 {
			return
		}
		if r := &batch[0]; r.line == nil {
			r.at = time.Now()
			text := strconv.FormatUint(r.weight, 10) + " log messages lost"
			r.line = s.report(r.at, r.level, text)
		}
		written := s.deliver(batch)
		if written > 0 && s.layout == plain {
			s.midline = !bytes.HasSuffix(batch[written-1].line, []byte{'\n'})
		}
		s.queue.settle(batch, written)
		clear(batch)
		if cap(batch) > keptRecords {
			batch = nil // the memory of a burst is not kept
		}
	}
}

// report is the line that tells of losses.
func (s *sink) report(at time.Time, level slog.Level, text string) []byte {
	line := s.layout.line(at, level, text, func(b []byte) []byte { return b })
	if s.layout == plain {
		line = append([]byte(s.whose), line...)
		if s.midline {
			line = append([]byte{'\n'}, line...)
		}
	}
	return line
}

// deliver writes the batch, and returns how much of it was written. While
// nobody is there it keeps the rest, and the queue behind it, for the next
// attempt; at the end there is none, and the time of a stop is not spent on trying
// each, nor on trying anew what was tried within the retry interval.
func (s *sink) deliver(batch []record) int {
	for written := 0; ; {
		last := isClosed(s.closing)
		if !last || time.Since(s.absent) >= s.retry {
			tried := time.Now()
			n, err := s.device.write(batch[written:])
			written += n
			if err == nil || !errors.Is(err, errAbsent) {
				s.tell(err)
				return written
			}
			s.absent = tried
		}
		if last {
			s.queue.settle(batch, written)
			s.queue.abandon()
			return written
		}
		s.queue.stall()
		s.pause()
	}
}

// tell tells whoever wants to know why what is written is lost: when that begins, and no sooner than a minute after the
// last time.
func (s *sink) tell(err error) {
	switch because := s.queue.lost.because.Load(); {
	case err == nil:
		s.known = false
	case because != nil && !s.known && time.Since(s.told) >= time.Minute:
		s.known, s.told = true, time.Now()
		(*because)(err)
	}
}

// pause waits for a reason to try again: a newer record, but no sooner than the
// retry interval after the last attempt. As long as nothing is logged there is
// no reason, and no timer.
func (s *sink) pause() {
	select {
	case <-s.queue.ready:
	case <-s.closing:
		return
	}
	t := time.NewTimer(time.Until(s.absent.Add(s.retry)))
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

// await waits for the goroutine, and leaves it to itself when ctx ends.
func (s *sink) await(ctx context.Context) {
	defer close(s.finished)
	s.join(ctx)
}

// join is await for whoever comes second.
func (s *sink) join(ctx context.Context) {
	select {
	case <-s.done:
	case <-s.finished:
	case <-ctx.Done():
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
