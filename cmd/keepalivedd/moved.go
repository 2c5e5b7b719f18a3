package main

import (
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// A daemon whose configuration names another pidfile by now is found through /proc, which nobody can forge: it is
// root's or the caller's own, runs this program, and has a file open, made of memory and gone with it, that says in a
// line each what the configuration is and where the pidfile is.
//
// To look through /proc takes as long as a third of a start. So a daemon also has a read lock on the root directory, at
// a place of its range that stands for the configuration: where nobody has, there is nobody to look for. A stranger's
// lock there costs whoever looks some time, and that is all; none can keep ours out,
// since a write lock on a directory cannot be had.
const word = "keepalivedd"

// leaveWord is for those who look for us. A daemon with a pidfile of the command line is not looked for: it is a second
// one with the same configuration, on purpose.
func (s *service) leaveWord() {
	if s.options.pid != "" || s.pidfile() == "" {
		return
	}
	fd, err := unix.MemfdCreate(word, unix.MFD_CLOEXEC)
	if err != nil {
		return
	}
	text := []byte(s.options.file + "\n" + s.pidfile() + "\n")
	unix.Pwrite(fd, text, 0)
	// Both descriptors are for life, and the kernel closes them.
	if fd, err = openRoot(); err == nil {
		unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, placeOf(s.options.file, unix.F_RDLCK))
	}
}

// hasWord tells whether a daemon with the configuration file may have left word.
func hasWord(file string) bool {
	fd, err := openRoot()
	if err != nil {
		return true // it cannot be told
	}
	defer unix.Close(fd)
	l := placeOf(file, unix.F_WRLCK)
	return unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, l) != nil || l.Type != unix.F_UNLCK
}

func openRoot() (fd int, err error) {
	return unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

func placeOf(file string, kind int16) *unix.Flock_t {
	h := fnv.New32a()
	h.Write([]byte(file))
	return &unix.Flock_t{Type: kind, Start: int64(h.Sum32() >> 1), Len: 1} // 31 bits: an off_t anywhere
}

// find returns the pidfile of the daemon that runs with the configuration file: what that says, unless it was changed.
func find(file, configured string) string {
	if st, err := pidfile.Look(configured); err == nil && st.State == pidfile.Held &&
		wordOf(strconv.Itoa(st.PID), file) == configured {
		return configured
	}
	if _, path := findMoved(file); path != "" {
		return path
	}
	return configured
}

// findMoved returns a daemon that runs with the configuration file, and its pidfile; "" when there is none.
func findMoved(file string) (pid, path string) {
	if !hasWord(file) {
		return "", ""
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return "", ""
	}
	self = strings.TrimSuffix(self, " (deleted)")
	proc, err := os.Open("/proc")
	if err != nil {
		return "", ""
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	exe := make([]byte, len(self)+len(" (deleted)")+1)
	for _, pid := range names {
		if pid[0] < '0' || pid[0] > '9' {
			continue
		}
		n, err := unix.Readlink("/proc/"+pid+"/exe", exe)
		if err != nil || strings.TrimSuffix(string(exe[:n]), " (deleted)") != self || !ours(pid) {
			continue
		}
		if path := wordOf(pid, file); path != "" {
			return pid, path
		}
	}
	return "", ""
}

// robbed returns the daemon that runs with the configuration file and this pidfile, which is not there: it went with
// its directory. 0: there is none. A daemon that ends has no pidfile either, for a moment, nor one that puts it back.
func robbed(file, path string) (pid int) {
	for range 100 {
		st, err := pidfile.Look(path)
		if err != nil || st.State != pidfile.Free {
			return 0
		}
		by, where := findMoved(file)
		if where != path {
			return 0
		}
		pid, _ = strconv.Atoi(by)
		time.Sleep(20 * time.Millisecond)
	}
	return pid
}

func ours(pid string) bool {
	var st unix.Stat_t
	return unix.Stat("/proc/"+pid, &st) == nil && (st.Uid == 0 || int(st.Uid) == os.Geteuid())
}

// wordOf returns the pidfile that a process has left word of; "" when it runs with another configuration. A daemon
// leaves it early, and may have thousands of descriptors that have come later: they are looked at in their order, a few
// at a time.
func wordOf(pid, file string) string {
	dir := "/proc/" + pid + "/fd"
	list, err := os.Open(dir)
	if err != nil {
		return ""
	}
	defer list.Close()
	for {
		fds, err := list.Readdirnames(32)
		if err != nil {
			return ""
		}
		for _, fd := range fds {
			if path := wordIn(filepath.Join(dir, fd), file); path != "" {
				return path
			}
		}
	}
}

// wordIn is wordOf one descriptor.
func wordIn(at, file string) string {
	if to, err := os.Readlink(at); err != nil || to != "/memfd:"+word+" (deleted)" {
		return ""
	}
	f, err := os.Open(at)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 2*unix.PathMax))
	path, found := strings.CutPrefix(string(text), file+"\n")
	if !found {
		return ""
	}
	return strings.TrimSuffix(path, "\n")
}

// checkMoved refuses a start whose configuration names another pidfile than the daemon that runs with it. The word is
// looked for first: the background copy comes here too, while its own pidfile is one that somebody is starting with,
// for which a look waits.
func (s *service) checkMoved() error {
	if s.options.pid != "" || !hasWord(s.options.file) {
		return nil
	}
	if st, err := pidfile.Look(s.config.PIDFile); s.pidfile() != "" && err == nil &&
		(st.State == pidfile.Held || st.State == pidfile.Starting) {
		return nil // it is refused anyway
	}
	if pid := robbed(s.options.file, s.config.PIDFile); pid != 0 {
		return &pidfile.HeldError{Path: s.config.PIDFile, PID: pid}
	}
	_, path := findMoved(s.options.file)
	if path == "" || path == s.config.PIDFile {
		return nil
	}
	if st, err := pidfile.Look(path); err == nil && st.State == pidfile.Held {
		return &pidfile.HeldError{Path: path, PID: st.PID}
	}
	return nil
}
