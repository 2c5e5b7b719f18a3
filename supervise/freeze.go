package supervise

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Frozen is a [Set] that does nothing until it is thawed: none of its programs is started, signalled,
// reaped or read from.
type Frozen struct {
	// State is what [Restore] needs for another Set to go on in the place of this one, in the same process after an
	// execve(2) on the thread of Options.Spawner.
	State []byte
	// Files are the descriptors that have to be open then, by the same numbers. They are close-on-exec.
	Files []int

	thaw chan struct{}
	own  []int // descriptors that are for the other Set only
}

// Freeze has the Set stop as it is. It waits until no process is on its way to its executable; programs that are to be
// started wait meanwhile. An error, as when ctx ends, means that all goes on. Every Freeze that succeeds is followed by
// one [Frozen.Thaw], or by the end of the process; nothing else may be asked of the Set before.
func (s *Set) Freeze(ctx context.Context) (*Frozen, error) {
	r := freezeRequest{ctx, make(chan frozen, 1)}
	if err := s.send(ctx, r); err != nil {
		return nil, err
	}
	select {
	case f := <-r.reply:
		return f.Frozen, f.err
	case <-s.ended:
		return nil, errStopped
	}
}

// Thaw has the Set go on.
func (f *Frozen) Thaw() {
	closeAll(f.own)
	close(f.thaw)
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

type freezeRequest struct {
	ctx   context.Context
	reply chan frozen
}

type frozen struct {
	*Frozen
	err error
}

// freezing is for a Freeze that is being waited for. Its alarm has the loop look again.
type freezing struct {
	*freezeRequest // nil: none
	again          alarm
}

func (l *loop) beginFreeze(r freezeRequest) {
	if l.stopping != nil || l.freezing.freezeRequest != nil {
		r.reply <- frozen{err: errStopped}
		return
	}
	l.freezing.freezeRequest = &r
}

// freeze waits for the end of a Freeze, once nothing is on its way: no launch, nor what a task needs for its own, and
// nothing that was read from a process and is not known here yet. It reports whether it has come to an end.
func (l *loop) freeze() (over bool) {
	f := &l.freezing
	r := f.freezeRequest
	l.alarms.off(&f.again)
	ready := l.flight == nil && len(l.launches)+l.seeking == 0
	switch {
	case r.ctx.Err() != nil, l.stopping != nil:
		f.freezeRequest = nil
		r.reply <- frozen{err: l.notFrozen(r.ctx)}
		return true
	case !ready || !l.reader.turn.TryLock():
		l.alarms.in(time.Millisecond, &f.again, func() {})
		return false
	}
	defer l.reader.turn.Unlock()
	l.reader.mu.Lock()
	defer l.reader.mu.Unlock()
	f.freezeRequest = nil
	state, files, own, err := l.encode()
	if err != nil {
		closeAll(own)
		r.reply <- frozen{err: err}
		return true
	}
	all := &Frozen{State: state, Files: append(files, own...), own: own, thaw: make(chan struct{})}
	r.reply <- frozen{Frozen: all}
	<-all.thaw
	return true
}

func (l *loop) notFrozen(ctx context.Context) error {
	switch {
	case l.stopping != nil:
		return errStopped
	case l.flight != nil:
		return fmt.Errorf("a process is on its way to its executable, %s, for too long", l.flight.argv[0])
	}
	return ctx.Err()
}
