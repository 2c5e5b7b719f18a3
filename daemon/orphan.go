//go:build linux

package daemon

import (
	"bytes"
	"os"
	"os/signal"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/wait"
)

// reapOrphans reaps, until the returned function is called, the children that PID 1 has not started. It looks at a
// zombie before it takes it: one that an os.Process refers to, by its pidfd, belongs to whoever will call Wait.
func reapOrphans() (end func()) {
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range died {
			reapThose(isOrphan)
		}
	}()
	return func() {
		signal.Stop(died)
		close(died)
		<-done
	}
}

// reapThose takes every zombie that is an orphan. A SIGCHLD can stand for many deaths,
// so none may be left for the next one.
func reapThose(orphan func(pid int) bool) {
	for {
		pid, err := wait.Zombie(unix.P_ALL, 0)
		switch {
		case pid == 0 || err != nil:
			return
		case !orphan(pid):
			// waitid(2) shows the first in line only, and that one is somebody's, who may be long in coming.
			for _, pid := range zombies() {
				if orphan(pid) {
					unix.Wait4(pid, nil, unix.WNOHANG, nil)
				}
			}
			return
		}
		unix.Wait4(pid, nil, unix.WNOHANG, nil)
	}
}

// zombies are our children that have ended. The whole of /proc is read: a list of children, /proc/self/task/*/children,
// may leave out one while another is taken.
func zombies() (list []int) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		b, _ := os.ReadFile("/proc/" + name + "/stat")
		_, rest, _ := bytes.Cut(b, []byte(") Z ")) // proc_pid_stat(5): the state, and the parent
		parent, _, _ := bytes.Cut(rest, []byte(" "))
		if string(parent) == strconv.Itoa(os.Getpid()) {
			list = append(list, pid)
		}
	}
	return list
}

func isOrphan(pid int) bool {
	fds, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		return false
	}
	ours := []byte("\nPid:\t" + strconv.Itoa(pid) + "\n")
	for _, fd := range fds {
		if b, err := os.ReadFile("/proc/self/fdinfo/" + fd.Name()); err == nil && bytes.Contains(b, ours) {
			return false
		}
	}
	return true
}
