package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a start takes for itself and its background copy, with some to spare.
const (
	leastDescriptors = 64
	leastTasks       = 24
)

// shortage looks for what the Go runtime would die of, in many words of its own, in the middle of anything: a poller
// without a descriptor, a thread that cannot be had. It opens nothing before it knows that it can.
func shortage() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < leastDescriptors {
		return fmt.Errorf("only %d file descriptors are allowed (RLIMIT_NOFILE), at least %d are needed: raise the limit, "+
			"with ulimit -n", limit.Cur, leastDescriptors)
	}
	return lackOfTasks(leastTasks)
}

// lackOfTasks tells whether fewer processes and threads than that can still be had.
func lackOfTasks(least int) error {
	if left, most, file := leftInCgroup(); left < least {
		return fmt.Errorf("only %d of the %d processes and threads that the cgroup may have are left (%s), "+
			"at least %d are needed: raise the limit", left, most, file, least)
	}
	const plenty = 4096 // not worth the counting
	var limit unix.Rlimit
	uid := os.Getuid()
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit); err != nil || limit.Cur > plenty || uid == 0 {
		return nil
	}
	if left := max(0, int(limit.Cur)-tasks(uid)); left < least {
		return fmt.Errorf("only %d of the %d processes and threads that uid %d may have are left (RLIMIT_NPROC), "+
			"at least %d are needed: raise the limit, with ulimit -u", left, limit.Cur, uid, least)
	}
	return nil
}

// leftInCgroup returns how many tasks can still be had in our cgroup and those above, and the file that bounds them, in
// the hierarchy of version 2 or that of the controller pids. Where it cannot be seen, nothing bounds them.
func leftInCgroup() (left, most int, file string) {
	left = math.MaxInt
	b, _ := os.ReadFile("/proc/self/cgroup") // ID:CONTROLLERS:PATH
	for line := range strings.Lines(string(b)) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(line, ":")
		root := "/sys/fs/cgroup"
		switch controllers {
		case "":
		case "pids":
			root += "/pids"
		default:
			continue
		}
		for last := false; !last; path = filepath.Dir(path) {
			last = len(path) <= 1 // the root of a namespace has bounds
			at := filepath.Join(root, path, "pids.max")
			bound, unbounded := numberIn(at)
			now, unknown := numberIn(filepath.Join(root, path, "pids.current"))
			if n := max(0, bound-now); unbounded == nil && unknown == nil && n < left {
				left, most, file = n, bound, at
			}
		}
	}
	return left, most, file
}

func numberIn(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// tasks counts the threads of a user's processes, as the kernel does for RLIMIT_NPROC: by the real user ID.
func tasks(uid int) (count int) {
	files, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, file := range files {
		b, _ := os.ReadFile(file)
		ids, threads := statusField(string(b), "Uid"), statusField(string(b), "Threads")
		if n, err := strconv.Atoi(threads); err == nil && ids == strconv.Itoa(uid) {
			count += n
		}
	}
	return count
}

// statusField is the first word after a name in proc_pid_status(5).
func statusField(status, name string) string {
	_, rest, _ := strings.Cut(status, "\n"+name+":")
	line, _, _ := strings.Cut(rest, "\n")
	word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
	return word
}
