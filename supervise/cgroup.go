package supervise

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/procfs"
)

// How control groups are laid out is known here only. A Set has a group of its own, and each of its programs one below
// that, NAME.group or NAME.process after its Kill: so the next Set knows which of them it has to end. No group needs a
// controller: all that is asked is who is in it, which the hybrid layout (cgroup2 without controllers beside those of
// version 1) knows as well.

// FindCgroup returns where a group of this process may be made: the directory of the group that it is in, of a
// hierarchy of version 2, mounted at /sys/fs/cgroup or beside that of version 1. The error says what is not there,
// or not allowed.
func FindCgroup() (dir string, err error) {
	own, dir, err := cgroupOfProcess("self")
	switch {
	case err != nil:
		return "", err
	case own == "":
		return "", errors.New("this process is in no cgroup of version 2")
	case dir == "":
		mount, _, _ := cgroupMount()
		return "", fmt.Errorf("this process is in the cgroup %s, out of what is mounted at %s", own, mount)
	}
	if filepath.Base(dir) == ownGroup {
		dir = filepath.Dir(filepath.Dir(dir))
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return "", fmt.Errorf("%s: %w", dir, err)
	}
	return dir, nil
}

// cgroupOfProcess is the group that a process is in, in the hierarchy of version 2, and where that is mounted; "": it
// is in none, or out of what is mounted.
func cgroupOfProcess(pid string) (own, dir string, err error) {
	mount, root, err := cgroupMount()
	if err != nil {
		return "", "", err
	}
	b, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(b)) {
		if path, ours := strings.CutPrefix(strings.TrimSpace(line), "0::"); ours {
			own = path
		}
	}
	if below, err := filepath.Rel(root, own); own != "" && err == nil && !strings.HasPrefix(below, "..") {
		dir = filepath.Join(mount, below)
	}
	return own, dir, nil
}

// LeaveCgroup moves this process out of the group of a Set whose Options.Cgroup has this name, its last element, to the
// group that this one is below: what a program of the Set before has left, such as a session of its sshd, may be who
// starts the next, which is not to be bound as that program was. Elsewhere it does nothing. Whom this process has
// started before stays where it is.
func LeaveCgroup(name string) error {
	dir, err := FindCgroup()
	if err != nil {
		return err
	}
	base, _, within := strings.Cut(dir+"/", "/"+name+"/")
	if !within {
		return nil
	}
	err = writeCgroup(base+"/cgroup.procs", "0")
	if errors.Is(err, unix.EBUSY) { // it has controllers for those below it
		own := base + "/" + name + "/" + ownGroup
		if err = os.MkdirAll(own, 0o755); err == nil {
			err = writeCgroup(own+"/cgroup.procs", "0")
		}
	}
	return err
}

// cgroupMount finds the hierarchy of version 2, and which of its groups is mounted there.
func cgroupMount() (mount, root string, err error) {
	for _, usual := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if isCgroupRoot(usual) {
			return usual, "/", nil
		}
	}
	return listedCgroupMount()
}

// isCgroupRoot reports whether the whole hierarchy of version 2 is mounted there: its root has the inode 1.
func isCgroupRoot(path string) bool {
	var mount unix.Statfs_t
	var st unix.Stat_t
	return unix.Statfs(path, &mount) == nil && mount.Type == unix.CGROUP2_SUPER_MAGIC &&
		unix.Stat(path, &st) == nil && st.Ino == 1
}

// listedCgroupMount goes through the list of all mounts, which the kernel takes long to make.
func listedCgroupMount() (mount, root string, err error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		head, tail, _ := strings.Cut(lines.Text(), " - ")
		words := strings.Fields(head)
		if kind, _, _ := strings.Cut(tail, " "); kind == "cgroup2" && len(words) > 4 {
			return words[4], words[3], nil
		}
	}
	return "", "", errors.New("no hierarchy of cgroups of version 2 is mounted")
}

// cgroupOf is the directory of a program's group below that of its Set; the longest name of a file is 255 bytes.
func cgroupOf(set string, p *Program) string {
	name := escape(p.Name)
	if len(name) > 200 {
		h := fnv.New64a()
		h.Write([]byte(p.Name))
		name = fmt.Sprintf("%s-%016x", name[:180], h.Sum64())
	}
	return set + "/" + name + [...]string{KillGroup: endedSuffix, KillProcess: keptSuffix}[p.Kill]
}

// The suffixes also keep the names from those of the kernel's own files.
const (
	endedSuffix = ".group"
	keptSuffix  = ".process"
)

func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-.:@+", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// openCgroup returns a descriptor of a group, which is made if need be, for clone3(2).
func openCgroup(dir string) (fd int, err error) {
	for range 2 {
		if fd, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0); err == nil {
			return fd, nil
		}
		if err = os.MkdirAll(dir, 0o755); err != nil {
			return -1, err
		}
	}
	return -1, &fs.PathError{Op: "open", Path: dir, Err: err}
}

// inCgroup returns who is in a group, and in those that have been made below it. Those in a namespace that is not ours
// have no number here; ending them takes endCgroup.
func inCgroup(dir string) (pids []int) {
	if lines, err := procfs.Page(dir + "/cgroup.events"); err != nil || strings.Contains(lines, "populated 0") {
		return nil
	}
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil
		}
		b, _ := os.ReadFile(path + "/cgroup.procs")
		for word := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// endCgroup kills all that are in a group, at once where the kernel can (Linux 5.14).
func endCgroup(dir string) {
	if os.WriteFile(dir+"/cgroup.kill", []byte("1"), 0) == nil {
		return
	}
	for _, pid := range inCgroup(dir) {
		if p, ok := readProc(pid); ok {
			p.signal(unix.SIGKILL)
		}
	}
}

// removeCgroup removes a group, and what was made below it, unless somebody is in it. It reports whether it has gone.
func removeCgroup(dir string) bool {
	err := unix.Rmdir(dir)
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) {
		var below []string
		filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				below = append(below, path)
			}
			return nil
		})
		if len(below) < 2 {
			return false
		}
		for _, path := range slices.Backward(below) {
			err = unix.Rmdir(path)
		}
	}
	return err == nil || errors.Is(err, unix.ENOENT)
}

// openCgroup opens the group that the process is to be in, for the time of its start.
func (c *command) openCgroup() (leave func(), err error) {
	if c.group == "" {
		if c.bounds.binds() {
			return nil, errors.New("memory, cpu_weight and pids need a cgroup, and none can be had here")
		}
		return func() {}, nil
	}
	c.must = c.must || c.bounds.binds()
	fd, err := c.openBound()
	switch {
	case err == nil:
		c.cgroup = fd
		return func() { unix.Close(fd) }, nil
	case c.must:
		return nil, err
	}
	return func() {}, nil
}

// openBound opens the group, and gives it its bounds.
func (c *command) openBound() (fd int, err error) {
	if fd, err = openCgroup(c.group); err != nil {
		return -1, fmt.Errorf("cgroup: %w", err)
	}
	if c.bounds != nil {
		if err := c.bounds.apply(fd, c.group); err != nil && c.must {
			unix.Close(fd)
			return -1, err
		}
	}
	return fd, nil
}

// renew makes the group anew, where nobody is in it, and one below it elsewhere. It reports whether that was done. What
// had it before, and has groups of its own below, may have given these controllers: with that, nobody can be in the
// group itself.
func (c *command) renew() bool {
	open := c.openBound
	if !removeCgroup(c.group) {
		open = c.openBelow
	} else if c.spent != nil {
		*c.spent = 0
	}
	fd, err := open()
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Dup3(fd, c.cgroup, unix.O_CLOEXEC) == nil
}

// belowName is that of groups below a program's, but for a number: all that is asked of the program's they are asked
// with it.
const belowName = "/again."

// programGroup is that of a program whose process is in dir, which may be below it.
func programGroup(dir string) string {
	if i := strings.LastIndexByte(dir, '/'); i >= 0 && strings.HasPrefix(dir[i:], belowName) {
		return dir[:i]
	}
	return dir
}

// openBelow opens the first group of that name that has not given anybody controllers.
func (c *command) openBelow() (fd int, err error) {
	for n := 0; ; n++ {
		dir := c.group + belowName + strconv.Itoa(n)
		removeCgroup(dir)
		if given, _ := os.ReadFile(dir + "/cgroup.subtree_control"); len(bytes.TrimSpace(given)) == 0 {
			return openCgroup(dir)
		}
	}
}

// inCgroup starts a process in its group. Where clone3(2) is not allowed (seccomp), is too old (before Linux 5.7), or
// what it makes there does not live, the process enters it before it executes anything.
func (c *command) inCgroup(attr *syscall.ProcAttr, start func(join int) (int, error)) (pid int, err error) {
	if c.cgroup == 0 {
		return start(0)
	}
	pid, err = c.enter(attr, start)
	if errors.Is(err, unix.EBUSY) && c.renew() {
		pid, err = c.enter(attr, start)
	}
	switch {
	case !errors.Is(err, errNotJoined):
		return pid, err
	case c.must:
		return 0, fmt.Errorf("%w: %s", err, c.group)
	}
	return start(0)
}

// enter starts a process in the group, or not at all.
func (c *command) enter(attr *syscall.ProcAttr, start func(join int) (int, error)) (pid int, err error) {
	attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, c.cgroup
	pid, err = start(0)
	attr.Sys.UseCgroupFD = false
	switch {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL), errors.Is(err, unix.E2BIG), errors.Is(err, unix.EPERM),
		errors.Is(err, unix.EACCES), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EBUSY), errors.Is(err, unix.ENODEV),
		errors.Is(err, errStillborn):
	default:
		return pid, err
	}
	fd, err := unix.Openat(c.cgroup, "cgroup.procs", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errNotJoined, err)
	}
	defer unix.Close(fd)
	return start(fd)
}
