//go:build linux

package daemon

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// score is what the kernel adds when it chooses whom to end because memory runs out, proc_pid_oom_score_adj(5). Every
// child inherits it at its fork.
type score struct {
	mu      sync.Mutex
	file    int
	own     []byte // nil: it is what it was
	started []byte
	forks   int // that are going on
}

// protect sets the score to d.OOMScoreAdj, or to 0 where only that is allowed, unless it is as low already.
func (d *Daemon) protect() (end func()) {
	if d.OOMScoreAdj >= 0 {
		return func() {}
	}
	fd, err := unix.Open("/proc/self/oom_score_adj", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {}
	}
	buf := make([]byte, 16)
	n, _ := unix.Pread(fd, buf, 0)
	started, err := strconv.Atoi(strings.TrimSpace(string(buf[:max(0, n)])))
	if d.Inherited != nil && d.Inherited.image.Score != "" { // the program before has done it
		d.score = score{file: fd, own: bytes.TrimSpace(buf[:max(0, n)]), started: []byte(d.Inherited.image.Score)}
		return d.score.end
	}
	for _, own := range []int{d.OOMScoreAdj, 0} {
		if err != nil || started < 0 || own >= started { // somebody's choice, or no better
			break
		}
		d.score = score{file: fd, own: strconv.AppendInt(nil, int64(own), 10),
			started: strconv.AppendInt(nil, int64(started), 10)}
		if _, err := unix.Pwrite(fd, d.score.own, 0); err == nil {
			return d.score.end
		}
	}
	unix.Close(fd)
	d.score = score{}
	return func() {}
}

func (s *score) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	unix.Pwrite(s.file, s.started, 0)
	unix.Close(s.file)
	s.own = nil
}

// Fork calls fork, which starts a child, and sees to it that the child never has the score of [Daemon.OOMScoreAdj], but
// that which this process was started with. This process has it too, until fork returns. Without OOMScoreAdj it only
// calls fork. Any goroutine may call it.
func (d *Daemon) Fork(fork func()) {
	defer d.Forking()()
	fork()
}

// Forking is the first half of [Daemon.Fork], and forked, which is called once, the second: for who knows that there is
// a child before it has been executed, which may take long.
func (d *Daemon) Forking() (forked func()) {
	s := &d.score
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forks++; s.forks == 1 && s.own != nil {
		unix.Pwrite(s.file, s.started, 0) // it is higher, and so allowed
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.forks--; s.forks == 0 && s.own != nil {
			unix.Pwrite(s.file, s.own, 0)
		}
	}
}
