package supervise

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Resources bound what all processes of a program have together. The kernel sees to that, in the program's cgroup; what
// it has no controller for, or what there is no cgroup for, is the failure of the program. 0: no bound.
type Resources struct {
	Memory    int64 // bytes, with files that are cached
	CPUWeight int   // 1 to 10000, beside others with 100
	PIDs      int   // processes and threads
}

// bound is one of them, as a file of a cgroup.
type bound struct{ controller, file, value, none string }

func (r *Resources) bounds() [3]bound {
	value := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	return [...]bound{{"memory", "memory.max", value(r.Memory), "max"},
		{"cpu", "cpu.weight", value(int64(r.CPUWeight)), "100"}, {"pids", "pids.max", value(int64(r.PIDs)), "max"}}
}

// binds reports whether there is a bound.
func (r *Resources) binds() bool { return r != nil && *r != Resources{} }

// same reports whether nothing has to be done to go from r to s.
func (r *Resources) same(s *Resources) bool {
	return r.binds() == s.binds() && (!r.binds() || *r == *s)
}

// apply has the kernel bind who is in a program's cgroup, of which fd is a descriptor. That may take its time: memory
// that is above the bound is taken back first. A bound of which nothing is said is taken away.
func (r *Resources) apply(fd int, dir string) error {
	var errs []error
	for _, b := range r.bounds() {
		err := writeIn(fd, dir, b.file, cmp.Or(b.value, b.none))
		if errors.Is(err, unix.ENOENT) {
			if b.value == "" {
				continue
			}
			if err = enableController(filepath.Dir(dir), b.controller); err == nil {
				err = writeIn(fd, dir, b.file, b.value)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cgroup controller %s is not to be had here: %w", b.controller, err))
		}
	}
	return errors.Join(errs...)
}

func writeCgroup(path, text string) error { return writeIn(unix.AT_FDCWD, "", path, text) }

// writeIn writes to a file of the cgroup dir, of which fd is a descriptor.
func writeIn(fd int, dir, file, text string) error {
	to, err := unix.Openat(fd, file, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err == nil {
		_, err = unix.Write(to, []byte(text))
		unix.Close(to)
	}
	if err != nil {
		return fmt.Errorf("write %q to %s: %w", text, filepath.Join(dir, file), err)
	}
	return nil
}

// LookForCgroup tells why a program cannot be given a cgroup, below what [FindCgroup] returns, that has these
// controllers, "memory" and the like. Nil: as far as looking can tell, it can.
func LookForCgroup(controllers ...string) error {
	base, err := FindCgroup()
	if err != nil && len(controllers) == 0 {
		return fmt.Errorf("no cgroup can be had here: %w", err)
	}
	var errs []error
	for _, c := range controllers {
		why := err
		if why == nil {
			why = lacksController(base, c)
		}
		if why != nil {
			errs = append(errs, fmt.Errorf("cgroup controller %s is not to be had here: %w", c, why))
		}
	}
	return errors.Join(errs...)
}

// lacksController tells why a cgroup does not have a controller.
func lacksController(dir, controller string) error {
	b, err := os.ReadFile(dir + "/cgroup.controllers")
	if err != nil || slices.Contains(strings.Fields(string(b)), controller) {
		return err
	}
	b, _ = os.ReadFile("/proc/self/cgroup") // ID:CONTROLLERS:PATH
	for line := range bytes.Lines(b) {
		if words := strings.SplitN(string(line), ":", 3); len(words) == 3 &&
			slices.Contains(strings.Split(words[1], ","), controller) {
			return errors.New("it is in a hierarchy of version 1")
		}
	}
	return fmt.Errorf("%s/cgroup.controllers does not have it", dir)
}

// enableController has the programs of a Set have a controller.
func enableController(set, controller string) error {
	base := filepath.Dir(set)
	if err := lacksController(base, controller); err != nil {
		return err
	}
	enable := func() error { return writeCgroup(base+"/cgroup.subtree_control", "+"+controller) }
	err := enable()
	if errors.Is(err, unix.EBUSY) {
		err = makeRoom(base, set, enable)
	}
	if err == nil {
		err = writeCgroup(set+"/cgroup.subtree_control", "+"+controller)
	}
	return err
}

// ownGroup is a cgroup for the daemon itself, below that of its Set: but for the root of all, a cgroup has either
// processes or controllers for those below it. Its suffix is no program's.
const ownGroup = "daemon.self"

// makeRoom moves this process, and what belongs to it, out of base, and then has enable try again.
func makeRoom(base, set string, enable func() error) error {
	own := set + "/" + ownGroup
	if err := os.MkdirAll(own, 0o755); err != nil {
		return err
	}
	for tries := 0; ; tries++ {
		b, err := os.ReadFile(base + "/cgroup.procs")
		if err != nil {
			return err
		}
		for word := range strings.FieldsSeq(string(b)) {
			pid, _ := strconv.Atoi(word)
			p, alive := readProc(pid)
			switch {
			case !alive:
			case !isOurs(pid):
				return fmt.Errorf("%s has other processes in it, such as pid %d %q: start this in a cgroup of its own", base, pid,
					p.name)
			default:
				if err := writeCgroup(own+"/cgroup.procs", word); err != nil && !errors.Is(err, unix.ESRCH) {
					return err
				}
			}
		}
		if err = enable(); err == nil || !errors.Is(err, unix.EBUSY) || tries == 10 {
			return err
		}
	}
}

// isOurs says whether a process is this one, descends from it, or is what has started it, the same program, and waits
// for its word.
func isOurs(pid int) bool {
	if pid == os.Getpid() || slices.Contains(ancestors(pid, readProc), os.Getpid()) {
		return true
	}
	own, err := os.Readlink("/proc/self/exe")
	exe, err2 := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return pid == os.Getppid() && err == nil && err2 == nil && exe == own
}

// comeBack undoes makeRoom at the end, so that nothing is left of a Set.
func comeBack(set string) {
	own, base := set+"/"+ownGroup, filepath.Dir(set)
	if _, err := os.Stat(own); err != nil {
		return
	}
	for _, dir := range []string{set, base} {
		b, _ := os.ReadFile(dir + "/cgroup.subtree_control")
		for controller := range strings.FieldsSeq(string(b)) {
			writeCgroup(dir+"/cgroup.subtree_control", "-"+controller) // it was enabled for us: base had processes
		}
	}
	for _, pid := range inCgroup(own) {
		writeCgroup(base+"/cgroup.procs", strconv.Itoa(pid))
	}
	unix.Rmdir(own)
}

// bind has the Resources of a program that runs applied, beside the loop.
func (l *loop) bind(p *program) {
	if dir := l.cgroup(p.spec); dir != "" && p.starts > 0 {
		r := p.spec.Resources
		if r == nil {
			r = &Resources{}
		}
		p.bound = true
		l.binding[dir] = binding{p.spec.Name, r}
		l.bindNext()
	}
}

// binding is what a program is to be given.
type binding struct {
	name string
	*Resources
}

// applyIn applies it to a cgroup with this inode, 0: it was not there. One that has another by now, or before that is
// done, was made anew, and its program was bound when it was launched.
func (b binding) applyIn(dir string, inode uint64) error {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	switch {
	case errors.Is(err, unix.ENOENT) && (inode != 0 || !b.binds()):
		return nil
	case err != nil:
		return fmt.Errorf("cgroup %s: %w", dir, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != inode {
		return err
	}
	if err = b.apply(fd, dir); err != nil && inodeOf(dir) != inode {
		return nil
	}
	return err
}

// inodeOf is that of a cgroup; 0: there is none.
func inodeOf(dir string) uint64 {
	var st unix.Stat_t
	if unix.Lstat(dir, &st) != nil {
		return 0
	}
	return st.Ino
}

// boundNow is what has become of them, by cgroup.
type boundNow struct {
	done map[string]binding
	errs map[string]error
}

// bindNext hands over all that has come together, while nothing is being done.
func (l *loop) bindNext() {
	if l.applying != nil || len(l.binding) == 0 {
		return
	}
	l.applying = l.binding
	l.kernel.bind(l.binding, func(said boundNow) {
		select {
		case l.set.requests <- said:
		case <-l.set.ended:
		}
	})
	l.binding = map[string]binding{}
}

func (l *loop) haveBound(said boundNow) {
	l.applying = nil
	for dir, b := range said.done {
		p := l.programs[b.name]
		if p == nil || l.cgroup(p.spec) != dir {
			continue
		}
		_, again := l.binding[dir]
		switch err := said.errs[dir]; {
		case !b.same(p.spec.Resources):
			l.bind(p) // a launch may have come in between
		case err != nil && p.pid != 0 && !again: // else who is launched gets them, or fails
			l.Log.Error(p.says("runs on with the bounds that it had: %v", err))
		}
	}
	l.bindNext()
}
