package supervise

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Measure fills in Cgroup, CPUSeconds and MemoryBytes of programs as a Set has just told them, as they are now. What is
// not known stays nil. It reads a few small files of /proc and of cgroups for each program, so it is for the goroutine
// of who wants to know, and not for one that must not wait.
func Measure(programs []Status) {
	m := measurer{buf: make([]byte, 4096), page: int64(os.Getpagesize())}
	for i := range programs {
		m.measure(&programs[i])
	}
}

// sight is what the loop knows of a program for who measures it.
type sight struct {
	cgroup string
	begun  time.Duration // its process
}

type measurer struct {
	buf     []byte
	page    int64
	set     string // whose controllers were asked for last
	counted bool   // the controller memory counts for each of its programs
}

func (m *measurer) measure(p *Status) {
	of := p.sight
	if of.cgroup != "" && m.inCgroup(p) {
		return
	}
	if used, ok := m.process(p.PID, of.begun); ok {
		p.CPUSeconds, p.MemoryBytes = &used.seconds, &used.bytes
	}
}

// inCgroup reports whether the cgroup of p tells what p takes: it is there, and has the process of p, if there is one.
func (m *measurer) inCgroup(p *Status) bool {
	dir := p.sight.cgroup
	seconds, ok := m.cpuStat(dir)
	if !ok {
		return false
	}
	now := sinceBoot() // who has the number of one of these by then, and is not that one, is younger
	within, bytes := p.PID == 0, int64(0)
	counted := m.counts(dir)
	text := string(m.read(dir + "/cgroup.procs")) // no other file is read before it is copied
	for word := range strings.FieldsSeq(text) {
		pid, _ := strconv.Atoi(word)
		within = within || pid == p.PID
		if !counted {
			used, _ := m.process(pid, now)
			bytes += used.bytes
		}
	}
	if !within && !m.isBelow(p.PID, dir) {
		return false // it could not be put there
	}
	if counted && p.PID != 0 {
		bytes, _ = strconv.ParseInt(strings.TrimSpace(string(m.read(dir+"/memory.current"))), 10, 64)
	}
	p.Cgroup, p.CPUSeconds = dir, &seconds
	if bytes > 0 { // else nobody is there
		p.MemoryBytes = &bytes
	}
	return true
}

// cpuStat is the time that all have used who have been in a cgroup, and below it.
func (m *measurer) cpuStat(dir string) (seconds float64, ok bool) {
	for line := range bytes.Lines(m.read(dir + "/cpu.stat")) {
		if text, is := bytes.CutPrefix(line, []byte("usage_usec ")); is {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
			return float64(n) / 1e6, err == nil
		}
	}
	return 0, false
}

// counts reports whether the kernel counts the memory of a cgroup, as it does for all of a Set or for none.
func (m *measurer) counts(dir string) bool {
	if set := filepath.Dir(dir); set != m.set {
		m.set = set
		m.counted = bytes.Contains(m.read(set+"/cgroup.subtree_control"), []byte("memory"))
	}
	return m.counted
}

// isBelow reports whether a process is in a cgroup that was made below dir.
func (m *measurer) isBelow(pid int, dir string) bool {
	text := string(m.read("/proc/" + strconv.Itoa(pid) + "/cgroup"))
	_, path, _ := strings.Cut("\n"+text, "\n0::")
	path, _, _ = strings.Cut(path, "\n")
	for i := strings.LastIndexByte(path, '/'); i > 0; i = strings.LastIndexByte(path, '/') {
		path = path[:i]
		if strings.HasSuffix(dir, path) {
			return true
		}
	}
	return false
}

// usage is what a process takes: memory, and time, that of its children included that it has waited for.
type usage struct {
	seconds float64
	bytes   int64
}

// process asks for a process that was there at a time since the boot. Whoever has its number meanwhile is younger.
func (m *measurer) process(pid int, by time.Duration) (u usage, ok bool) {
	if pid <= 0 {
		return usage{}, false
	}
	text := m.read("/proc/" + strconv.Itoa(pid) + "/stat")
	_, text, ok = cutLast(text, ") ") // the name before may contain anything
	words := bytes.Fields(text)       // from the third of proc_pid_stat(5)
	if !ok || len(words) < 22 {
		return usage{}, false
	}
	n := func(i int) int64 { v, _ := strconv.ParseInt(string(words[i-3]), 10, 64); return v }
	if time.Duration(n(22))*tick > by {
		return usage{}, false
	}
	const utime, cstime, rss = 14, 17, 24
	for i := utime; i <= cstime; i++ {
		u.seconds += float64(n(i))
	}
	u.seconds *= tick.Seconds()
	u.bytes = n(rss) * m.page
	return u, true
}

// tick is the unit of time in /proc, USER_HZ.
const tick = 10 * time.Millisecond

func cutLast(s []byte, sep string) (before, after []byte, found bool) {
	if i := bytes.LastIndex(s, []byte(sep)); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, nil, false
}

// read gives the content of a file of the kernel, until the next one is read; nothing if it is not there.
func (m *measurer) read(path string) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	for n := 0; ; {
		got, err := unix.Read(fd, m.buf[n:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || got == 0:
			return m.buf[:n]
		}
		if n += got; n == len(m.buf) {
			m.buf = append(m.buf, make([]byte, n)...)
		}
	}
}
