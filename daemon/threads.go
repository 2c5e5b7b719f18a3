//go:build linux

package daemon

import (
	"runtime"
	"sync"
)

// MakeThreads has the runtime make threads, so that n are there beside that of the caller which are not tied to a
// goroutine. A thread that is not needed any more stays, and is used again.
//
// The Go runtime makes one whenever a goroutine can run and all others are in system calls; it ends the process when
// the kernel refuses, because RLIMIT_NPROC or a cgroup's pids.max is reached. So they are made while that is not yet
// so: by [Daemon.Run] as many as a daemon with one processor (GOMAXPROCS) and [Daemon.Threads] needs. A hook that makes
// use of more calls it before it does.
func MakeThreads(n int) {
	var locked, unlocked sync.WaitGroup
	locked.Add(max(0, n))
	unlock := make(chan struct{})
	for range n {
		unlocked.Go(func() {
			runtime.LockOSThread() // for itself alone, while all others have theirs
			defer runtime.UnlockOSThread()
			locked.Done()
			<-unlock
		})
	}
	locked.Wait()
	close(unlock)
	unlocked.Wait()
}

// Threads that a daemon needs beside that which runs: for the network poller, for a goroutine that is locked to its
// own, as package supervise has one, for a hook's system call that hangs, and two that are just coming back from a call
// while others are wanted. What the runtime needs for itself and for signals, four, it has by then.
const leastThreads = 5

func (r *run) makeThreads() {
	n := leastThreads + r.Threads + runtime.GOMAXPROCS(0) - 1
	if r.Childless {
		n-- // Start has come first, and has locked its goroutine
	}
	MakeThreads(n)
}
