//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spawn runs a command, the first of argv an absolute path, with nothing to read and to write; its PID is
// 0 when it cannot be run.
func spawn(argv []string) (pid int) {
	null, _ := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	defer null.Close()
	fd := null.Fd()
	attr := &syscall.ProcAttr{Dir: "/", Env: os.Environ(), Files: []uintptr{fd, fd, fd}}
	pid, _ = syscall.ForkExec(argv[0], argv, attr)
	return pid
}

func nap() { unix.Nanosleep(&unix.Timespec{Nsec: 20_000}, nil) }

// wait returns the exit status of a child; -1: it was killed, or could not be run.
func wait(pid int) int {
	var ws unix.WaitStatus
	for pid > 0 {
		if _, err := unix.Wait4(pid, &ws, 0, nil); err != unix.EINTR {
			return ws.ExitStatus()
		}
	}
	return -1
}

// awaitPID returns when the pidfile names a child of ours.
func awaitPID(pidfile string) (pid int, err error) {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); nap() {
		text, _ := os.ReadFile(pidfile)
		pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
		// Whether it is a child: waitid fails for anybody else's.
		if err == nil && pid > 1 && unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == nil {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("%s does not come to name a daemon", filepath.Base(pidfile))
}

// reapAll waits until no child is left, and tells whether that was before long.
func reapAll(long time.Duration) bool {
	for end := time.Now().Add(long); time.Now().Before(end); {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err == unix.ECHILD {
			return true
		}
		if pid <= 0 {
			nap()
		}
	}
	return false
}

// endAll ends whatever was started and is still there.
func endAll() {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGTERM, unix.SIGKILL, unix.SIGKILL, unix.SIGKILL} {
		for _, pid := range children(os.Getpid()) {
			unix.Kill(pid, sig)
		}
		if reapAll(time.Second) {
			return
		}
	}
}

func children(of int) (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(text)) {
			pid, _ := strconv.Atoi(child)
			pids = append(pids, pid)
		}
	}
	return pids
}

// family is a process and all that descends from it, but for those left out.
func family(pid int, without map[int]bool) []int {
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		for _, child := range children(pids[i]) {
			if !without[child] {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// usage is what processes take together.
type usage struct {
	cpu                  time.Duration
	switches             float64 // voluntary ones: how often they slept
	pss, anonymous       float64 // KiB
	threads, descriptors int
}

func look(pids []int) (u usage) {
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d/", pid)
		u.cpu += time.Duration(number(dir+"task/*/schedstat", "")) // utime counts in ticks
		u.switches += number(dir+"task/*/status", "\nvoluntary_ctxt_switches:")
		u.pss += number(dir+"smaps_rollup", "\nPss:")
		u.anonymous += number(dir+"smaps_rollup", "\nAnonymous:")
		u.threads += int(number(dir+"status", "\nThreads:"))
		fds, _ := os.ReadDir(dir + "fd")
		u.descriptors += len(fds)
	}
	return u
}

// number adds up the numbers that follow key in the files.
func number(pattern, key string) (total float64) {
	paths, _ := filepath.Glob(pattern)
	for _, path := range paths {
		text, _ := os.ReadFile(path)
		_, after, _ := strings.Cut(string(text), key)
		n := 0.0
		fmt.Sscan(after, &n)
		total += n
	}
	return total
}
