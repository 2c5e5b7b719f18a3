package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// issue 8.5: bounds are written where the kernel has files for them, taken away again, and enabled on the way
func TestResources(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	set := filepath.Join(base, "set")
	dir := filepath.Join(set, "a.group")
	os.MkdirAll(dir, 0o755)
	read := func(path string) string { b, _ := os.ReadFile(path); return string(b) }
	for path, text := range map[string]string{
		base + "/cgroup.controllers": "cpu memory\n", base + "/cgroup.subtree_control": "",
		set + "/cgroup.subtree_control": "", dir + "/memory.max": "max", dir + "/cpu.weight": "100",
	} {
		os.WriteFile(path, []byte(text), 0o644)
	}
	fd, err := openCgroup(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	r := &Resources{Memory: 5 << 20, CPUWeight: 123}
	if err := r.apply(fd, dir); err != nil {
		t.Error(err)
	}
	if m, c := read(dir+"/memory.max"), read(dir+"/cpu.weight"); m != "5242880" || c != "123" {
		t.Errorf("%q, %q", m, c)
	}
	r = &Resources{PIDs: 5}
	err = r.apply(fd, dir)
	if err == nil || err.Error() != "cgroup controller pids is not to be had here: "+
		lacksController(base, "pids").Error() {
		t.Errorf("%v", err)
	}
	if c := read(dir + "/cpu.weight"); c != "100" {
		t.Errorf("%q is left", c)
	}
	os.WriteFile(base+"/cgroup.controllers", []byte("cpu memory pids\n"), 0o644)
	if err := r.apply(fd, dir); err == nil || !strings.Contains(err.Error(), "pids.max") { // no kernel makes it
		t.Errorf("%v", err)
	}
	for _, control := range []string{base, set} {
		if text := read(control + "/cgroup.subtree_control"); text != "+pids" {
			t.Errorf("%s: %q", control, text)
		}
	}
	for _, test := range []struct {
		a, b *Resources
		same bool
	}{{nil, nil, true}, {nil, &Resources{}, true}, {r, nil, false}, {nil, r, false}, {r, &Resources{PIDs: 5}, true},
		{r, &Resources{PIDs: 6}, false}} {
		if test.a.same(test.b) != test.same {
			t.Errorf("%v, %v", test.a, test.b)
		}
	}
}

// promise R4: bounds that are still being written when their program has gone do not bind the next of its name. To
// write that of memory waits for a reader here, as it does for memory that is taken back.
func TestBoundsOfOneThatHasGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a.group")
	os.Mkdir(dir, 0o755)
	if err := unix.Mkfifo(dir+"/memory.max", 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan boundNow)
	newLinux().bind(map[string]binding{dir: {"a", &Resources{Memory: 5, PIDs: 5}}}, func(b boundNow) { done <- b })
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(dir, 0o755)
	os.WriteFile(dir+"/pids.max", []byte("max"), 0o644)
	reader, err := os.OpenFile(dir+".gone/memory.max", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if said := <-done; said.errs[dir] != nil {
		t.Errorf("it says %v of the program that runs now", said.errs[dir])
	}
	if b, _ := os.ReadFile(dir + "/pids.max"); string(b) != "max" {
		t.Errorf("the next program has pids.max %s", b)
	}
}

// issue 8.5: a cgroup with processes has no controllers for those below it. So the daemon makes room, alone or with
// what it has started, unless somebody else is there, and leaves nothing of it. The controller hugetlb is for once that
// of memory: it is there in the hybrid layout too.
func TestMakeRoom(t *testing.T) {
	if dir := os.Getenv("SUPERVISE_ROOM"); dir != "" {
		makesRoom(t, dir)
		return
	}
	const controller = "hugetlb"
	base, err := FindCgroup()
	if err == nil {
		err = lacksController(base, controller)
	}
	if b, _ := os.ReadFile(base + "/cgroup.subtree_control"); err == nil && !strings.Contains(string(b), controller) {
		err = writeCgroup(base+"/cgroup.subtree_control", "+"+controller)
		defer writeCgroup(base+"/cgroup.subtree_control", "-"+controller)
	}
	if err != nil {
		t.Skip("needs the root of a hierarchy with the controller hugetlb: ", err)
	}
	for _, foreign := range []bool{false, true} {
		t.Run(fmt.Sprintf("foreign %v", foreign), func(t *testing.T) {
			dir, err := os.MkdirTemp(base, "keepalivedd-room")
			if err != nil {
				t.Skip(err)
			}
			defer unix.Rmdir(dir)
			if foreign {
				c := exec.Command("/bin/sleep", "1000")
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				defer c.Wait()
				defer c.Process.Kill()
				if err := writeCgroup(dir+"/cgroup.procs", fmt.Sprint(c.Process.Pid)); err != nil {
					t.Fatal(err)
				}
			}
			c := exec.Command("/bin/sh", "-c",
				`echo $$ >"$SUPERVISE_ROOM/cgroup.procs" && { sleep 1000 & exec "$0" -test.run '^TestMakeRoom$'; }`, os.Args[0])
			c.Env = append(os.Environ(), "SUPERVISE_ROOM="+dir, fmt.Sprintf("FOREIGN=%v", foreign))
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, err := c.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			left, _ := filepath.Glob(dir + "/*/")
			if len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// makesRoom is the daemon, in a cgroup with its child.
func makesRoom(t *testing.T, dir string) {
	set := dir + "/set"
	defer func() {
		for pid, p := range everybody() { // the child
			if p.parent == os.Getpid() {
				unix.Kill(pid, unix.SIGKILL)
				unix.Wait4(pid, nil, 0, nil)
			}
		}
	}()
	if base, err := FindCgroup(); base != dir {
		t.Fatalf("%s, %v", base, err)
	}
	os.MkdirAll(set+"/a.group", 0o755)
	err := enableController(set, "hugetlb")
	if os.Getenv("FOREIGN") == "true" {
		if err == nil || !strings.Contains(err.Error(), dir+" has other processes in it, such as pid ") {
			t.Errorf("%v", err)
		}
	} else {
		if files, _ := filepath.Glob(set + "/a.group/hugetlb.*"); err != nil || len(files) == 0 {
			t.Errorf("%v, %v", err, files)
		}
		if base, err := FindCgroup(); base != dir {
			t.Errorf("it has moved to %s, %v", base, err)
		}
	}
	unix.Rmdir(set + "/a.group")
	comeBack(set)
	if !removeCgroup(set) {
		t.Error("the cgroup of the set cannot be removed")
	}
	if b, _ := os.ReadFile(dir + "/cgroup.subtree_control"); len(strings.TrimSpace(string(b))) > 0 {
		t.Errorf("%s is left enabled", b)
	}
}
