package supervise

import (
	"os"
	"syscall"
	"time"
)

// kernel is all that the loop asks of the machine; the time is package time's. It is asked on the loop's goroutine.
// What reads from processes behind it tells the loop by a notice or gateSaid. Linux is one;
// the tests have a model of it.
type kernel interface {
	// open makes it fit to start processes; died gets SIGCHLD, once for any number of deaths.
	open(o *Options) (died <-chan os.Signal, shut func())
	// turn is ready whenever the next in the queue may be started.
	turn() <-chan struct{}
	// connect connects the process of p, which is to be launched, with what reads its output and readiness, and release
	// closes that; connectGate and closeGate do so for a gate, closeGate once its process was told to end. What is left to
	// the child is closed by done, once it has been launched or has not.
	connect(l *loop, p *program, c *command) (done func(), err error)
	release(l *loop, p *program)
	// lastWords returns what the process of p has said, and l was not told of yet.
	lastWords(l *loop, p *program) []notice
	connectGate(l *loop, p *program, g *gate, c *command) (done func(), err error)
	closeGate(g *gate)
	// closeListener closes a socket that a launch has opened.
	closeListener(n *listener)
	// launch starts a process, and does not wait for it: how that went comes from launched. One at a time.
	launch(x *launch)
	launched() <-chan launched
	// linger is for a launch that takes long.
	linger()
	// giveUp ends the child that is being launched, if it can be ended.
	giveUp()

	// kill is kill(2).
	kill(pid int, sig syscall.Signal) error
	// signal is for a process that is not our child, or may not be any more.
	signal(p proc, signals ...syscall.Signal)
	// zombie returns the PID of a child that has died and was not waited for, of those that waitid(2) would look at, and
	// leaves it so; 0: there is none.
	zombie(kind, id int) int
	// wait takes a zombie.
	wait(pid int) syscall.WaitStatus
	// waitAny takes any child's zombie; 0: there is none. It is for who has no other children.
	waitAny() (pid int, ws syscall.WaitStatus)
	// holds says that a child of ours that was not waited for is in a group, so that no other can have its number.
	holds(group int) bool
	// childless says that there is nobody left, not even a zombie.
	childless() bool

	// inCgroup returns who is in a cgroup and below it; endCgroup kills them all; removeCgroup reports whether it has
	// gone, which it has when nobody is in it.
	inCgroup(dir string) []int
	endCgroup(dir string)
	removeCgroup(dir string) bool
	// inheritedNobody reports whether nobody has become our child but those who are known, as far as that can be told at
	// once. Nothing is being launched.
	inheritedNobody(known func(pid int) bool) bool
	// findOrphans looks for who descends from children of ours that are not known, and does not wait for it; then is
	// called with them, on no matter which goroutine.
	findOrphans(known []int, then func([]orphan))
	// find is that of the Program, and does not wait for it; then is called with that, on no matter which goroutine.
	find(p *Program, then func(*found))
	// bind applies Resources by cgroup, and does not wait for it; then is called when it is done,
	// on no matter which goroutine. A cgroup that is removed meanwhile, and made anew, is left as it is.
	bind(all map[string]binding, then func(boundNow))
	// comeBack is for the end of a Set: this process leaves its cgroup.
	comeBack(set string)

	self() int // our PID
	process(pid int) (p proc, ok bool)
	group(pid int) int // 0: there is no such process
	everybody() map[int]proc
	// startedWith reports whether a process has the variable, NAME=value, from its exec.
	startedWith(p proc, variable string) bool

	sinceBoot() time.Duration // that which the machine has slept included
	random() float64          // in [0, 1)
}
