package logging

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// MostHanging is how many threads the logs that share a [Disks] take when disks hang, however many logs and disks there
// are.
const MostHanging = 3

// Disks bounds how many logs are in a system call for a file at the same time, for those who have thousands: one that
// hangs takes a thread, and a process that cannot have another one dies. There is one for each disk, or terminal, and
// [MostHanging] in all: when as many disks hang, the logs on others wait for them. The zero value is ready, and shared
// by the [Options] of those logs.
type Disks struct {
	mu    sync.Mutex
	turns map[string]chan struct{}
	all   chan struct{}
}

// Open calls open, which opens a file that logs are to be written to, when its disk's turn has come: it waits for
// as long as others hang there. Path is absolute. To find out which disk that is takes no look at it: links to
// other disks are not followed.
func (d *Disks) Open(path string, open func()) { d.turn(mounted(path)).take(open) }

// turn returns what a disk's calls wait for.
func (d *Disks) turn(disk string) *turn {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.turns == nil {
		d.turns, d.all = map[string]chan struct{}{}, make(chan struct{}, MostHanging)
	}
	if d.turns[disk] == nil {
		d.turns[disk] = make(chan struct{}, 1)
	}
	return &turn{d.turns[disk], d.all}
}

// of returns the turn of the disk that a file is on; nil without a bound.
func (d *Disks) of(fd int) *turn {
	var st unix.Stat_t
	if d == nil || unix.Fstat(fd, &st) != nil {
		return nil
	}
	disk := uint64(st.Dev)
	if st.Mode&unix.S_IFMT == unix.S_IFCHR { // a terminal
		disk = uint64(st.Rdev)
	}
	return d.turn(fmt.Sprintf("%d:%d", unix.Major(disk), unix.Minor(disk)))
}

type turn struct{ disk, all chan struct{} }

func (t *turn) take(call func()) {
	if t != nil {
		t.disk <- struct{}{}
		t.all <- struct{}{}
		defer func() { <-t.all; <-t.disk }()
	}
	call()
}

// mounted returns the device number, as "8:1", of what is mounted where path leads to, as proc_pid_mountinfo(5) has it.
func mounted(path string) (device string) {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	longest := -1
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		at := strings.TrimSuffix(unescaped(f[4]), "/")
		if below, found := strings.CutPrefix(path, at); found && below != "" && below[0] == '/' && len(at) >= longest {
			device, longest = f[2], len(at) // the later one hides the other
		}
	}
	return device
}

// unescaped is a path of that file as it is. A backslash comes last, for it not to begin another of these.
func unescaped(path string) string {
	for _, x := range [...][2]string{{`\040`, " "}, {`\011`, "\t"}, {`\012`, "\n"}, {`\134`, `\`}} {
		path = strings.ReplaceAll(path, x[0], x[1])
	}
	return path
}
