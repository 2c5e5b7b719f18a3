package supervise

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/wait"
)

// linux is the kernel that we run on.
type linux struct {
	launcher
	ready    chan struct{} // closed
	outcomes chan launched
}

func newLinux() *linux {
	k := &linux{ready: make(chan struct{}), outcomes: make(chan launched, 1)}
	close(k.ready)
	return k
}

func (k *linux) open(o *Options) (died <-chan os.Signal, shut func()) {
	if k.spawner = o.Spawner; k.spawner == nil {
		k.spawner = NewSpawner()
		go k.spawner.Run()
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGCHLD)
	if o.Orphans {
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	restore := catchIgnored()
	k.around, k.naming = o.Fork, o.Orphans && o.Cgroup == ""
	k.launcher.open(o.Helper, o.Mark)
	return c, func() {
		if o.Exits {
			return
		}
		k.spawner.work <- k.launcher.close // after a launch that hangs; there is room, for that one has been taken
		if o.Spawner == nil {
			k.spawner.Close()
		}
		restore()
		signal.Stop(c)
	}
}

func (k *linux) turn() <-chan struct{} { return k.ready }

func (k *linux) connect(l *loop, p *program, c *command) (done func(), err error) {
	var undo []func()
	done = func() {
		for _, f := range undo {
			f()
		}
	}
	for _, prepare := range []func(*program, *command) (func(), error){l.openOutput, l.openReady} {
		f, err := prepare(p, c)
		if f != nil {
			undo = append(undo, f)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// launch never waits: the loop has only one launch at a time.
func (k *linux) launch(x *launch) {
	k.spawner.work <- func() {
		var pid int
		if x.wrong == nil {
			if err := k.openListeners(&x.command); err != nil {
				k.outcomes <- launched{0, err}
				return
			}
		}
		if x.spent != nil {
			*x.spent = spentIn(x.group)
		}
		var err error
		if x.gate != nil && x.gate.socket >= 0 {
			pid, err = k.execGuard(x.command, x.gate.spec)
		} else {
			pid, err = k.exec(x.command)
		}
		if err != nil && x.wrong == nil && x.explain != nil {
			err = x.explain(err)
		}
		k.outcomes <- launched{pid, err}
	}
}

func (k *linux) launched() <-chan launched { return k.outcomes }

func (k *linux) linger() { k.spawner.linger() }

func (k *linux) giveUp() { k.spawner.kill() }

func (*linux) kill(pid int, sig syscall.Signal) error { return unix.Kill(pid, sig) }

func (*linux) signal(p proc, signals ...syscall.Signal) { p.signal(signals...) }

func (*linux) zombie(kind, id int) int {
	pid, _ := wait.Zombie(kind, id)
	return pid
}

func (*linux) wait(pid int) syscall.WaitStatus { return waitFor(pid) }

// waitFor waits for the end of a child, and takes it.
func waitFor(pid int) (ws syscall.WaitStatus) {
	for {
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != syscall.EINTR {
			return ws
		}
	}
}

func (*linux) waitAny() (pid int, ws syscall.WaitStatus) {
	for {
		switch pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil); err {
		case nil:
			return pid, ws
		case syscall.EINTR:
		default:
			return 0, 0
		}
	}
}

func (*linux) holds(group int) bool {
	return unix.Waitid(unix.P_PGID, group, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == nil
}

func (*linux) childless() bool {
	_, err := wait.Zombie(unix.P_ALL, 0)
	return errors.Is(err, unix.ECHILD)
}

func (*linux) inCgroup(dir string) []int { return inCgroup(dir) }

func (*linux) endCgroup(dir string) { endCgroup(dir) }

func (*linux) removeCgroup(dir string) bool { return removeCgroup(dir) }

func (*linux) inheritedNobody(known func(pid int) bool) bool { return inheritedNobody(known) }

func (k *linux) findOrphans(known []int, then func([]orphan)) {
	go func() { then(orphansBut(known, k.mark)) }()
}

func (*linux) find(p *Program, then func(*found)) { go func() { then(p.find()) }() }

func (*linux) bind(all map[string]binding, then func(boundNow)) {
	inodes := make(map[string]uint64, len(all))
	for dir := range all {
		inodes[dir] = inodeOf(dir)
	}
	go func() {
		errs := map[string]error{}
		for dir, b := range all {
			errs[dir] = b.applyIn(dir, inodes[dir])
		}
		then(boundNow{all, errs})
	}()
}

func (*linux) comeBack(set string) { comeBack(set) }

func (*linux) self() int { return os.Getpid() }

func (*linux) process(pid int) (proc, bool) { return readProc(pid) }

func (*linux) group(pid int) int {
	group, err := unix.Getpgid(pid)
	if err != nil {
		return 0
	}
	return group
}

func (*linux) everybody() map[int]proc { return everybody() }

func (*linux) startedWith(p proc, variable string) bool { return p.startedWith(variable) }

func (*linux) sinceBoot() time.Duration { return sinceBoot() }

func (*linux) random() float64 { return rand.Float64() }
