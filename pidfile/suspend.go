//go:build linux

package pidfile

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// suspended is what the file says while its owner is being replaced by another program, in the same process.
const suspended = "starting\n"

// mostSuspended bounds how long [Look] waits for the PID to come back.
const mostSuspended = 15 * time.Second

// Suspend is for an owner that is about to be replaced by execve(2), and cannot be signalled meanwhile: the file says
// "starting", and is not watched any more. It returns the descriptors for [Adopt] in the program that comes, -1 for one
// that there is not; they are still close-on-exec, and must be passed on by the same numbers. After an error, or if the
// owner is not replaced after all, [File.Resume] has it all go on.
func (f *File) Suspend() (fds [2]int, err error) {
	f.watch.Close()
	f.watch = nil
	fds = [2]int{f.fd, f.witness.fd}
	n, err := unix.Pwrite(f.fd, []byte(suspended), 0)
	if err == nil && n != len(suspended) {
		err = unix.ENOSPC
	}
	if err != nil {
		return fds, fmt.Errorf("pidfile %s: write: %w", f.path, err)
	}
	return fds, nil
}

// Resume has the file say the PID, and be watched, again. It may be called for a File from [Adopt], in place of
// [File.Write] and [File.Watch]: unlike Write it does not release a file that cannot be written, which the watch tries
// again; the error says that. log is as for Watch.
func (f *File) Resume(log *slog.Logger) error {
	f.pid = unix.Getpid()
	if log == nil {
		log = slog.Default()
	}
	err := f.put(f.fd)
	if err := f.Watch(log); err != nil {
		log.Warn("the pidfile is not watched: it would not be put back", "err", err)
	}
	if err != nil {
		return fmt.Errorf("pidfile %s: write: %w", f.path, err)
	}
	return nil
}

// isSuspended tells whether the file of an owner that lives says so. A text that begins like it has been written over
// in part.
func isSuspended(c content) bool { return strings.HasSuffix(c.text, suspended[3:]) }
