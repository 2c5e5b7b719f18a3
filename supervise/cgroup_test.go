package supervise_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// cgroup is a directory for the groups of one Set.
func cgroup(t *testing.T) (dir string) {
	t.Helper()
	base, err := supervise.FindCgroup()
	if err != nil {
		t.Skip("needs a cgroup of version 2 that it may write to: ", err)
	}
	name := fmt.Sprintf("keepalivedd-test-%d-%s", os.Getpid(), filepath.Base(filepath.Dir(t.TempDir())))
	t.Cleanup(func() { supervise.EndCgroups(name) })
	return filepath.Join(base, name)
}

// away runs what announces itself out of its group, its session and its environment, and not as a child of the program.
func away(name, then string) string {
	before := ""
	if then == polite {
		before = `trap "echo $NAME-ended 0 >\"$FIFO\"; exit" TERM; `
	}
	return `(setsid env -i FIFO="$FIFO" NAME=` + name + ` sh -c '` + before + announce + then + `' &); `
}

// polite tells of its end when it is asked to.
const polite = `while :; do sleep 1000 & wait; done`

func isGone(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is left", dir)
	}
}

// issue 9: the log tells who has put itself into the background what is wrong with that
func TestWhoGoesToTheBackgroundIsTold(t *testing.T) {
	dir := cgroup(t)
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: dir})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	there := filepath.Join(t.TempDir(), "there") // until then it may be killed with the group
	w.apply(w.program("forks", away("stray", ": >"+there+"; "+hold)+announce+
		"until test -e "+there+"; do sleep 0.01; done; exit 0"))
	w.collect(2)
	line := w.logged(`program forks: had left its group, and are asked to end: `)
	if !strings.Contains(line, `; a program has to stay in the foreground`) {
		t.Error(line)
	}
}

// promise T4, issue 8.5: what has left everything but its cgroup ends before the next start, and with the removal
func TestCgroupIsSwept(t *testing.T) {
	dir := cgroup(t)
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: dir})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	p := w.program("web:1/%", away("stray", polite)+announce+hold)
	w.apply(p)
	first := w.collect(2)
	unix.Kill(first["web:1/%"], unix.SIGKILL)
	w.expect("stray-ended") // before anybody else says anything
	second := w.collect(2)
	gone(t, first["stray"])
	lives(t, "stray", second["stray"])
	p.Environment = map[string]string{"FIFO": w.fifo, "NAME": "changed"}
	w.apply(p) // a restart
	w.expect("stray-ended")
	third := w.collect(2)
	gone(t, second["stray"])
	w.apply()
	w.expect("stray-ended")
	gone(t, third["stray"])
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	isGone(t, dir)
}

// promise T4, issue 8.5: KILL comes when the rest of the budget is over
func TestCgroupIsKilled(t *testing.T) {
	dir := cgroup(t)
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: dir})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	p := w.program("a", `trap "" TERM; `+away("stray", hold)+`trap - TERM; `+announce+hold)
	p.StopTimeout = time.Second
	w.apply(p)
	first := w.collect(2)
	began := time.Now()
	unix.Kill(first["a"], unix.SIGKILL)
	w.collect(2)
	if d := time.Since(began); d < time.Second {
		t.Errorf("it was killed after %v", d)
	}
	gone(t, first["stray"])
	w.logged("did not end: killed")
}

// controller is there in the hybrid layout too.
const controller = "hugetlb"

// cgroupWithController is cgroup, whose groups may have the controller.
func cgroupWithController(t *testing.T) (dir string) {
	base, err := supervise.FindCgroup()
	if err != nil {
		t.Skip("needs a cgroup: ", err)
	}
	if b, err := os.ReadFile(base + "/cgroup.controllers"); err != nil || !strings.Contains(string(b), controller) {
		t.Skip("needs the controller ", controller)
	}
	if b, _ := os.ReadFile(base + "/cgroup.subtree_control"); !strings.Contains(string(b), controller) {
		if err := os.WriteFile(base+"/cgroup.subtree_control", []byte("+"+controller), 0); err != nil {
			t.Skip("needs the root of the hierarchy: ", err)
		}
		t.Cleanup(func() { os.WriteFile(base+"/cgroup.subtree_control", []byte("-"+controller), 0) }) // the last thing
	}
	dir = cgroup(t)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/cgroup.subtree_control", []byte("+"+controller), 0); err != nil {
		t.Fatal(err)
	}
	return dir
}

// promise T3: who has had groups below its own, with controllers, as a manager of containers has, is in its own again
// when it is started again; and what the one before has used is not counted twice.
func TestCgroupWithControllersBelow(t *testing.T) {
	dir := cgroupWithController(t)
	w := newWorld(t, supervise.Options{Cgroup: dir})
	own := dir + "/a.group"
	w.apply(w.program("a", `NAME=$(sed -n 's/^0::.*\///p' /proc/$$/cgroup); mkdir `+own+`/below; echo $$ >`+own+
		`/below/cgroup.procs; echo +`+controller+` >`+own+`/cgroup.subtree_control && `+announce+hold))
	for range 3 {
		pid := w.expect("a.group")
		w.is("a", "up") // it has announced itself before
		all := w.set.Status()
		supervise.Measure(all)
		if p := all[0]; p.Cgroup != own || p.CPUSecondsBefore != nil && *p.CPUSecondsBefore > *p.CPUSeconds {
			t.Errorf("%+v", p)
		}
		unix.Kill(pid, unix.SIGKILL)
	}
}

// promise T3: a manager of containers whose containers live on, with controllers, is started again in its group too,
// below which they are, and is known and bound there
func TestCgroupWithControllersOfWhoLivesOn(t *testing.T) {
	dir := cgroupWithController(t)
	w := newWorld(t, supervise.Options{Cgroup: dir, CgroupRequired: true})
	own := dir + "/a.process"
	t.Cleanup(func() {
		for _, below := range []string{"/below", "/again.0/below", "/again.1/below"} {
			b, _ := os.ReadFile(own + below + "/cgroup.procs")
			for _, word := range strings.Fields(string(b)) {
				pid, _ := strconv.Atoi(word)
				end(t, pid)
			}
		}
	})
	w.apply(w.program("a", `cd `+own+` && cd $(grep -lsx $$ cgroup.procs again.?/cgroup.procs | sed 's/cgroup.procs$/./') &&
		NAME=$(basename $PWD); mkdir below; echo $$ >below/cgroup.procs; echo +`+controller+` >cgroup.subtree_control && `+
		away("stray", hold)+announce+hold, func(p *supervise.Program) { p.Kill = supervise.KillProcess }))
	for _, name := range []string{"a.process", "again.0", "again.1"} {
		pids := w.collect(2)
		w.is("a", "up") // it has announced itself before
		all := w.set.Status()
		if supervise.Measure(all); all[0].Cgroup != own || all[0].MemoryBytes == nil {
			t.Errorf("%+v", all[0])
		}
		unix.Kill(pids[name], unix.SIGKILL)
		gone(t, pids[name])
		lives(t, "stray", pids["stray"])
	}
}

// promise T1, issue 8.5: whoever writes to cgroup.kill ends a program, and does not keep it down. Linux 6.14 and later
// go on to kill whom clone3(2) puts into such a group. The set up ones start by another way.
func TestCgroupThatWasKilled(t *testing.T) {
	dir := cgroup(t)
	w := newWorld(t, supervise.Options{Cgroup: dir, Helper: true})
	p := w.program("a", `(`+strings.Replace(announce, "$NAME", "child", 1)+`exec sleep 1000) & `+announce+hold)
	up := w.program("b", announce+hold, func(p *supervise.Program) { p.Setup = &supervise.Setup{NoNewPrivileges: true} })
	w.apply(p, up)
	w.collect(3)
	for range 3 {
		for _, group := range []string{"a.group", "b.group"} {
			kill := filepath.Join(dir, group, "cgroup.kill")
			if _, err := os.Stat(kill); err != nil {
				t.Skip("needs Linux 5.14: ", err)
			}
			if err := os.WriteFile(kill, []byte("1"), 0); err != nil {
				t.Fatal(err)
			}
		}
		pids := w.collect(3)
		for name, group := range map[string]string{"a": "a.group", "child": "a.group", "b": "b.group"} {
			b, _ := os.ReadFile(filepath.Join(dir, group, "cgroup.procs"))
			if !slices.Contains(strings.Fields(string(b)), strconv.Itoa(pids[name])) {
				t.Errorf("%s is not in %s: %s", name, group, b)
			}
		}
	}
}

// promise T4: a program that has done its work by starting a daemon is done; the daemon ends at the removal
func TestCgroupOfOneShot(t *testing.T) {
	dir := cgroup(t)
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: dir})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	once := w.program("a", away("daemon", polite)+`read x <"$FIFO.go"`, func(p *supervise.Program) { p.OneShot = true })
	if err := unix.Mkfifo(w.fifo+".go", 0o600); err != nil {
		t.Fatal(err)
	}
	w.apply(once)
	daemon := w.expect("daemon")
	os.WriteFile(w.fifo+".go", []byte("\n"), 0)
	w.logged("done")
	w.apply(once, w.program("b", announce+hold))
	w.expect("b")
	lives(t, "daemon", daemon)
	w.apply(w.program("b", announce+hold))
	w.expect("daemon-ended")
	gone(t, daemon)
}

// promise T3, issue 8.5: after kill -9 the next start finds all, but what a program with KillProcess has left; also of
// a daemon that such a one had started, in the group of that program
func TestCgroupAfterKill(t *testing.T) {
	dir := cgroup(t)
	t.Run("apart", func(t *testing.T) { testCgroupAfterKill(t, dir) })
	t.Run("below", func(t *testing.T) { testCgroupAfterKill(t, dir+"/sshd.process/"+filepath.Base(dir)) })
}

func testCgroupAfterKill(t *testing.T, dir string) {
	w := newWorld(t, supervise.Options{})
	c := w.role("daemon", "ROLE_CGROUP="+dir, "ROLE_GROUP="+away("cleared", hold)+announce+hold,
		"ROLE_PROCESS="+away("session", hold)+announce+hold)
	w.begin(c)
	pids := w.collect(4)
	c.Process.Kill()
	c.Wait()
	gone(t, pids["group"])
	gone(t, pids["process"])
	lives(t, "cleared", pids["cleared"])
	ended := supervise.EndCgroups(filepath.Base(dir))
	if !slices.Equal(ended, []int{pids["cleared"]}) {
		t.Errorf("ended %v of %v", ended, pids)
	}
	gone(t, pids["cleared"])
	lives(t, "session", pids["session"])
	end(t, pids["session"])
}

// end leaves nobody in the cgroups.
func end(t *testing.T, pid int) {
	unix.Kill(pid, unix.SIGKILL)
	gone(t, pid)
}

// promise T4: whoever has asked for the removal is spared, and its ancestors, though they are in the cgroup
func TestCgroupSpares(t *testing.T) {
	dir := cgroup(t)
	asker := 0
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: dir, Spare: func() []int { return []int{asker} }})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.apply(w.program("a", away("asker", hold)+away("other", hold)+announce+hold))
	pids := w.collect(3)
	asker = pids["asker"]
	w.apply()
	gone(t, pids["other"])
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	lives(t, "asker", asker)
	end(t, asker)
}

// promise T4: at the stop a cgroup tells whose those are that nothing else could tell
func TestCgroupTellsWhoseTheyAre(t *testing.T) {
	dir := cgroup(t)
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: dir})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.apply(w.program("group", away("escaped", hold)+announce+hold),
		w.program("process", away("session", hold)+announce+hold,
			func(p *supervise.Program) { p.Kill = supervise.KillProcess }))
	pids := w.collect(4)
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	gone(t, pids["escaped"])
	lives(t, "session", pids["session"])
	end(t, pids["session"])
}

// issue 8.5: auto goes on without, require is the program's failure
func TestCgroupCannotBeHad(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "file")
	os.WriteFile(nowhere, nil, 0o600)
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: nowhere + "/set"})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.apply(w.program("a", announce+hold))
	w.expect("a")
	w = newWorld(t, supervise.Options{Orphans: true, Cgroup: nowhere + "/set", CgroupRequired: true})
	c, err := w.set.Update(t.Context(), []supervise.Program{w.program("a", announce+hold)})
	if err != nil || len(c.Failed) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}
