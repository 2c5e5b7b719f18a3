package supervise

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// EndCgroups kills, and waits for 5 s for, what Sets whose Options.Cgroup has this name, its last element, have left
// behind in their groups wherever in the hierarchy those are: the one before may have been started from elsewhere. It
// returns their PIDs, and removes the groups. This process and its ancestors are spared, and so is what a program with
// KillProcess has started. See [EndLeftovers] for when to call it.
func EndCgroups(name string) (pids []int) {
	mount, _, err := cgroupMount()
	if err != nil || name == "" {
		return nil
	}
	pids = endCgroupsBelow(mount, name, &patience{limit: longestDying})
	slices.Sort(pids)
	return pids
}

// endCgroupsBelow looks also in what a program with KillProcess has left: a Set may have been started there.
func endCgroupsBelow(dir, name string, p *patience) (pids []int) {
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || e.Name() != name || path == dir {
			return nil
		}
		entries, _ := os.ReadDir(path)
		for _, e := range entries {
			program := path + "/" + e.Name()
			if strings.HasSuffix(program, endedSuffix) {
				pids = append(pids, endLeftIn(program, p)...)
			}
			if e.IsDir() {
				pids = append(pids, endCgroupsBelow(program, name, p)...)
				removeCgroup(program)
			}
		}
		unix.Rmdir(path)
		return fs.SkipDir
	})
	return pids
}

// endLeftIn kills who is in a group, once at least, until nobody is.
func endLeftIn(dir string, patience *patience) (ended []int) {
	spared := ourLine()
	for wait := time.Millisecond; ; wait = min(2*wait, 64*time.Millisecond) {
		pids := inCgroup(dir)
		left := slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return slices.Contains(spared, pid) })
		if len(left) == 0 {
			return ended
		}
		if len(left) == len(pids) {
			endCgroup(dir)
		} else {
			for _, pid := range left {
				if p, ok := readProc(pid); ok {
					p.signal(unix.SIGKILL)
				}
			}
		}
		for _, pid := range left {
			if !slices.Contains(ended, pid) {
				ended = append(ended, pid)
			}
		}
		if patience.left() == 0 {
			return ended
		}
		time.Sleep(wait)
	}
}
