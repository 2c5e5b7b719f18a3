package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepalivedd/keepalivedd/logging"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// outlet is the destination of one program.
type outlet struct {
	*outputs
	program string
	log     atomic.Pointer[logging.Log] // nil until it has been opened
	lost    atomic.Uint64               // lines that there was no log for
	refused atomic.Uint64               // lines of which say has said that they are lost
	known   atomic.Uint64               // what dropped has returned last
	opened  chan struct{}               // closed when that has been tried, or is not waited for any more
	closed  chan struct{}               // closed when all is written, or lost

	opening  sync.Mutex // its options, while it is opened
	options  logging.Options
	closing  atomic.Bool
	wait     sync.Once // closes opened
	shutting sync.Once // closes closed
}

func (t *outlet) file() bool { return filepath.IsAbs(t.options.To) }

func (t *outlet) open() {
	t.opening.Lock()
	defer t.opening.Unlock()
	defer t.wait.Do(func() { close(t.opened) })
	t.turn(t.try)
}

// try never fails: a program whose output has nowhere to go still runs.
func (t *outlet) try() {
	log, err := logging.Open(t.options)
	if err != nil {
		t.lose(err)
		return
	}
	if t.file() {
		log.OnFailure(func(err error) { t.lose(fmt.Errorf("%s: %w", t.options.To, err)) })
	}
	t.log.Store(log)
}

func (t *outlet) lose(why error) {
	t.outputs.log.Error("program "+t.program+": its output is lost", "err", why)
}

// turn waits for the disk's turn: one that hangs takes a thread.
func (t *outlet) turn(open func()) {
	if !t.file() {
		open()
		return
	}
	t.disks.Open(t.options.To, open)
}

func (t *outlet) reopen(facility string) {
	select {
	case <-t.opened:
	default:
		return // it is about to be
	}
	if !t.opening.TryLock() {
		return // a disk that hangs
	}
	defer t.opening.Unlock()
	if !t.file() {
		t.options.Facility, _ = logging.ParseFacility(facility)
	}
	t.turn(func() {
		log := t.log.Load()
		if log == nil {
			t.try()
			if log := t.log.Load(); log != nil && t.closing.Load() { // close has seen none
				log.Close()
			}
			return
		}
		to, err := log.Prepare(t.options)
		if err != nil {
			t.outputs.log.Error("program "+t.program+": its output goes on to where it went", "err", err)
			return
		}
		log.Switch(to)
	})
}

func (t *outlet) line(stderr bool, text []byte) {
	if log := t.log.Load(); log != nil {
		log.Line(level(stderr), text)
		return
	}
	t.lost.Add(1)
}

func (t *outlet) offer(stderr bool, text []byte, ended bool) (room <-chan struct{}) {
	select {
	case <-t.opened:
	default:
		return t.opened
	}
	if log := t.log.Load(); log != nil {
		return log.Offer(level(stderr), text, ended)
	}
	t.lost.Add(1)
	return nil
}

func (t *outlet) say(l *supervise.Line) (taken bool) {
	if log := t.log.Load(); log == nil {
		t.lost.Add(1)
	} else if taken = log.Say(l.Program, l.PID, level(l.Stderr), l.Text); taken {
		return true
	}
	t.refused.Add(1)
	return false
}

// dropped is how many lines are lost so far of those that were taken, as far as whoever has them taken does not know.
func (t *outlet) dropped() uint64 {
	refused := t.refused.Load() // first, for each of these has been counted before
	n := t.lost.Load() - refused
	if log := t.log.Load(); log != nil {
		n += log.Dropped()
	}
	t.known.Store(n)
	return n
}

// level tells standard error apart. Much of what is written there is no error.
func level(stderr bool) slog.Level {
	if stderr {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// hurry ends the waiting of whoever writes.
func (t *outlet) hurry() {
	t.wait.Do(func() { close(t.opened) })
	if log := t.log.Load(); log != nil {
		log.Hurry()
	}
}

// close writes what is left, and returns when that is done, or is lost; it may be called again.
func (t *outlet) close() {
	t.closing.Store(true)
	t.shutting.Do(func() {
		defer close(t.closed)
		<-t.opened
		if log := t.log.Load(); log != nil {
			if err := t.write(log); err != nil {
				t.outputs.log.Warn("program " + t.program + ": " + err.Error())
			}
		}
		if lost := t.lost.Load(); lost > 0 {
			t.outputs.log.Warn(fmt.Sprintf("program %s: %d log messages lost", t.program, lost))
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.all, t)
	})
}

// write gives a file as long as the stop has, and a minute while the daemon goes on. Syslog and a terminal may drop.
func (t *outlet) write(log *logging.Log) error {
	if !t.file() {
		return log.Close()
	}
	ctx, cancel := context.WithTimeout(t.late, time.Minute)
	defer cancel()
	return log.CloseContext(ctx)
}
