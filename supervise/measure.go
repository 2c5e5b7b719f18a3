package supervise

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Measure fills in Cgroup, CPUSeconds, CPUSecondsBefore and MemoryBytes of programs as a Set has just told them, as
// they are now. What is not known stays nil. It reads a few small files of /proc and of cgroups for each program, so it
// is for the goroutine of who wants to know, and not for one that must not wait. Of a program that has used no
// processor time since it was measured last, MemoryBytes may be up to a minute old, unless the kernel counts the memory
// of cgroups.
func Measure(programs []Status) {
	m := measurer{buf: make([]byte, 4096), page: int64(os.Getpagesize()), now: sinceBoot(), dir: -1}
	defer m.enter("")
	for i := range programs {
		m.measure(&programs[i])
		if i%16 == 0 {
			runtime.Gosched() // whoever waits for the processor waits for a few files at most
		}
	}
}

// sight is what the loop knows of a program for who measures it.
type sight struct {
	cgroup string
	begun  time.Duration // its process
	spent  int64         // before that, in the cgroup; -1: not known
	found  *atomic.Pointer[finding]
}

// finding is what was found in a cgroup. As long as nobody there has used the processor since, nobody has been started
// or has ended, and nobody's memory has become more.
type finding struct {
	used  int64 // microseconds of processor time
	pid   int   // of the program's process, which is there
	bytes int64 // memory of its processes, where the kernel does not count that
	at    time.Duration
}

// longestFound is how long a finding counts: the kernel takes back memory of who does nothing, too.
const longestFound = time.Minute

type measurer struct {
	buf     []byte
	page    int64
	now     time.Duration // when it began
	set     string        // whose programs are being measured
	dir     int           // a descriptor of that
	counted bool          // the controller memory counts for each of its programs
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
	end := strings.LastIndexByte(dir, '/')
	m.enter(dir[:end])
	name := dir[end+1:]
	used, ok := m.cpuStat(name)
	if !ok {
		return false
	}
	now := finding{used: used, pid: p.PID, at: m.now}
	if was := p.sight.last(); was != nil && was.used == used && was.pid == p.PID && now.at-was.at < longestFound {
		now.bytes = was.bytes
	} else {
		if now.bytes, ok = m.members(name, p); !ok {
			return false // it could not be put there
		}
		p.sight.note(&now)
	}
	if m.counted && p.PID != 0 {
		now.bytes, _ = strconv.ParseInt(strings.TrimSpace(string(m.read(m.dir, name+"/memory.current"))), 10, 64)
	}
	seconds := float64(used) / 1e6
	p.Cgroup, p.CPUSeconds = dir, &seconds
	if spent := float64(p.sight.spent) / 1e6; spent >= 0 && p.PID != 0 && p.Starts > 1 {
		p.CPUSecondsBefore = &spent
	}
	if now.bytes > 0 { // else nobody is there
		p.MemoryBytes = &now.bytes
	}
	return true
}

func (s *sight) last() *finding {
	if s.found == nil {
		return nil
	}
	return s.found.Load()
}

func (s *sight) note(now *finding) {
	if s.found != nil {
		s.found.Store(now)
	}
}

// enter has the cgroups of a Set be at hand; "": of none.
func (m *measurer) enter(set string) {
	if set == m.set {
		return
	}
	if m.dir >= 0 {
		unix.Close(m.dir)
	}
	m.set, m.dir, m.counted = set, -1, false
	if set == "" {
		return
	}
	var err error
	if m.dir, err = unix.Open(set, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0); err != nil {
		m.dir = -1
	}
	// As it does for all of a Set or for none.
	m.counted = bytes.Contains(m.read(m.dir, "cgroup.subtree_control"), []byte("memory"))
}

// cpuStat is the time that all have used who have been in a cgroup, and below it, in microseconds.
func (m *measurer) cpuStat(name string) (used int64, ok bool) {
	for line := range bytes.Lines(m.read(m.dir, name+"/cpu.stat")) {
		if text, is := bytes.CutPrefix(line, []byte("usage_usec ")); is {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// spentIn is what has been used in a cgroup so far, in microseconds. One that is not there has used nothing.
func spentIn(dir string) int64 {
	m := measurer{buf: make([]byte, seqFill), dir: unix.AT_FDCWD}
	used, _ := m.cpuStat(dir)
	return used
}

// members looks who is in the cgroup of p, and reports whether the process of p is, or in one below, if there is one.
func (m *measurer) members(name string, p *Status) (memory int64, ok bool) {
	ok = p.PID == 0
	text := string(m.read(m.dir, name+"/cgroup.procs")) // no other file is read before it is copied
	for word := range strings.FieldsSeq(text) {
		pid, _ := strconv.Atoi(word)
		ok = ok || pid == p.PID
		if !m.counted {
			memory += m.memory(pid)
		}
	}
	if ok || !m.isBelow(p.PID, p.sight.cgroup) {
		return memory, ok
	}
	memory = 0
	for _, pid := range inCgroup(p.sight.cgroup) { // which looks into those below too, and takes longer
		if !m.counted {
			memory += m.memory(pid)
		}
	}
	return memory, true
}

// memory is that of a process which is there, or was a moment ago: nobody has its number so soon.
func (m *measurer) memory(pid int) int64 {
	_, text, _ := bytes.Cut(m.read(unix.AT_FDCWD, "/proc/"+strconv.Itoa(pid)+"/statm"), []byte(" "))
	text, _, _ = bytes.Cut(text, []byte(" "))
	pages, _ := strconv.ParseInt(string(text), 10, 64)
	return pages * m.page
}

// isBelow reports whether a process is in a cgroup that was made below dir.
func (m *measurer) isBelow(pid int, dir string) bool {
	text := string(m.read(unix.AT_FDCWD, "/proc/"+strconv.Itoa(pid)+"/cgroup"))
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
	text := m.read(unix.AT_FDCWD, "/proc/"+strconv.Itoa(pid)+"/stat")
	_, text, ok = cutLast(text, ") ") // the name before may contain anything
	const utime, cstime, start, rss = 14, 17, 22, 24
	begun := int64(-1)
	for i := 3; ok && i <= rss; i++ { // from the third of proc_pid_stat(5)
		var word []byte
		word, text, ok = bytes.Cut(text, []byte(" "))
		number := func() int64 { n, _ := strconv.ParseInt(string(word), 10, 64); return n }
		switch {
		case i >= utime && i <= cstime:
			u.seconds += float64(number()) * tick.Seconds()
		case i == start:
			begun = number()
		case i == rss:
			u.bytes = number() * m.page
		}
	}
	if !ok || time.Duration(begun)*tick > by {
		return usage{}, false
	}
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

// read gives the content of a file of the kernel, below a directory, until the next one is read; nothing if it is not
// there.
func (m *measurer) read(dir int, path string) []byte {
	fd, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	for n := 0; ; {
		room := m.buf[n:]
		got, err := unix.Read(fd, room)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || got == 0:
			return m.buf[:n]
		}
		n += got
		switch {
		case got < len(room) && got < seqFill:
			return m.buf[:n]
		case n == len(m.buf):
			m.buf = append(m.buf, make([]byte, n)...)
		}
	}
}

// seqFill is less than what the kernel gives at once of these files while more is to come: as many lines as fit into a
// page (seq_file), none of which has half of it.
const seqFill = 2048
