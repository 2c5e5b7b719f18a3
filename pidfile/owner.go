//go:build linux

package pidfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/procfs"
)

// Look tells who owns path and changes nothing: any user who may read the file can ask, from any goroutine. An owner
// whose file was deleted is found by its witness all the same. What is no regular file, or may not be read, is an
// error.
//
// An owner that is starting is looked at again for 20 ms, one that is being replaced, see [File.Suspend], for 15 s, and
// one that was killed, and has not ended yet, for a second: the answer is how it is then.
func Look(path string) (st Status, err error) {
	// Somebody whose start is refused holds a file of its own for a moment, when the owner's was deleted: nothing tells
	// that from an owner who is starting, but that it does not last.
	for end := time.Now().Add(mostSuspended); ; {
		for range 20 {
			if st, err = look(path); err != nil || st.State != Starting {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if err != nil || !st.suspended || time.Now().After(end) {
			break
		}
	}
	// Who was killed still holds the lock for a moment, or longer where a disk keeps it from ending.
	for end := time.Now().Add(mostDying); err == nil && st.State == Held && dies(st.PID) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		st, err = look(path)
	}
	st.suspended = false
	return st, err
}

const mostDying = time.Second

// dies tells whether a process has been killed, or is exiting. One of another PID namespace is out of sight.
func dies(pid int) bool {
	p, err := readProc(pid)
	return err == nil && p.dead
}

func look(path string) (Status, error) {
	if _, _, err := refuseIrregular(path); err != nil {
		return Status{}, err
	}
	fd, err := unix.Open(path, unix.O_RDONLY|openFlags, 0)
	if errors.Is(err, unix.ENOENT) {
		return witnessed(path, Free)
	}
	if err != nil {
		return Status{}, openError(path, err)
	}
	defer unix.Close(fd)
	c := readPID(fd)
	locked := writeLocked(fd)
	if stranger(c.uid) { // it may have been put there to hide the owner's, which is about to be put back
		if st, err := witnessed(path, Free); err != nil || st.State == Held {
			return st, err
		}
	}
	switch {
	case locked && c.pid != 0, !locked && owns(c):
		return Status{State: Held, PID: c.pid}, nil
	case locked:
		return Status{State: Starting, suspended: isSuspended(c)}, nil
	}
	return witnessed(path, Stale)
}

// witnessed is what there is of a file without a lock; otherwise says what that is when it has no owner.
func witnessed(path string, otherwise State) (Status, error) {
	pid, err := askWitness(path)
	if err != nil {
		return Status{}, err
	}
	if pid != 0 {
		return Status{State: Held, PID: pid}, nil
	}
	return Status{State: otherwise}, nil
}

// Proven returns the PID of the owner of path if nobody but root and the caller could have had us take it for that: a
// file of theirs is locked and says so, or the witness does. 0: there is none, or that is not proven.
func Proven(path string) (pid int) {
	if fd, err := unix.Open(path, unix.O_RDONLY|openFlags, 0); err == nil {
		c, locked := readPID(fd), writeLocked(fd)
		unix.Close(fd)
		if locked && !stranger(c.uid) {
			return c.pid
		}
	}
	pid, _ = askWitness(path)
	return pid
}

// content is what a pidfile says: pid is 0 unless it is exactly one positive decimal number, and one that the owner
// of the file may speak for.
type content struct {
	pid     int
	uid     uint32 // the file's
	size    int64
	written time.Time
	text    string // its beginning, for the log
}

func (c content) String() string {
	switch {
	case c.pid == 0:
		return fmt.Sprintf("%d bytes, not a PID: %q", c.size, c.text)
	case !alive(c.pid):
		return fmt.Sprintf("pid %d, which is dead", c.pid)
	}
	return fmt.Sprintf("pid %d, which is another program now", c.pid)
}

func readPID(fd int) (c content) {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return c
	}
	buf := make([]byte, 32)
	n, err := unix.Pread(fd, buf, 0)
	if err != nil {
		return c
	}
	c.uid, c.size, c.written, c.text = st.Uid, st.Size, time.Unix(st.Mtim.Unix()), string(buf[:n])
	if c.pid = parsePID(c.text); stranger(c.uid) && !runsAs(c.pid, c.uid) {
		c.pid = 0
	}
	return c
}

// runsAs tells whether a process is that user's; one that cannot be looked into may be.
func runsAs(pid int, uid uint32) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return true
	}
	_, ids, _ := strings.Cut(string(b), "\nUid:\t")
	id, _, _ := strings.Cut(ids, "\t") // the real one
	return id == strconv.FormatUint(uint64(uid), 10)
}

// parsePID returns the PID that is all of text but white space around it, or 0. PID_MAX_LIMIT is 2^22 (proc(5)), and
// the numbers that kill(2) takes for groups and for everybody never come out of it.
func parsePID(text string) int {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 7 || strings.Trim(text, "0123456789") != "" {
		return 0
	}
	pid, _ := strconv.Atoi(text)
	if pid > 1<<22 {
		return 0
	}
	return pid
}

// alive is the kill-0 question. EPERM means that the process lives and is another user's; one that is exiting, or a
// zombie, is dead.
func alive(pid int) bool {
	if err := unix.Kill(pid, 0); err != nil && !errors.Is(err, unix.EPERM) {
		return false
	}
	p, err := readProc(pid)
	return err != nil || !p.dead
}

// owns decides whether the process in an unlocked pidfile is its owner all the same: an owner that does not lock. It
// is, if it lives, runs our executable, and started before the file was written. Anybody else got the number by chance.
func owns(c content) bool {
	if c.pid == 0 || c.pid == unix.Getpid() || !alive(c.pid) || !runsOurExecutable(c.pid) {
		return false
	}
	p, err := readProc(c.pid)
	// The tick of the start time and the clock of file times are coarse, up to 10 ms each.
	return err == nil && p.started.Before(c.written.Add(50*time.Millisecond))
}

// runsOurExecutable compares the executable, or the name where that may not be read. An upgrade replaces the file
// under a running process; the path stays.
func runsOurExecutable(pid int) bool {
	dir := "/proc/" + strconv.Itoa(pid)
	theirs, err := os.Readlink(dir + "/exe")
	if err == nil {
		ours, err := os.Readlink("/proc/self/exe")
		return err == nil && strings.TrimSuffix(theirs, " (deleted)") == strings.TrimSuffix(ours, " (deleted)")
	}
	if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) {
		return false // a kernel thread has none
	}
	comm, err := os.ReadFile(dir + "/comm")
	own, err2 := os.ReadFile("/proc/self/comm")
	return err == nil && err2 == nil && bytes.Equal(comm, own)
}

type proc struct {
	dead    bool
	started time.Time
}

// readProc reads /proc/PID/stat, proc_pid_stat(5): field 3 is the state, 9 the kernel's flags (PF_EXITING is 4), 22 the
// start in ticks of 1/100 s since boot, and 31 the signals that wait for the main thread, KILL's bit among them.
func readProc(pid int) (proc, error) {
	_, fields, err := procfs.Stat(pid)
	if err != nil {
		return proc{}, err
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return proc{}, fmt.Errorf("/proc/%d/stat: start time: %w", pid, err)
	}
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	if err != nil {
		return proc{}, fmt.Errorf("/proc/%d/stat: flags: %w", pid, err)
	}
	pending, err := strconv.ParseUint(fields[28], 10, 64)
	if err != nil {
		return proc{}, fmt.Errorf("/proc/%d/stat: signals: %w", pid, err)
	}
	killed := pending&(1<<(unix.SIGKILL-1)) != 0
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return proc{}, err
	}
	sinceBoot := time.Duration(boot.Nano())
	return proc{
		dead:    fields[0] == "Z" || fields[0] == "X" || flags&4 != 0 || killed,
		started: time.Now().Add(time.Duration(ticks)*10*time.Millisecond - sinceBoot),
	}, nil
}
