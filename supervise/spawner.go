package supervise

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Spawner forks for a [Set], on one thread: the kernel ends a child when the thread that has forked it ends
// (PR_SET_PDEATHSIG, golang/go#27505). Only the main thread survives an execve(2) of this process.
type Spawner struct {
	// Forking, unless nil, is called before each fork, on the thread, and what it returns as soon as it is known that
	// there is a child, on any goroutine: after the exec, or a moment later when that takes long. It is for what a child
	// inherits, and this process is to have otherwise, as daemon.Daemon.Forking is. It is set before Run.
	Forking func() (forked func())

	work chan func()
	end  chan struct{}
	once sync.Once

	mu    sync.Mutex
	child *fork // that is on its way; nil: none
}

// NewSpawner returns a Spawner for Options.Spawner, of one Set at a time.
func NewSpawner() *Spawner { return &Spawner{work: make(chan func(), 1), end: make(chan struct{})} }

// Run forks until Close. The goroutine that calls it stays locked to its thread, whose signal mask is cleared.
func (s *Spawner) Run() {
	runtime.LockOSThread()
	// Whoever started us may have blocked signals; the mask passes through fork and exec.
	unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
	for {
		select {
		case f := <-s.work:
			f()
		case <-s.end:
			select {
			case f := <-s.work:
				f()
			default:
			}
			return
		}
	}
}

// Close has Run return. The Set has ended.
func (s *Spawner) Close() { s.once.Do(func() { close(s.end) }) }

// Start starts a process on the thread of the Spawner, beside a [Set]: before it has been made, or when it has ended.
// It does what [syscall.ForkExec] does, of whose attributes it knows Dir, Env, Files and, of Sys, Setsid, Pdeathsig,
// Credential and CgroupFD. When ctx ends before path has been executed, as it may on a disk that hangs, the child is
// killed; who is not ended by that is left to it.
func (s *Spawner) Start(ctx context.Context, path string, argv []string, attr *syscall.ProcAttr) (pid int, err error) {
	x := &fork{}
	started := make(chan launched, 1)
	run := func() {
		if ctx.Err() == nil {
			pid, err := s.fork(x, path, argv, attr)
			started <- launched{pid, err}
		}
	}
	select {
	case s.work <- run:
	case <-ctx.Done(): // somebody else's exec hangs
		return 0, fmt.Errorf("%s: not executed: %w", path, ctx.Err())
	}
	long := time.NewTimer(longLaunch)
	defer long.Stop()
	for {
		select {
		case r := <-started:
			return r.pid, r.err
		case <-long.C:
			s.linger()
		case <-ctx.Done():
			s.kill()
			go func() {
				if r := <-started; r.pid > 0 {
					unix.Kill(r.pid, unix.SIGKILL)
					syscall.Wait4(r.pid, nil, 0, nil)
				}
			}()
			return 0, fmt.Errorf("%s: not executed: %w", path, ctx.Err())
		}
	}
}

// fork forks, within Forking. The child can be ended while it is on its way to its executable.
func (s *Spawner) fork(x *fork, path string, argv []string, attr *syscall.ProcAttr) (pid int, err error) {
	if s.Forking != nil {
		x.forked = sync.OnceFunc(s.Forking())
		defer x.forked()
	}
	x.forget = func() { s.watch(nil) }
	s.watch(x)
	defer s.watch(nil)
	return x.forkExec(path, argv, attr)
}

// Do calls f on the thread that forks, and returns when f has. The Set is frozen, see [Set.Freeze].
func (s *Spawner) Do(f func()) {
	done := make(chan struct{})
	s.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

// watch has kill know of a child; nil: there is none any more, and its number may be another's.
func (s *Spawner) watch(x *fork) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.child = x
}

// kill ends the child that is on its way.
func (s *Spawner) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.child; x != nil && x.child() > 0 {
		unix.Kill(x.child(), unix.SIGKILL)
	}
}

// linger is for a child that is on its way for long.
func (s *Spawner) linger() {
	s.mu.Lock()
	x := s.child
	s.mu.Unlock()
	if x != nil && x.forked != nil && x.child() > 0 {
		x.forked()
	}
}
