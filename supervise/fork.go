package supervise

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise/nofile"
	"github.com/keepalivedd/keepalivedd/supervise/vfork"
)

// A fork is a vfork(2) and what its child does until the exec. [syscall.ForkExec] does the same, but its thread keeps a
// processor of the Go runtime while it waits for the exec: a dead network file system then stops every goroutine, at
// the latest when memory is next to be collected. This one waits as a system call does, and its PID is known before.
//
// The child runs in our memory and on our stack. So the whole of it is a list of system calls, and all of them, the
// vfork too, are made at one place of the program, and the child calls nothing else: whenever it ends, or becomes its
// executable, the stack is as the parent, which comes back from that same place, has left it.
type fork struct {
	vfork.Fork

	forget func() // its number may be another's from now on
	forked func() // of Spawner.Forking; may be nil

	list []vfork.Call
	keep []any // what the calls point to
	exec int   // the index of execve in the list
	dir  int   // of chdir
	into bool  // a cgroup, by clone3(2)
	join int   // the cgroup.procs of a group that the child enters; 0: of none
	few  bool  // the child gets a copy of those descriptors only that it may need, see files

	joins, copies uintptr // the index of either
}

// forkExec is [syscall.ForkExec], of which it knows Dir, Env, Files and, of Sys, Setsid, Pdeathsig, Credential and
// CgroupFD. The error is that of a call in the child, too; x tells which.
// The calling goroutine is locked to its thread.
func (x *fork) forkExec(argv0 string, argv []string, attr *syscall.ProcAttr) (pid int, err error) {
	if err := x.prepare(argv0, argv, attr); err != nil {
		return 0, err
	}
	return x.carryOut()
}

func (x *fork) carryOut() (pid int, err error) {
	if x.forget == nil {
		x.forget = func() {}
	}
	x.Run(x.list)
	runtime.KeepAlive(x.keep)
	stillborn := x.Err == 0 && x.At == 0
	if x.Err == 0 && !(stillborn && x.into) {
		return int(x.PID), nil
	}
	if x.At > 0 || stillborn {
		x.forget()
		waitFor(int(x.PID))
	}
	switch {
	case stillborn:
		return 0, errStillborn
	case x.join > 0 && x.At == x.joins:
		return 0, fmt.Errorf("%w: %w", errNotJoined, x.Err)
	case x.few && x.At == x.copies:
		return 0, fmt.Errorf("%w: %w", errNotCopied, x.Err)
	}
	return 0, x.Err
}

// errStillborn is of a child that was killed before its first instruction, as the kernel does to whom clone3(2) puts
// into a cgroup whose cgroup.kill was written to more often than that of the parent's own (Linux 6.14 and later).
var errStillborn = errors.New("killed before its first instruction")

// errNotJoined is of a child that could not enter its group.
var errNotJoined = errors.New("it cannot enter its cgroup")

// errNotCopied is of a child that could not get its few descriptors.
var errNotCopied = errors.New("close_range")

// child is the PID of a child that is on its way; 0: there is none yet.
func (x *fork) child() int { return int(atomic.LoadInt32(&x.PID)) }

func (x *fork) add(trap uintptr, a ...uintptr) *vfork.Call {
	c := vfork.Call{Trap: trap}
	copy(c.A[:], a)
	x.list = append(x.list, c)
	return &x.list[len(x.list)-1]
}

func (x *fork) prepare(argv0 string, argv []string, attr *syscall.ProcAttr) error {
	path, err := syscall.BytePtrFromString(argv0)
	if err != nil {
		return err
	}
	args, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return err
	}
	env, err := syscall.SlicePtrFromStrings(attr.Env)
	if err != nil {
		return err
	}
	x.list = make([]vfork.Call, 0, 80+2*len(attr.Files))
	x.keep = append(x.keep, path, args, env)
	x.Self = uintptr(os.Getpid())
	sys := attr.Sys
	if sys == nil {
		sys = &syscall.SysProcAttr{}
	}
	x.clone(sys)
	x.signals()
	if x.join > 0 {
		self := []byte("0")
		x.keep = append(x.keep, self)
		x.joins = uintptr(len(x.list))
		x.add(unix.SYS_WRITE, uintptr(x.join), uintptr(unsafe.Pointer(&self[0])), 1)
	}
	if sys.Setsid {
		x.add(unix.SYS_SETSID)
	}
	if c := sys.Credential; c != nil {
		var groups uintptr
		if len(c.Groups) > 0 {
			groups = uintptr(unsafe.Pointer(&c.Groups[0]))
			x.keep = append(x.keep, c.Groups)
		}
		x.add(sysSetgroups, uintptr(len(c.Groups)), groups)
		x.add(sysSetgid, uintptr(c.Gid))
		x.add(sysSetuid, uintptr(c.Uid))
	}
	if attr.Dir != "" {
		dir, err := syscall.BytePtrFromString(attr.Dir)
		if err != nil {
			return err
		}
		x.keep = append(x.keep, dir)
		x.dir = len(x.list)
		x.add(unix.SYS_CHDIR, uintptr(unsafe.Pointer(dir)))
	}
	if sys.Pdeathsig != 0 {
		x.add(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(sys.Pdeathsig)).ThenAsk = true // whether the parent lives
	}
	x.files(attr.Files)
	if l := givenLimit(); l != nil {
		x.keep = append(x.keep, l)
		x.add(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(l))).MayFail = true
	}
	x.exec = len(x.list)
	x.add(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&args[0])),
		uintptr(unsafe.Pointer(&env[0])))
	x.Ask = [2]vfork.Call{{Trap: unix.SYS_GETPPID}, {Trap: unix.SYS_GETPID}}
	x.End = vfork.Call{Trap: unix.SYS_EXIT, A: [5]uintptr{253}}
	return nil
}

func (x *fork) clone(sys *syscall.SysProcAttr) {
	flags := uintptr(unix.CLONE_VM | unix.CLONE_VFORK | unix.CLONE_PARENT_SETTID)
	if x.few {
		flags |= unix.CLONE_FILES
	}
	x.keep = append(x.keep, x) // so that it is on the heap, and stays where it is
	pid := uintptr(unsafe.Pointer(&x.PID))
	switch {
	case sys.UseCgroupFD:
		x.into = true
		args := &[11]uint64{0: uint64(flags) | unix.CLONE_INTO_CGROUP, 3: uint64(pid), 4: uint64(unix.SIGCHLD),
			10: uint64(sys.CgroupFD)}
		x.keep = append(x.keep, args)
		x.add(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args))
	case runtime.GOARCH == "s390x":
		x.add(unix.SYS_CLONE, 0, flags|uintptr(unix.SIGCHLD), pid)
	default:
		x.add(unix.SYS_CLONE, flags|uintptr(unix.SIGCHLD), 0, pid)
	}
}

// signals gives the child the default actions, since a handler of the runtime would run in our memory, and then no
// mask: all signals are blocked from before the fork. It is a part of the list, and not
// [syscall.runtime_AfterForkInChild]: a child that is killed within a function of ours would leave us a stack on which
// that is still being called.
func (x *fork) signals() {
	last, size, set := uintptr(64), uintptr(8), uintptr(unix.SIG_SETMASK)
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		last, size = 127, 16
	}
	zero := unsafe.Pointer(&[32]uint64{}) // struct sigaction: SIG_DFL, no flags; sigset_t: none
	x.keep = append(x.keep, zero)
	for sig := uintptr(1); sig <= last; sig++ {
		if sig != uintptr(unix.SIGKILL) && sig != uintptr(unix.SIGSTOP) {
			x.add(unix.SYS_RT_SIGACTION, sig, uintptr(zero), 0, size).MayFail = true
		}
	}
	x.add(unix.SYS_RT_SIGPROCMASK, set, uintptr(zero), 0, size)
}

// givenLimit is the limit of descriptors that this process was started with, unless somebody but the Go runtime has
// changed it since; see syscall.init and [syscall.ForkExec].
func givenLimit() *nofile.Limit {
	l := nofile.Original()
	var now unix.Rlimit
	if unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &now) != nil || l.Hard == 0 || now.Max != l.Hard || now.Cur != l.Hard-1 {
		return nil
	}
	return &l
}

// files gives the child its descriptors. First those are moved out of the way that would be overwritten.
//
// With many programs the parent has thousands. To copy them all, and to have the exec close them, takes a fifth of the
// time of a launch; so the child shares them, and here gets a copy of its own of those that are not above its files.
func (x *fork) files(files []uintptr) {
	fds := append([]uintptr(nil), files...)
	next := uintptr(len(fds))
	for _, fd := range fds {
		if fd != noFile {
			next = max(next, fd+1)
		}
	}
	if x.few {
		x.copies = uintptr(len(x.list))
		x.add(unix.SYS_CLOSE_RANGE, next, uintptr(^uint32(0)), unix.CLOSE_RANGE_UNSHARE)
	}
	for i, fd := range fds {
		if fd != noFile && fd < uintptr(i) {
			x.add(unix.SYS_DUP3, fd, next, unix.O_CLOEXEC)
			fds[i] = next
			next++
		}
	}
	for i, fd := range fds {
		switch {
		case fd == noFile:
			x.add(unix.SYS_CLOSE, uintptr(i)).MayFail = true
		case fd == uintptr(i):
			x.add(unix.SYS_FCNTL, fd, unix.F_SETFD, 0)
		default:
			x.add(unix.SYS_DUP3, fd, uintptr(i), 0)
		}
	}
}
