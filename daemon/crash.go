package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// CrashFile returns where a daemon in the background that holds the pidfile path has the runtime write why it dies, when a
// panic, a fatal error or SIGQUIT ends it: beside the pidfile, as ".crash". Its standard error is /dev/null by then. The
// next daemon puts what it finds there into its log; one that ends well removes the file.
func CrashFile(path string) string { return pidfile.Beside(path, ".crash") }

// Of a crash that the log is told about: the goroutine that has died comes first.
const longestCrash, mostCrashLines = 64 << 10, 60

// keepCrash is for a copy that is about to leave its caller's standard error; forget is for the end, and leaves no trace.
func (r *run) keepCrash() (forget func()) {
	if r.copy == nil || r.file == nil {
		return func() {}
	}
	path := CrashFile(r.file.Path())
	text, err := readCrash(path)
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if line != "" && i < mostCrashLines {
			r.log().Error("the previous daemon crashed: " + line)
		}
	}
	if err == nil {
		err = catchCrash(path)
	}
	if err != nil {
		r.log().Warn("a crash would leave no trace", "err", err)
		return func() {}
	}
	return func() {
		debug.SetCrashOutput(nil, debug.CrashOptions{})
		os.Remove(path)
	}
}

func catchCrash(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // that of one which did not end well
		os.Remove(path)
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return debug.SetCrashOutput(f, debug.CrashOptions{})
}

// readCrash trusts nothing that could not have been written by a daemon of ours.
func readCrash(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return "", nil
	}
	if err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || int(st.Uid) != os.Geteuid() {
		return "", fmt.Errorf("%s: it is not a file of ours", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, longestCrash))
	return string(text), err
}
