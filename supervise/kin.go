package supervise

import (
	"time"
)

// kin is who descends from which program's process, as far as it was seen, for Sets that have a program with
// KillProcess: a process that clears its environment and whose parent dies cannot be told apart later.
type kin struct {
	keeps    map[int]bool     // the processes, alive or not, whose descendants live on; nil: there has never been one
	of       map[int]relative // by PID
	sessions map[int]int      // from a session to the program's process that it descends from
	few      int              // were in keeps when it was last cleared of those who have left nobody
	seen     time.Time
	took     time.Duration
}

type relative struct {
	start    uint64
	ancestor int // the process of a program
}

// begun takes note of a program's new process.
func (l *loop) begun(pid int, kill Kill) {
	switch k := &l.kin; {
	case kill == KillProcess:
		if len(k.keeps) > 2*k.few+100 { // most of them have left nobody behind
			l.look()
		}
		l.keep(pid)
	case k.keeps[pid]:
		delete(k.keeps, pid) // its number is another's now
	}
}

// keep notes that what descends from a process lives on.
func (l *loop) keep(pid int) {
	if l.kin.keeps == nil {
		l.kin.keeps = map[int]bool{}
	}
	l.kin.keeps[pid] = true
}

// trace looks at who descends from whom. It takes no more than a tenth of the time: whom it misses cannot be told, and
// lives.
func (l *loop) trace() {
	if k := &l.kin; time.Since(k.seen) >= 10*k.took {
		l.look()
	}
}

func (l *loop) look() (all map[int]proc) {
	k := &l.kin
	began := time.Now()
	all = l.kernel.everybody()
	of, sessions := map[int]relative{}, map[int]int{}
	known := make(map[int]int, len(all))
	var find func(p proc) int
	find = func(p proc) int {
		if a, ok := known[p.pid]; ok {
			return a
		}
		known[p.pid] = 0
		a := 0
		switch r := k.of[p.pid]; {
		case p.pid == l.kernel.self():
		case l.byPID[p.pid] != nil:
			a = p.pid
		case r.start == p.start && r.ancestor != 0:
			a = r.ancestor
		case k.sessions[p.session] != 0:
			a = k.sessions[p.session]
		case l.byPID[p.session] != nil || k.keeps[p.session]:
			a = p.session
		default:
			a = find(all[p.parent])
		}
		known[p.pid] = a
		return a
	}
	used := map[int]bool{}
	for pid, p := range all {
		if a := find(p); a != 0 {
			of[pid], sessions[p.session], used[a] = relative{p.start, a}, a, true
		}
	}
	for pid := range k.keeps {
		if !used[pid] && l.byPID[pid] == nil {
			delete(k.keeps, pid)
		}
	}
	k.of, k.sessions, k.few, k.seen, k.took = of, sessions, len(k.keeps), time.Now(), time.Since(began)
	return all
}
