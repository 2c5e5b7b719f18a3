package logging

import (
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// The most bytes that are written at once. Into a pipe it is what the kernel
// keeps in one piece, whoever else writes there; and a write that hangs leaves
// no more than that in doubt.
const (
	fileBatch = 64 << 10
	pipeBatch = 4 << 10
)

// stream is the device for a descriptor. It does not go through os.File, which
// kills the process when standard error is a pipe whose reader has gone.
type stream struct {
	fd     int
	owned  bool // close closes fd
	limit  int  // bytes of a batch
	torn   bool // a line was written in part: the next begins with a newline
	anew   bool // what there is of a file may end in such a line, of a disk that was full
	failed bool // the last write failed: line by line, until one is written
	put    func(fd int, p []byte) (int, error)
	turn   *turn // of its disk, shared with others; may be nil
	used   bool  // closing it may take long
}

// batchFor is the limit for a descriptor.
func batchFor(fd int) int {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
		return fileBatch
	}
	return pipeBatch
}

func (d *stream) batch() int {
	if d.failed {
		return 0
	}
	return d.limit
}

// buffers are shared by all streams, of which there may be thousands.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (d *stream) write(records []record) (int, error) {
	if d.anew {
		d.anew = false
		d.turn.take(func() { d.torn = endsTorn(d.fd) })
	}
	if len(records) == 1 && !d.torn {
		n, err := d.putAll(records[0].line)
		return d.account(records, 0, n), err
	}
	buffer := buffers.Get().(*[]byte)
	b := (*buffer)[:0]
	if d.torn {
		b = append(b, '\n')
	}
	lead := len(b)
	for _, r := range records {
		b = append(b, r.line...)
	}
	n, err := d.putAll(b)
	if *buffer = b; cap(b) <= 2*fileBatch {
		buffers.Put(buffer)
	}
	return d.account(records, lead, n), err
}

// account returns how many of the records are among the first n bytes, which a
// newline of lead bytes begins, and remembers what the rest will need.
func (d *stream) account(records []record, lead, n int) (whole int) {
	if n < lead {
		d.failed = true
		return 0
	}
	for n -= lead; whole < len(records) && n >= len(records[whole].line); whole++ {
		n -= len(records[whole].line)
	}
	d.torn = n > 0
	d.failed = whole < len(records)
	return whole
}

// putAll writes p, and returns how much of it was written until there was an error.
func (d *stream) putAll(p []byte) (written int, err error) {
	d.used = true
	d.turn.take(func() { written, err = d.putNow(p) })
	return written, err
}

func (d *stream) putNow(p []byte) (written int, err error) {
	for written < len(p) {
		n, err := d.put(d.fd, p[written:])
		if n > 0 {
			written += n
			continue
		}
		switch {
		case err == nil:
			return written, io.ErrShortWrite
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			// The descriptor is non-blocking, perhaps because somebody who
			// shares it made it so.
			fds := []unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLOUT}}
			if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
				return written, err
			}
		default:
			return written, err
		}
	}
	return written, nil
}

func (d *stream) close() {
	switch {
	case d.owned && d.used:
		d.turn.take(func() { unix.Close(d.fd) })
	case d.owned: // by whoever has opened it, and may have the turn
		unix.Close(d.fd)
	}
}

// streamLayout is for people on a terminal and for files elsewhere. NO_COLOR is
// from no-color.org: set and not empty.
func streamLayout(fd int) layout {
	if !terminal(fd) {
		return dated
	}
	if os.Getenv("NO_COLOR") != "" {
		return console
	}
	return coloured
}
