package supervise

import (
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// proc is what /proc/PID/stat says of a process, see proc_pid_stat(5).
type proc struct {
	pid, parent, group, session int
	start                       uint64 // when; with the PID it tells a process from all others
	name                        string
	dead                        bool // a zombie
}

func readProc(pid int) (p proc, ok bool) {
	text, err := readLines("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return proc{}, false
	}
	open, shut := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')') // the name may contain anything
	if open < 0 || shut < open {
		return proc{}, false
	}
	words := strings.Fields(text[shut+1:])
	if len(words) < 20 {
		return proc{}, false
	}
	n := func(i int) int { v, _ := strconv.Atoi(words[i]); return v }
	start, _ := strconv.ParseUint(words[19], 10, 64)
	return proc{pid, n(1), n(2), n(3), start, text[open+1 : shut], words[0] == "Z" || words[0] == "X"}, true
}

// readLines reads a file of the kernel's that is never longer than a page. os.ReadFile asks the kernel three times as
// much: the runtime would have its poller watch the file, and a thread is woken for that at each death.
func readLines(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var page [4096]byte
	n, err := unix.Read(fd, page[:])
	return string(page[:max(n, 0)]), err
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
