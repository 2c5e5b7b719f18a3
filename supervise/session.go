package supervise

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Session is that of a program's process, which leads it. Who is in it has come from there, whatever it did with its
// environment and its group: no process can choose its session.
type Session struct {
	PID   int
	Start uint64 // of the process, in clock ticks since the boot
	Alone bool   // with KillProcess: nobody else in the session is to be ended

	begun time.Duration // when it was known to run, which tells it from another with that number
}

// Sessions are those of the processes that there are now, for [EndSessions] after this process was killed; in no order.
// With Options.Cgroup, which tells more, they are those of programs with KillProcess alone. known are what was returned
// before, or nil: it saves looking again. Nil after Stop.
func (s *Set) Sessions(known []Session) []Session {
	reply := make(chan []Session, 1)
	if s.send(context.Background(), sessionsRequest{reply}) != nil {
		return nil
	}
	before := make(map[int]Session, len(known))
	for _, k := range known {
		before[k.PID] = k
	}
	list := []Session{}
	for _, now := range <-reply {
		if k, is := before[now.PID]; is && k.begun == now.begun {
			list = append(list, k)
		} else if p, ok := readProc(now.PID); ok && time.Duration(p.start)*tick <= now.begun { // else it has ended
			now.Start = p.start
			list = append(list, now)
		}
	}
	return list
}

type sessionsRequest struct{ reply chan []Session }

func (l *loop) sessions() []Session {
	list := make([]Session, 0, len(l.byPID))
	for pid, p := range l.byPID {
		if alone := p.spec.Kill == KillProcess; alone || l.Cgroup == "" {
			list = append(list, Session{PID: pid, Alone: alone, begun: p.begun})
		}
	}
	return list
}

// EndSessions kills, and waits for 5 s for, who is left in the sessions of programs whose Set was killed, since the
// machine was booted and in this PID namespace. It returns their PIDs. A session has its number as long as anybody is
// in it: so whoever is in one whose leader is another process, or is older than it, is none of them. Of one that is
// Alone the leader is ended, if it lives on: the kernel takes the death signal from who becomes another user. This
// process and its ancestors are spared. See [EndLeftovers] for when to call it.
func EndSessions(sessions []Session) (pids []int) {
	return endSessions(sessions, longestDying)
}

func endSessions(sessions []Session, limit time.Duration) (pids []int) {
	starts, alone := make(map[int]uint64, len(sessions)), map[int]bool{}
	for _, s := range sessions {
		if s.PID > 1 {
			starts[s.PID] = s.Start
		}
		if s.Alone {
			alone[s.PID] = true
		}
	}
	if len(starts) == 0 {
		return nil
	}
	spared := ourLine()
	killed := dying{patience: patience{limit: limit}}
	for again := true; again; again = again && killed.left() > 0 { // there may be some who were started meanwhile
		again = false
		all := everybody()
		for _, pid := range slices.Sorted(maps.Keys(all)) {
			p := all[pid]
			start, noted := starts[p.session]
			leader, leads := all[p.session]
			if !noted || p.dead || p.start < start || leads && leader.start != start || slices.Contains(spared, pid) ||
				slices.Contains(pids, pid) || alone[p.session] && pid != p.session {
				continue
			}
			if endSession(p, &killed) {
				pids, again = append(pids, pid), true
			}
		}
		killed.wait()
	}
	slices.Sort(pids)
	return pids
}

// endSession kills a process if it is still the same and in the same session.
func endSession(p proc, killed *dying) bool {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return false
	}
	if now, ok := readProc(p.pid); !ok || now.start != p.start || now.session != p.session {
		unix.Close(fd)
		return false
	}
	return killed.kill(fd)
}

// Era is what Sessions are of: this boot of the machine, and this PID namespace. Elsewhere their numbers are others'.
// Empty: it cannot be told.
func Era() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, _ := os.Readlink("/proc/self/ns/pid")
	if len(boot) == 0 || namespace == "" {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + namespace
}
