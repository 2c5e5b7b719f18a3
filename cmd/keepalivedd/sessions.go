package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// sessionsRest is the shortest time from one write to the next.
const sessionsRest = 250 * time.Millisecond

// longestSessions bounds what is read: some 20 bytes for each program.
const longestSessions = 4 << 20

// notedSessions keeps the sessions of the programs in a file beside the pidfile, for the start after a kill -9, where
// no cgroup tells what they have left. Of programs with kill = "process" none does: in their cgroup are also those that
// are to live on. It is written when something has changed, and then not for a moment; it sleeps
// while nothing changes. What was started a moment before the kill may not be in it.
type notedSessions struct {
	wake  bell          // something has changed since the last write
	stop  chan struct{} // closed: no more; nil: it has not begun
	ended chan struct{}
	path  string
}

func newNotedSessions() *notedSessions { return &notedSessions{wake: newBell()} }

// sessionsFile is where they are.
func sessionsFile(pidfile string) string { return strings.TrimSuffix(pidfile, ".pid") + ".programs" }

// changed may be called by anybody, at any time. It does not wait.
func (n *notedSessions) changed() { n.wake.ring() }

// begin has the file be there from now on. That it cannot be is told once, and harms nothing.
func (n *notedSessions) begin(set *supervise.Set, path string, log *slog.Logger) {
	n.stop, n.ended, n.path = make(chan struct{}), make(chan struct{}), path
	go n.run(set, log)
}

// noteSessions begins it if it is needed.
func (s *service) noteSessions(c *settings.Config, needed bool) {
	keeps := func(p settings.Program) bool { return p.Settings != nil && p.Kill == settings.Process }
	if s.pidfile() == "" || s.noted.begun() || !needed && !slices.ContainsFunc(c.Programs, keeps) {
		return
	}
	s.noted.begin(s.set, sessionsFile(s.pidfile()), s.daemon.Log)
	s.noted.changed()
}

func (n *notedSessions) begun() bool { return n.stop != nil }

func (n *notedSessions) run(set *supervise.Set, log *slog.Logger) {
	defer close(n.ended)
	var noted []supervise.Session
	var written []byte
	failed := false
	for {
		select {
		case <-n.wake:
		case <-n.stop:
			return
		}
		noted = set.Sessions(noted)
		if text := sessionsText(supervise.Era(), noted); !bytes.Equal(text, written) {
			err := putInPlace(n.path, text, 0o600)
			if written = text; err != nil {
				written = nil
				if !failed {
					log.Warn("what programs leave behind cannot be noted: after a kill -9 less of it is found", "err", err)
				}
			}
			failed = err != nil
		}
		select {
		case <-time.After(sessionsRest):
		case <-n.stop:
			return
		}
	}
}

// end removes the file: there is nothing left of the programs. A disk that hangs is waited for for a second.
func (n *notedSessions) end() {
	if n.stop == nil {
		return
	}
	close(n.stop)
	select {
	case <-n.ended:
	case <-time.After(time.Second):
	}
	os.Remove(n.path)
}

const (
	sessionsHead = "keepalivedd sessions 1 " // the first line, before the era
	aloneWord    = " alone"
)

func sessionsText(era string, sessions []supervise.Session) []byte {
	byPID := make(map[int]supervise.Session, len(sessions))
	for _, s := range sessions {
		byPID[s.PID] = s
	}
	b := []byte(sessionsHead + era + "\n")
	for _, pid := range slices.Sorted(maps.Keys(byPID)) {
		b = fmt.Appendf(b, "%d %d", pid, byPID[pid].Start)
		if byPID[pid].Alone {
			b = append(b, aloneWord...)
		}
		b = append(b, '\n')
	}
	return b
}

// readSessions returns what a daemon that was killed has noted, if it can be believed: it is a regular file of our own
// or root's that nobody else may write to, and of this boot. Nothing is followed or waited for.
func readSessions(path string) (sessions []supervise.Session) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o022 != 0 ||
		st.Uid != 0 && st.Uid != uint32(os.Geteuid()) || st.Size > longestSessions {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(f, longestSessions))
	head, text, whole := strings.Cut(string(b), "\n")
	era := supervise.Era()
	if err != nil || !whole || era == "" || head != sessionsHead+era {
		return nil
	}
	for line := range strings.Lines(text) {
		var s supervise.Session
		line, s.Alone = strings.CutSuffix(strings.TrimSuffix(line, "\n"), aloneWord)
		pid, start, _ := strings.Cut(line, " ")
		var err, err2 error
		s.PID, err = strconv.Atoi(pid)
		s.Start, err2 = strconv.ParseUint(start, 10, 64)
		if err != nil || err2 != nil {
			return nil
		}
		sessions = append(sessions, s)
	}
	return sessions
}
