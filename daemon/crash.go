//go:build linux

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
)

// CrashFile returns where a daemon that holds the pidfile path leaves a word of why it has ended, when nobody has asked
// it to: beside the pidfile, as ".crash". The runtime writes there when a panic, a fatal error or SIGQUIT ends the
// process, whose standard error may be /dev/null; Run writes there what it returns, once the daemon was ready; Detach,
// that a copy was killed before it was. The next daemon puts what it finds there into its log; one that ends well
// removes the file.
func CrashFile(path string) string { return strings.TrimSuffix(path, ".pid") + ".crash" }

// Crashed reports, to the hooks, whether the previous daemon has left its pidfile behind, or the word of a crash, see
// [CrashFile]: what it had started may be left too.
func (d *Daemon) Crashed() bool { return d.crashed }

// Of a crash that the log is told about: the goroutine that has died comes first.
const longestCrash, mostCrashLines = 64 << 10, 60

// ended stands before an error that Run has returned, and before nothing that the runtime writes.
const ended = "ended: "

// lastWord is the crash file of a daemon that runs; nil: it has none. It is opened before privileges are dropped.
type lastWord struct {
	path string
	file *os.File
	said bool // there is something in it for the next one
}

// openLastWord logs what the previous daemon has left, and makes a file of our own.
func (r *run) openLastWord() *lastWord {
	if r.file == nil {
		return nil
	}
	path := CrashFile(r.file.Path())
	text, err := readCrash(path)
	previous := "the previous daemon crashed: "
	if strings.HasPrefix(text, ended) {
		previous = "the previous daemon "
	} else if text != "" {
		r.crashed = true
	}
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if line != "" && i < mostCrashLines {
			r.log().Error(previous + line)
		}
	}
	var file *os.File
	if err == nil {
		file, err = makeCrash(path)
	}
	if err == nil {
		return &lastWord{path: path, file: file}
	}
	if r.background() { // else there is a standard error, which somebody may look at
		r.log().Warn("a crash would leave no trace", "err", err)
	}
	return nil
}

// takeWord is openLastWord in a program that takes over; fd is the file of the one before, -1: it had none.
func (r *run) takeWord(fd int) *lastWord {
	if fd < 0 || r.file == nil {
		return r.openLastWord()
	}
	path := CrashFile(r.file.Path())
	return &lastWord{path: path, file: os.NewFile(uintptr(fd), path)}
}

// catch has the runtime write to the file, when it ends the process.
func (w *lastWord) catch(r *run) {
	if w == nil {
		return
	}
	if err := debug.SetCrashOutput(w.file, debug.CrashOptions{}); err != nil {
		r.log().Warn("a crash would leave no trace", "err", err)
	}
}

// say leaves why the daemon ends, when nobody has asked it to; nil: that is not so.
func (w *lastWord) say(why error) {
	if w != nil && why != nil {
		w.said = true
		fmt.Fprintf(w.file, "%s%v\n", ended, why)
	}
}

// close leaves what was said, or no trace. Where our own user may not remove the file, it is left behind, empty.
func (w *lastWord) close() {
	if w == nil {
		return
	}
	debug.SetCrashOutput(nil, debug.CrashOptions{})
	if !w.said {
		os.Remove(w.path)
	}
	w.file.Close()
}

func makeCrash(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // that of one which did not end well
		os.Remove(path)
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	return f, err
}

// sayKilled is for the launcher of a copy that was killed, unless that has had a word of its own.
func sayKilled(path string) {
	if text, err := readCrash(path); err != nil || text != "" {
		return
	}
	if f, err := makeCrash(path); err == nil {
		fmt.Fprintln(f, "killed before it was ready")
		f.Close()
	}
}

// removeEmpty is for the launcher of a copy that has died: what says nothing is of no use.
func removeEmpty(path string) {
	if st, err := os.Lstat(path); err == nil && st.Mode().IsRegular() && st.Size() == 0 {
		os.Remove(path)
	}
}

// keepWord has the next daemon's log tell why this one ends, which has no log. fd is the file, -1: there is none yet.
func keepWord(path string, fd int, why error) {
	w := &lastWord{path: path}
	if fd >= 0 {
		w.file = os.NewFile(uintptr(fd), path)
	} else if w.file, _ = makeCrash(path); w.file == nil {
		return
	}
	w.say(why)
	w.close()
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
