//go:build unix

// Package stderr writes to standard error, and does not wait for ever for somebody who does not read it: a terminal
// that was stopped, or has lost its other end, or a pipe that is full.
package stderr

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long one write waits, and piece how much of it has room wherever anything has.
const (
	patience = time.Second
	piece    = 512
)

// ErrUnread means that nobody reads; what is not written by then is lost.
var ErrUnread = errors.New("standard error: nobody reads it")

// A Writer may be used by any goroutine. What is written is written at once, or lost.
type Writer struct{}

func (Writer) Write(p []byte) (n int, err error) {
	for end := time.Now().Add(patience); n < len(p); {
		if !hasRoom(time.Until(end)) {
			return n, ErrUnread
		}
		m, err := os.Stderr.Write(p[n:min(len(p), n+piece)])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// hasRoom waits for room. What cannot be waited for is written to.
func hasRoom(limit time.Duration) bool {
	for end := time.Now().Add(limit); ; {
		ms := int(max(0, time.Until(end)).Milliseconds())
		n, err := unix.Poll([]unix.PollFd{{Fd: 2, Events: unix.POLLOUT}}, ms)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return n != 0 || err != nil
	}
}
