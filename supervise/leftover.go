package supervise

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/wait"
)

// EndLeftovers kills, and waits for 5 s for, what a Set with the same Options.Mark has left behind when its process was
// killed: the children died with it, but not what these had started. It returns their PIDs. Call it before New, and
// only when nobody else can have a Set of that mark. This process and its ancestors, which a program of the dead Set
// may have started, are spared; and so is what a program with KillProcess has started, and whoever sees another root
// directory in another mount namespace: in a container there may be a daemon of the same mark. Without a mark there is
// nobody to be ended.
func EndLeftovers(mark string) (pids []int) { return endLeftovers(mark, longestDying) }

func endLeftovers(mark string, limit time.Duration) []int {
	return endMarked(limit, func(int) bool { return false }, mark)
}

// endMarked ends who has all of these marks, unless spares says not to.
func endMarked(limit time.Duration, spares func(pid int) bool, marks ...string) (pids []int) {
	spared := ourLine()
	killed := dying{patience: patience{limit: limit}}
	defer killed.wait()
	ours := viewOf("self")
	procs, _ := os.ReadDir("/proc")
	for _, e := range procs {
		pid, err := strconv.Atoi(e.Name())
		its := func() bool {
			lacks := func(mark string) bool { return !marked("/proc/"+e.Name()+"/environ", mark) }
			return !slices.ContainsFunc(marks, lacks)
		}
		if err != nil || slices.Contains(spared, pid) || !its() || !viewOf(e.Name()).same(ours) || spares(pid) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if !its() { // no longer the same process, which the descriptor holds
			unix.Close(fd)
		} else if killed.kill(fd) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// endStrays ends what has left the group of the program, as far as its session tells, and, once the Set has died, its
// environment: before that it is that of a hook too. The next Set ends this process before it starts a program.
func (g *guard) endStrays() {
	endSessions([]Session{g.session}, longestDying)
	if g.alone && g.marks[0] != "" {
		own, _ := unix.Getsid(0) // the gate is in it, and ends later
		spares := func(pid int) bool { sid, err := unix.Getsid(pid); return err != nil || sid == own }
		endMarked(longestDying, spares, g.marks...)
	}
}

// longestDying bounds the wait for all who have been killed, and the search for others that they have started. Anybody
// can make processes that look like ours, and keep them from ending: a debugger can, or a file system of his own.
const longestDying = 5 * time.Second

// patience is for several waits together. It begins with the first: the search before that may be slow.
type patience struct {
	limit time.Duration
	end   time.Time
}

func (p *patience) left() time.Duration {
	if p.end.IsZero() {
		p.end = time.Now().Add(p.limit)
	}
	return max(0, time.Until(p.end))
}

// dying are processes that have been killed.
type dying struct {
	patience
	fds []int
}

// kill owns a pidfd.
func (d *dying) kill(fd int) bool {
	if unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) != nil {
		unix.Close(fd)
		return false
	}
	if d.fds = append(d.fds, fd); len(d.fds) == 256 { // there may be more than descriptors
		d.wait()
	}
	return true
}

func (d *dying) wait() {
	for _, fd := range d.fds {
		wait.End(fd, d.left())
		unix.Close(fd)
	}
	d.fds = nil
}

// view is how a process sees the file system: its mount namespace, and its root directory.
type view struct {
	mounts string
	root   unix.Stat_t
}

func viewOf(pid string) (v view) {
	v.mounts, _ = os.Readlink("/proc/" + pid + "/ns/mnt")
	unix.Stat("/proc/"+pid+"/root/", &v.root)
	return v
}

// same is true also of a directory that was made the root within our namespace, and of a namespace with our root.
func (v view) same(ours view) bool {
	return v.mounts == ours.mounts || v.root.Dev == ours.root.Dev && v.root.Ino == ours.root.Ino
}

// marked reports whether the mark is in an environment. Where a process has written its title over that, there may be
// nothing but empty variables: an empty mark is nobody's. In the midst of an exec a process shows none, so one that has
// an executable, and is no kernel thread, is looked at again for a moment.
func marked(environ, mark string) bool {
	if mark == "" {
		return false
	}
	for range 5 {
		b, err := os.ReadFile(environ)
		if err != nil || len(b) > 0 {
			return err == nil && bytes.Contains(append([]byte{0}, b...), []byte("\x00"+mark+"\x00"))
		}
		if _, err := os.Readlink(strings.TrimSuffix(environ, "environ") + "exe"); err != nil {
			return false
		}
		time.Sleep(2 * time.Millisecond)
	}
	return false
}
