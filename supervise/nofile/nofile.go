// Package nofile knows the limit of descriptors that this process was started with.
//
// Package syscall raises the soft one before main, gives the old one to what it starts, and tells it nobody. Packages
// are initialised in the order of their paths, as far as they do not need each other (The Go Programming Language
// Specification, "Program initialization"): this one needs none, so it comes before syscall.
package nofile

import (
	"runtime"
	"unsafe"
)

// Limit is struct rlimit64.
type Limit struct{ Soft, Hard uint64 }

// Original returns the limit; zero when it could not be had.
func Original() Limit { return original }

// The one thing that is found out before main, because it cannot be found out later.
var original = read()

func read() (l Limit) {
	number, resource := prlimit(runtime.GOARCH)
	rawSyscall6(number, 0, resource, 0, uintptr(unsafe.Pointer(&l)), 0, 0)
	return l
}

// prlimit is the number of prlimit64(2), and RLIMIT_NOFILE. Whoever needs no other package cannot ask one for them.
func prlimit(arch string) (number, resource uintptr) {
	switch arch {
	case "amd64":
		return 302, 7
	case "386":
		return 340, 7
	case "arm":
		return 369, 7
	case "mips", "mipsle":
		return 4338, 5
	case "mips64", "mips64le":
		return 5297, 5
	case "ppc64", "ppc64le":
		return 325, 7
	case "s390x":
		return 334, 7
	}
	return 261, 7
}

//go:linkname rawSyscall6 syscall.RawSyscall6
func rawSyscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, err uintptr)
