package supervise

import (
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/procfs"
)

// proc is what /proc/PID/stat says of a process, see proc_pid_stat(5).
type proc struct {
	pid, parent, group, session int
	start                       uint64 // when; with the PID it tells a process from all others
	name                        string
	dead                        bool // a zombie
}

func readProc(pid int) (p proc, ok bool) {
	name, words, err := procfs.Stat(pid)
	if err != nil {
		return proc{}, false
	}
	n := func(i int) int { v, _ := strconv.Atoi(words[i]); return v }
	start, _ := strconv.ParseUint(words[19], 10, 64)
	return proc{pid, n(1), n(2), n(3), start, name, words[0] == "Z" || words[0] == "X"}, true
}

// everybody is all processes, by PID.
func everybody() map[int]proc {
	entries, _ := os.ReadDir("/proc")
	all := make(map[int]proc, len(entries))
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if p, ok := readProc(pid); ok {
				all[pid] = p
			}
		}
	}
	return all
}

// ancestors are those of a process, from its parent to PID 1.
func ancestors(pid int, read func(pid int) (proc, bool)) (pids []int) {
	for len(pids) < 1000 { // a chain that changes while it is read might be a ring
		p, ok := read(pid)
		if !ok || p.parent == 0 {
			break
		}
		pids = append(pids, p.parent)
		pid = p.parent
	}
	return pids
}

// ourLine is this process and its ancestors.
func ourLine() []int { return append(ancestors(os.Getpid(), readProc), os.Getpid()) }

// signal does not hit another that has the number by now.
func (p proc) signal(signals ...syscall.Signal) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if now, ok := readProc(p.pid); !ok || now.start != p.start {
		return
	}
	for _, sig := range signals {
		unix.PidfdSendSignal(fd, sig, nil, 0)
	}
}

// startedWith reports whether a process has the variable, NAME=value, from its exec.
func (p proc) startedWith(variable string) bool {
	return marked("/proc/"+strconv.Itoa(p.pid)+"/environ", variable)
}
