package supervise

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Without a cgroup, what has left its program's group is looked for when that program has ended: whoever has lost its
// parents is a child of ours then, if this process inherits them (Options.Orphans), and its environment or its session
// may tell whose it is. Where nothing tells, it is left alone until the stop of all. To look at all processes of a
// machine takes too long for the loop, so that is done beside it, and not at all while all our children are known.
// Who died together is looked for together.

// orphan is somebody who descends from a child of ours that we have not started.
type orphan struct {
	proc
	program string // whose it is by its environment; empty: nothing tells
}

// programMark is in the environment beside the mark, where cgroups do not tell whose a process is.
func programMark(mark, program string) string {
	name, _, found := strings.Cut(mark, "=")
	if !found || program == "" {
		return ""
	}
	return name + "_PROGRAM=" + program
}

// surveyed is what has come of a look, for those who have waited for it.
type surveyed struct {
	sweeps []*sweep
	found  []orphan
}

// nextSurvey looks for all sweeps that wait for it, one look at a time. What is being launched is a child that nobody
// knows yet, so that is waited for, unless it takes long. It reports whether the answer was there at once.
func (l *loop) nextSurvey() (answered bool) {
	if l.surveying || len(l.unsurveyed) == 0 || l.flight != nil && !l.flight.lingers {
		return false
	}
	sweeps := l.unsurveyed
	l.unsurveyed = nil
	if l.flight == nil && l.kernel.inheritedNobody(l.isKnown) {
		l.surveyed(surveyed{sweeps, nil})
		return true
	}
	l.surveying = true
	known := make([]int, 0, len(l.byPID)+len(l.tasks))
	for pid := range l.byPID {
		known = append(known, pid)
	}
	for pid := range l.tasks {
		known = append(known, pid)
	}
	l.kernel.findOrphans(known, func(found []orphan) {
		select {
		case l.set.requests <- surveyed{sweeps, found}:
		case <-l.set.ended:
		}
	})
	return false
}

func (l *loop) surveyed(r surveyed) {
	l.surveying = false
	for _, s := range r.sweeps {
		if l.sweeps[s.dir] != s {
			continue // given up
		}
		strays, unsure := l.strayed(s, r.found)
		if l.sweepOver(s, strays, unsure) {
			l.readmit(s)
		}
		s.seen = !unsure
	}
}

// isKnown says whether we have started a child, and not reaped it.
func (l *loop) isKnown(pid int) bool { return l.byPID[pid] != nil || l.tasks[pid] != nil }

// strayed are those of the orphans who are of the program of a sweep. One that is no older than the launch that is
// under way for that program may be what is launched, and is left out: unsure says that there is such a one. The kernel
// tells the age to a hundredth of a second.
func (l *loop) strayed(s *sweep, found []orphan) (strays []proc, unsure bool) {
	byPID := make(map[int]*orphan, len(found))
	for i := range found {
		byPID[found[i].pid] = &found[i]
	}
	for _, pid := range slices.Sorted(maps.Keys(byPID)) {
		its, young := false, false
		for o, far := byPID[pid], 0; o != nil && far <= len(found); o, far = byPID[o.parent], far+1 {
			// a chain that changes may be a ring
			if l.isKnown(o.pid) { // it has been launched meanwhile
				its = false
				break
			}
			if x := l.flight; x != nil && x.name == s.name && o.parent == l.kernel.self() {
				young = time.Duration(o.start)*tick+tick > x.since
			}
			of := l.kin.of[o.pid]
			if of.start == o.start && l.kin.keeps[of.ancestor] { // its program was to be ended alone by then
				its = false
				break
			}
			its = its || o.program == s.name ||
				s.session != 0 && (o.session == s.session || of.start == o.start && of.ancestor == s.session)
		}
		switch {
		case its && young:
			unsure = true
		case its:
			strays = append(strays, byPID[pid].proc)
		}
	}
	return strays, unsure
}

// inheritedNobody reports whether all children of the process's first thread are known, which is the one that inherits.
// No child is reaped meanwhile: the file would leave some out.
func inheritedNobody(known func(pid int) bool) bool {
	fd, err := unix.Open("/proc/self/task/"+strconv.Itoa(os.Getpid())+"/children", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var page [4096]byte
	for pid := 0; ; {
		n, err := unix.Read(fd, page[:])
		if err != nil || n == 0 {
			return err == nil
		}
		for _, c := range page[:n] {
			if c != ' ' {
				pid = 10*pid + int(c-'0')
				continue
			}
			if !known(pid) {
				return false
			}
			pid = 0
		}
	}
}

// orphansBut looks for those who descend from children of this process that are not known. mark is that of the Set.
func orphansBut(known []int, mark string) (found []orphan) {
	unknown := children()
	if unknown != nil {
		slices.Sort(known)
		for pid := range unknown {
			if _, is := slices.BinarySearch(known, pid); is {
				delete(unknown, pid)
			}
		}
		if len(unknown) == 0 {
			return nil
		}
	}
	all := everybody()
	self := os.Getpid()
	verdicts := map[int]bool{self: false}
	var ours func(p proc) bool
	ours = func(p proc) bool {
		if is, told := verdicts[p.pid]; told {
			return is
		}
		verdicts[p.pid] = false
		is := false
		if p.parent == self {
			is = !slices.Contains(known, p.pid)
		} else if above, there := all[p.parent]; there {
			is = ours(above)
		}
		verdicts[p.pid] = is
		return is
	}
	for _, p := range all {
		if ours(p) && !p.dead {
			found = append(found, orphan{p, programOf(p.pid, mark)})
		}
	}
	return found
}

// children are those of this process; nil: the kernel does not tell (CONFIG_PROC_CHILDREN).
func children() map[int]bool {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil
	}
	pids := map[int]bool{}
	for _, thread := range threads {
		b, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/children")
		if os.IsNotExist(err) {
			if _, err := os.Stat("/proc/self/task/" + thread.Name()); err == nil {
				return nil
			}
		}
		for word := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids[pid] = true
			}
		}
	}
	return pids
}

// programOf is whose a process is by its environment.
func programOf(pid int, mark string) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil || mark == "" {
		return ""
	}
	b = slices.Concat([]byte{0}, b, []byte{0})
	if !bytes.Contains(b, []byte("\x00"+mark+"\x00")) {
		return ""
	}
	name, _, _ := strings.Cut(mark, "=")
	_, rest, _ := bytes.Cut(b, []byte("\x00"+name+"_PROGRAM="))
	program, _, _ := bytes.Cut(rest, []byte{0})
	return string(program)
}
