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

// dropUnneeded unmaps what the start has read of the program: a daemon that waits needs little of it, and what it does
// need is mapped again when it is touched, from the kernel's cache.
func dropUnneeded() {
	smaps, _ := os.ReadFile("/proc/self/smaps")
	for _, m := range asInFiles(string(smaps)) {
		unix.RawSyscall(unix.SYS_MADVISE, m.begin, m.end-m.begin, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ begin, end uintptr }

// asInFiles are the mappings that hold what is in their files, and nothing else: in others, those of a program that was
// linked to be put anywhere (PIE), or is being traced, pages were written before they were made read-only.
func asInFiles(smaps string) (same []mapping) {
	var m *mapping
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		switch {
		case len(f) > 4 && strings.Contains(f[0], "-"):
			m = nil
			from, to, _ := strings.Cut(f[0], "-")
			begin, err1 := strconv.ParseUint(from, 16, strconv.IntSize)
			end, err2 := strconv.ParseUint(to, 16, strconv.IntSize)
			if err1 == nil && err2 == nil && f[4] != "0" && !strings.Contains(f[1], "w") {
				m = &mapping{uintptr(begin), uintptr(end)}
			}
		case m != nil && len(f) > 1 && f[0] == "Anonymous:":
			if f[1] == "0" {
				same = append(same, *m)
			}
			m = nil
		}
	}
	return same
}
