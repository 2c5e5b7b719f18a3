package supervise

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sys/unix"
)

// mostCarried bounds what of kept lines goes on in another Set: the latest of each program.
// The pause is not to be long.
const mostCarried = 64 << 20

// carry puts what is kept into memory that has a descriptor, 0: nothing is kept, and tells of it in s.
// The reader's lock is held.
func (r *reader) carry(s *setState, sinks map[*Sink]int) (fd int, err error) {
	all := make([]*kept, len(s.Sinks))
	used := 0
	for sink, i := range sinks {
		if all[i] = sink.kept; all[i] != nil {
			s.Sinks[i].Kept = &keptState{Written: all[i].lines, Dropped: sink.dropped()}
			used += all[i].used
		}
	}
	fail := func(err error) (int, error) {
		if fd > 0 {
			unix.Close(fd)
		}
		return 0, fmt.Errorf("memory for the last lines of programs: %w", err)
	}
	for i, k := range all {
		if k == nil {
			continue
		}
		b := k.last(math.MaxInt)
		for used > mostCarried && float64(len(b)) > float64(k.used)*mostCarried/float64(used) {
			b = b[recordOf(b).size():]
		}
		s.Sinks[i].Kept.Records = len(b)
		if len(b) > 0 && fd == 0 {
			if fd, err = unix.MemfdCreate("lines", unix.MFD_CLOEXEC); err != nil {
				return fail(err)
			}
		}
		for len(b) > 0 {
			n, err := unix.Write(fd, b)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return fail(err)
			}
			b = b[max(0, n):]
		}
	}
	return fd, nil
}

// carryEpoll returns a duplicate of the epoll descriptor, 0: there is none. Whoever takes over need not put all sources
// into another. The reader's lock is held.
func (r *reader) carryEpoll() (fd int, err error) {
	if r.epoll == nil {
		return 0, nil
	}
	for s := range r.late {
		r.resume(s) // nobody else will
	}
	for _, s := range r.sources {
		if n, ok := s.(*notifySocket); ok && n.held != nil {
			r.resume(s) // nor will who drops that, in the other program
		}
	}
	raw, err := r.epoll.SyscallConn()
	if err == nil {
		e := raw.Control(func(epoll uintptr) { fd, err = unix.FcntlInt(epoll, unix.F_DUPFD_CLOEXEC, 3) })
		err = errors.Join(e, err)
	}
	if err != nil {
		return 0, fmt.Errorf("keep the epoll descriptor: %w", err)
	}
	return fd, nil
}

// goOnWith reads by another reader's epoll descriptor, which stays the caller's.
func (r *reader) goOnWith(epoll, sources int) error {
	fd, err := unix.FcntlInt(uintptr(epoll), unix.F_DUPFD_CLOEXEC, 3)
	if err == nil {
		err = r.open(fd, sources)
	}
	if err != nil {
		return fmt.Errorf("descriptor %d: epoll: %w", epoll, err)
	}
	return nil
}

// keepOn takes over what another reader has carried. Nothing is read yet.
func (r *reader) keepOn(s *setState, sinks []*Sink) error {
	at := int64(0)
	for i, sink := range sinks {
		of := s.Sinks[i].Kept
		if of == nil {
			continue
		}
		b := make([]byte, 0)
		if of.Records > 0 {
			var st unix.Stat_t
			if err := unix.Fstat(s.Kept, &st); err != nil || at+int64(of.Records) > st.Size {
				return fmt.Errorf("what is kept of the output of program %s is cut short", sink.program)
			}
			b = make([]byte, of.Records)
		}
		for read := 0; read < len(b); {
			n, err := unix.Pread(s.Kept, b[read:], at+int64(read))
			if n <= 0 && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("what is kept of the output of program %s cannot be read: %v", sink.program, err)
			}
			read += max(0, n)
		}
		at += int64(len(b))
		if !areRecords(b) {
			return fmt.Errorf("what is kept of the output of program %s is no lines", sink.program)
		}
		if k := r.keptOf(sink); k != nil {
			k.lines, k.dropped = of.Written, of.Dropped
			r.kept.fill(k, b)
		}
	}
	return nil
}

// fill puts records into a ring that is empty: the last of them, as far as there is room.
func (g *keeping) fill(k *kept, b []byte) {
	for size := len(b); size > 0 && len(k.ring) == 0; size /= 2 {
		g.makeRoom(k, size)
	}
	for len(b) > len(k.ring) {
		b = b[recordOf(b).size():]
	}
	if len(b) > 0 {
		k.put(b)
	}
}

// closeOnExec sorts fds, which are mostly in a row: a call for each would take its time in the pause.
func closeOnExec(fds []int) {
	slices.Sort(fds)
	for len(fds) > 0 {
		n := 1
		for n < len(fds) && fds[n] <= fds[n-1]+1 {
			n++
		}
		if n == 1 || unix.CloseRange(uint(fds[0]), uint(fds[n-1]), unix.CLOSE_RANGE_CLOEXEC) != nil { // Linux before 5.11
			for _, fd := range fds[:n] {
				unix.CloseOnExec(fd)
			}
		}
		fds = fds[n:]
	}
}
