package supervise

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// busy takes all that it can get, and another in its session and group does the same.
const busy = `while :; do :; done & while :; do :; done`

// issue 9.3, 8.5: what a program takes is told, with a cgroup and without, and not of one that has no process
func TestMeasure(t *testing.T) {
	for name, cgroup := range map[string]string{"alone": "", "in a cgroup": newCgroupName(t)} {
		t.Run(name, func(t *testing.T) {
			if name != "alone" && cgroup == "" {
				_, err := FindCgroup()
				t.Skip("needs a cgroup of version 2 that it may write to: ", err)
			}
			s := New(Options{Cgroup: cgroup, Orphans: cgroup != ""})
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				s.Stop(ctx)
			})
			_, err := s.Update(t.Context(), []Program{
				{Name: "busy", Command: []string{"/bin/sh", "-c", busy}},
				{Name: "down", Command: []string{"/bin/sh", "-c", "exit"}, OneShot: true, Restart: OnFailure},
				{Name: "never", Command: []string{"/bin/sh"}, Order: &Order{Requires: []string{"nobody"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			measured := func() map[string]Status {
				list, all := s.Status(), map[string]Status{}
				Measure(list)
				for _, p := range list {
					all[p.Name] = p
				}
				return all
			}
			var now map[string]Status
			for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
				now = measured()
				if c := now["busy"].CPUSeconds; c != nil && *c > 0.05 && now["down"].State == "done" {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%+v", now)
				}
			}
			p := now["busy"]
			if p.MemoryBytes == nil || *p.MemoryBytes < 4096 {
				t.Errorf("memory: %+v", p)
			}
			if cgroup != "" && filepath.Dir(p.Cgroup) != cgroup || cgroup == "" && p.Cgroup != "" {
				t.Errorf("cgroup: %q", p.Cgroup)
			}
			if now["down"].MemoryBytes != nil || (now["down"].CPUSeconds != nil) != (cgroup != "") {
				t.Errorf("%+v", now["down"])
			}
			if p := now["never"]; p.MemoryBytes != nil || p.CPUSeconds != nil || p.Cgroup != "" {
				t.Errorf("%+v", p)
			}
			later := measured()["busy"]
			if *later.CPUSeconds < *p.CPUSeconds {
				t.Errorf("it has used %v s, and %v s before", *later.CPUSeconds, *p.CPUSeconds)
			}
		})
	}
}

// issue 9.3: what a program has taken before its process was started is told apart, and an upgrade does not forget it
func TestMeasureRestarted(t *testing.T) {
	t.Parallel()
	dir := newCgroupName(t)
	if dir == "" {
		t.Skip("needs a cgroup of version 2 that it may write to")
	}
	dir += "-again"
	t.Cleanup(func() { EndCgroups(filepath.Base(dir)) })
	s := New(Options{Cgroup: dir})
	defer s.Stop(t.Context())
	script := `[ -e "$0" ] && exec sleep 1000; >"$0"; while [ $((i+=1)) -lt 50000 ]; do :; done; exit 1`
	if _, err := s.Update(t.Context(), []Program{{Name: "a",
		Command: []string{"/bin/sh", "-c", script, filepath.Join(t.TempDir(), "been")}}}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		list := s.Status()
		Measure(list)
		if p := list[0]; p.Starts == 2 && p.PID != 0 {
			if p.CPUSecondsBefore == nil || *p.CPUSecondsBefore <= 0.001 || *p.CPUSeconds < *p.CPUSecondsBefore {
				t.Errorf("%+v", p)
			}
			break
		} else if p.CPUSecondsBefore != nil {
			t.Errorf("of its first process: %+v", p)
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", list)
		}
	}
	for spent, want := range map[int64]int64{-1: -1, 0: 0, 7: 7} {
		was := program{spec: &Program{Name: "a"}, starts: 2, spent: spent}
		state := (&encoding{setState: &setState{}}).program(&was)
		if now := (&restoring{loop: &loop{}}).program(&state, nil); now.spent != want {
			t.Errorf("%d has become %d", spent, now.spent)
		}
	}
}

// newCgroupName is for one Set; empty where no cgroup can be had.
func newCgroupName(t *testing.T) string {
	base, err := FindCgroup()
	if err != nil {
		return ""
	}
	name := fmt.Sprintf("keepalivedd-measure-%d", os.Getpid())
	t.Cleanup(func() { EndCgroups(name) })
	return filepath.Join(base, name)
}

// issue 9.3: who has the number of a process that has ended is not taken for it
func TestMeasureRecycled(t *testing.T) {
	t.Parallel()
	begun := sinceBoot()
	m := measurer{buf: make([]byte, 16), page: 4096}
	if u, ok := m.process(os.Getpid(), begun); !ok || u.bytes == 0 {
		t.Errorf("ourselves: %+v, %v", u, ok)
	}
	me, _ := readProc(os.Getpid())
	before := time.Duration(me.start)*tick - 1
	if u, ok := m.process(os.Getpid(), before); ok {
		t.Errorf("one that is younger: %+v", u)
	}
	for _, list := range [][]Status{{{Name: "a", PID: os.Getpid()}},
		{{Name: "a", PID: os.Getpid(), sight: sight{begun: before}}}} {
		Measure(list)
		if list[0].CPUSeconds != nil || list[0].MemoryBytes != nil {
			t.Errorf("%+v", list[0])
		}
	}
}

// A process that has made a cgroup of its own, as a container's does, is in its program's.
func TestMeasureBelow(t *testing.T) {
	t.Parallel()
	dir := newCgroupName(t)
	if dir == "" {
		t.Skip("needs a cgroup of version 2 that it may write to")
	}
	dir += "-below"
	t.Cleanup(func() { EndCgroups(filepath.Base(dir)) })
	s := New(Options{Cgroup: dir})
	defer s.Stop(t.Context())
	program := cgroupOf(dir, &Program{Name: "a"})
	script := `mkdir "$0/own"; echo $$ >"$0/own/cgroup.procs"; exec sleep 1000`
	if _, err := s.Update(t.Context(),
		[]Program{{Name: "a", Command: []string{"/bin/sh", "-c", script, program}}}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		list := s.Status()
		Measure(list)
		pids, _ := os.ReadFile(program + "/own/cgroup.procs")
		if len(pids) > 0 {
			if p := list[0]; p.Cgroup == program && p.CPUSeconds != nil {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%+v, %s", list, pids)
		}
	}
}

// issue 9.3: the first program that is measured is found in its cgroup too, where the kernel counts the memory of
// cgroups
func TestMeasureWithControllers(t *testing.T) {
	set := newFakeCgroup(t, "cpu memory pids")
	set.write("one.group/memory.current", "8192\n")
	all := []Status{{PID: os.Getpid(), sight: sight{cgroup: set.program}}}
	Measure(all)
	if p := all[0]; p.Cgroup != set.program || p.MemoryBytes == nil || *p.MemoryBytes != 8192 ||
		p.CPUSeconds == nil || *p.CPUSeconds != 2.5 {
		t.Errorf("%+v", p)
	}
}

// issue 9: who is in a cgroup is looked for again only when somebody there has used the processor, or after a minute
func TestMeasureIdle(t *testing.T) {
	set := newFakeCgroup(t, "cpu pids")
	var found atomic.Pointer[finding]
	measured := func(pid int) (bytes int64) {
		all := []Status{{PID: pid, sight: sight{cgroup: set.program, found: &found}}}
		Measure(all)
		if all[0].Cgroup != set.program || all[0].MemoryBytes == nil {
			return 0
		}
		return *all[0].MemoryBytes
	}
	first := measured(os.Getpid())
	set.write("one.group/cgroup.procs", "")
	if again := measured(os.Getpid()); first < 4096 || again != first {
		t.Errorf("%d bytes, and then, when nothing has happened, %d", first, again)
	}
	if of := measured(os.Getppid()); of != 0 {
		t.Errorf("another process is taken to be there, with %d bytes", of)
	}
	found.Load().at -= longestFound
	if again := measured(os.Getpid()); again != 0 {
		t.Errorf("after a minute %d bytes of who has gone", again)
	}
	set.write("one.group/cgroup.procs", fmt.Sprintln(os.Getpid()))
	measured(os.Getpid())
	set.write("one.group/cgroup.procs", "")
	set.write("one.group/cpu.stat", "usage_usec 2500001\n")
	if again := measured(os.Getpid()); again != 0 {
		t.Errorf("%d bytes of who has gone", again)
	}
}

// fakeCgroup is files that look like the cgroup of a Set with one program, which this process is.
type fakeCgroup struct {
	*testing.T
	dir, program string
}

func newFakeCgroup(t *testing.T, controllers string) *fakeCgroup {
	dir := t.TempDir()
	f := &fakeCgroup{t, dir, dir + "/one.group"}
	f.write("cgroup.subtree_control", controllers+"\n")
	f.write("one.group/cpu.stat", "usage_usec 2500000\n")
	f.write("one.group/cgroup.procs", fmt.Sprintln(os.Getpid()))
	return f
}

func (f *fakeCgroup) write(name, text string) {
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.Fatal(err)
	}
}
