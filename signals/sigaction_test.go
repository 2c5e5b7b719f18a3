//go:build linux

package signals_test

import (
	"syscall"
	"unsafe"
)

// rawSigaction sets a disposition behind the runtime's back, as it is when a parent has ignored the signal.
func rawSigaction(sig syscall.Signal, action *[4]uint64) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(action)), 0, 8, 0, 0)
}
