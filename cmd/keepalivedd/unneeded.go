package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// settled is when a start is over, with what comes of it: the last threads, the first lines of the log.
const settled = 100 * time.Millisecond

// dropUnneeded unmaps what the start has read of the program: a daemon that waits needs little of it, and what it does need is
// mapped again when it is touched, from the kernel's cache.
func dropUnneeded() {
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[4] == "0" || strings.Contains(f[1], "w") { // what was written is not in the file
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		begin, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 == nil && err2 == nil {
			unix.RawSyscall(unix.SYS_MADVISE, uintptr(begin), uintptr(end-begin), unix.MADV_DONTNEED)
		}
	}
}
