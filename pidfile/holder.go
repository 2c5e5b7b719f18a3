//go:build linux

package pidfile

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// holder finds the owner of a file that was deleted without asking its witness: whoever connects in a loop can keep the
// queue of that full, and so others from asking. It is root's or ours, runs our executable, and has the deleted file
// open and locked. 0: there is none, or the caller may not see it.
func holder(path string) (pid int) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return 0
	}
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	deleted := filepath.Join(dir, filepath.Base(path)) + " (deleted)"
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		var st unix.Stat_t
		if err != nil || pid == unix.Getpid() || unix.Stat("/proc/"+p.Name(), &st) != nil ||
			!believed(&unix.Ucred{Uid: st.Uid}) {
			continue
		}
		if alive(pid) && runsOurExecutable(pid) && holds(p.Name(), deleted) {
			return pid
		}
	}
	return 0
}

// holds reports whether a process has the write lock on a file that /proc calls name; see proc_pid_fdinfo(5).
func holds(pid, name string) bool {
	fds, err := os.ReadDir("/proc/" + pid + "/fd")
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/" + pid + "/fd/" + fd.Name()); err != nil || to != name {
			continue
		}
		info, err := os.ReadFile("/proc/" + pid + "/fdinfo/" + fd.Name())
		if err == nil && bytes.Contains(info, []byte("OFDLCK")) && bytes.Contains(info, []byte("WRITE")) {
			return true
		}
	}
	return false
}
