package logging

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// stream is the device for a descriptor. It does not go through os.File, which
// kills the process when standard error is a pipe whose reader has gone.
type stream struct {
	fd    int
	owned bool // close closes fd
	torn  bool // a line was written in part: the next begins with a newline
	put   func(fd int, p []byte) (int, error)
}

func (d *stream) write(r record) error {
	line := r.line
	if d.torn {
		line = append([]byte{'\n'}, line...)
	}
	for rest := line; len(rest) > 0; {
		n, err := d.put(d.fd, rest)
		if n > 0 {
			rest = rest[n:]
			d.torn = len(rest) > 0
			continue
		}
		switch {
		case err == nil:
			return io.ErrShortWrite
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			// The descriptor is non-blocking, perhaps because somebody who
			// shares it made it so.
			fds := []unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLOUT}}
			if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

func (d *stream) close() {
	if d.owned {
		unix.Close(d.fd)
	}
}

// streamLayout is for people on a terminal and for files elsewhere. NO_COLOR is
// from no-color.org: set and not empty.
func streamLayout(fd int) layout {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		return dated
	}
	if os.Getenv("NO_COLOR") != "" {
		return console
	}
	return coloured
}
