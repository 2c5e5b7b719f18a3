//go:build !(386 || arm)

package supervise

import "golang.org/x/sys/unix"

// With 32 bits, not 16.
const (
	sysSetgroups = unix.SYS_SETGROUPS
	sysSetgid    = unix.SYS_SETGID
	sysSetuid    = unix.SYS_SETUID
)
