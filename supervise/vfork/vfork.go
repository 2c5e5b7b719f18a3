//go:build linux

// Package vfork makes a list of system calls, the first of them vfork(2) or the like: what its child does until the
// exec.
//
// It is a package by itself to be compiled by itself: what the child runs must be what is written here. A coverage
// counter is a call with the race detector; so this package has no tests, which are package supervise's,
// and is not for -coverpkg with -race.
package vfork

import (
	"syscall"
	"unsafe"
)

// Call is a system call.
type Call struct {
	Trap    uintptr
	A       [5]uintptr
	MayFail bool
	ThenAsk bool // whether the parent lives
}

// A Fork is made once. The caller is locked to its thread, and has it on the heap.
type Fork struct {
	PID  int32         // for the first call to write, before the child runs; others may look
	At   uintptr       // the call that was made last: 0, the first, unless there was a child
	Err  syscall.Errno // of the call at which it went wrong
	Self uintptr       // PID of the parent
	Ask  [2]Call       // getppid, getpid
	End  Call          // exit

	calls unsafe.Pointer
	mode  uintptr // who asks, the parent or the child
}

const (
	going  = iota
	asking // getppid: the child's is our PID
	surely // getpid: the parent's is
)

// Run makes the calls of a list that ends with an exec. It returns in the parent.
func (x *Fork) Run(list []Call) {
	x.calls = unsafe.Pointer(&list[0])
	x.run()
}

// run makes the calls. Whatever it knows is in x, and only what a call returns tells the parent from the child: nothing
// that a child does returns its own PID but setsid, and a file of that number. Who gets it asks.
//
// The child runs on the stack of the parent, and may end after any instruction. So this has to hold of the machine
// code, as it does of that of Go 1.25 and 1.26 for amd64 and arm64 (go tool objdump -s 'vfork..Fork..run');
// a test sees to the first:
//   - The child calls nothing but RawSyscall6, at this one place: no write barrier, no check of the stack, of bounds or
//     of a pointer, no counter, no race detector. Whatever it has left below this frame is then what the parent has put
//     there itself, the return addresses, the frame pointers; or is written anew by the parent,
//     after its own call: the results, on arm64.
//   - In this frame, what the parent reads after the call is x, which is put there once, before. c is there too, and is
//     the child's by then: who reads it is the child, for the parent has been told by its result, and asks.
//   - x.At is 0 for a parent whose child had no time to do anything, while that asks as well: getppid returns 0, as
//     vfork does in the child, to the first process of a namespace.
//
//go:noinline
//go:norace
//go:nosplit
//go:nocheckptr
func (x *Fork) run() {
	entersyscall()
	beforeFork()
	c := (*Call)(x.calls)
	for {
		r, _, e := syscall.RawSyscall6(c.Trap, c.A[0], c.A[1], c.A[2], c.A[3], c.A[4], 0)
		if x.At == 0 && x.mode == going && (e != 0 || r == 0) {
			if e != 0 { // there is no child
				x.Err = e
				break
			}
		} else if r == uintptr(uint32(x.PID)) && x.mode != surely {
			x.mode = asking
			c = &x.Ask[0]
			continue
		} else if x.mode == asking {
			if r != x.Self {
				x.mode = surely
				c = &x.Ask[1]
				continue
			}
			x.mode = going
		} else if x.mode == surely {
			if r == x.Self {
				break
			}
			c = &x.End // our process has died
			continue
		} else if e != 0 && !c.MayFail {
			x.Err = e
			c = &x.End
			continue
		} else if c.ThenAsk {
			x.mode = asking
			c = &x.Ask[0]
			continue
		}
		x.At++
		c = (*Call)(unsafe.Add(x.calls, x.At*unsafe.Sizeof(Call{})))
	}
	afterFork()
	exitsyscall()
}

//go:linkname entersyscall runtime.entersyscall
func entersyscall()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()
