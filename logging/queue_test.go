package logging

import (
	"log/slog"
	"testing"
)

// full returns a queue that nobody empties, from which something has been dropped.
func full(l *losses) *queue {
	q := newQueue(l)
	q.write = func() {}
	for range maxRecords + 1 {
		q.push(record{line: []byte("line\n"), level: slog.LevelInfo, weight: 1})
	}
	return q
}

// promise L1: what is dropped takes no room any more: who offers would wait for it for ever.
func TestDroppedTakesNoRoom(t *testing.T) {
	q := full(new(losses))
	for {
		batch, _ := q.next(nil, maxBytes)
		if len(batch) == 0 {
			break
		}
		q.settle(batch, len(batch))
	}
	if q.held != 0 || q.bytes != 0 {
		t.Errorf("it is empty, and holds %d, %d bytes", q.held, q.bytes)
	}
}

// promise L1: losses are told each time there are some, once, and counted once, though the line that tells of them is
// lost too.
func TestLossesAreToldOnce(t *testing.T) {
	l := new(losses)
	q := full(l)
	dropped := l.total.Load()
	told := func() (n uint64) {
		batch, _ := q.next(nil, 1)
		for _, r := range batch {
			if r.report {
				n += r.weight
			}
		}
		q.settle(batch, len(batch))
		return n
	}
	if n := told(); n != dropped || n == 0 {
		t.Errorf("%d were dropped, and %d told of", dropped, n)
	}
	l.add(record{weight: 3})
	if n := told(); n != 0 {
		t.Errorf("before another line comes %d are told of", n)
	}
	if n := told(); n != 3 {
		t.Errorf("3 were lost since, and %d told of", n)
	}
	l.add(record{weight: 3, report: true})
	if n := l.total.Load(); n != dropped+3 {
		t.Errorf("%d were lost, and %d counted", dropped+3, n)
	}
}

// promise L1: a report of losses that cannot be written is not tried for ever at the end.
func TestReportThatFails(t *testing.T) {
	l := new(losses)
	q := newQueue(l)
	q.write = func() {}
	l.add(record{weight: 1})
	q.close(true)
	batch, over := q.next(nil, maxBytes)
	if len(batch) != 1 || over {
		t.Fatalf("%d records, over %v", len(batch), over)
	}
	q.settle(batch, 0)
	if batch, over = q.next(nil, maxBytes); len(batch) != 0 || !over {
		t.Errorf("it comes again: %d records, over %v", len(batch), over)
	}
	if n := l.untold.Load(); n != 1 {
		t.Errorf("%d are not told of", n)
	}
}

// promises U1, L1: that nobody is there to take what is logged is known until something was taken.
func TestAbsentUntilSettled(t *testing.T) {
	q := newQueue(new(losses))
	q.write = func() {}
	q.push(record{line: []byte("line\n"), weight: 1})
	batch, _ := q.next(nil, 0)
	q.stall()
	if d := q.draining(); d == nil || !d.absent || !isClosed(d.over) {
		t.Error("a flush waits for somebody who is not there")
	}
	q.settle(batch, len(batch))
	q.push(record{line: []byte("line\n"), weight: 1})
	if d := q.draining(); d == nil || isClosed(d.over) {
		t.Error("a flush does not wait for somebody who is there")
	}
}
