package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// undying starts a process that does not end when it is killed, until the end of the test: this thread traces it.
func undying(t *testing.T, env string) (pid int) {
	t.Helper()
	c := exec.Command("/bin/sleep", "1000")
	c.Env = []string{env}
	c.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setsid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pid = c.Process.Pid
	var status unix.WaitStatus
	_, err := unix.Wait4(pid, &status, 0, nil) // at its exec
	if err == nil {
		err = unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXIT)
	}
	if err == nil {
		err = unix.PtraceCont(pid, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, &status, unix.WALL, nil)
		unix.PtraceDetach(pid)
		c.Wait()
	})
	return pid
}

// promise S5: a start is not held up by those who look as if the daemon before had left them, and do not end: anybody
// can make as many as he likes. All of them are waited for together.
func TestLeftoversThatDoNotEnd(t *testing.T) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)                     // the last of all: no other thread can let go of who is traced
	mark := fmt.Sprint("SUPERVISE_UNDYING=", os.Getpid()) // another run of this test may be under way
	var pids []int
	var sessions []Session
	for range 3 {
		pid := undying(t, mark)
		pids = append(pids, pid)
		p, ok := readProc(pid)
		if !ok {
			t.Fatal("it has gone")
		}
		sessions = append(sessions, Session{PID: pid, Start: p.start})
	}
	slices.Sort(pids)
	ended := make(chan []int)
	cgroups := t.TempDir() // they are none, but look like some in which nobody ends
	for _, pid := range pids {
		dir := fmt.Sprintf("%s/ours/%d%s", cgroups, pid, endedSuffix)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		os.WriteFile(dir+"/cgroup.events", []byte("populated 1\n"), 0o644)
		os.WriteFile(dir+"/cgroup.procs", fmt.Appendln(nil, pid), 0o644)
	}
	go func() {
		ended <- endCgroupsBelow(cgroups, "ours", &patience{limit: 10 * time.Millisecond})
		ended <- endLeftovers(mark, 10*time.Millisecond)
		ended <- endSessions(sessions, 10*time.Millisecond)
	}()
	for _, what := range []string{"cgroups", "leftovers", "sessions"} {
		select {
		case got := <-ended:
			if slices.Sort(got); !slices.Equal(got, pids) {
				t.Errorf("%s: %v were killed, want %v", what, got, pids)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s that do not end are waited for", what)
		}
	}
}
