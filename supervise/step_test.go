package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// issue 7.C: what an ordinary user cannot have, in words: each step is taken by a process of its own.
func TestSteps(t *testing.T) {
	if steps := os.Getenv("TAKE_STEPS"); steps != "" {
		for _, step := range strings.Split(steps, ";") {
			fmt.Println(carryOut(step))
		}
		return
	}
	var nofile unix.Rlimit
	if unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &nofile); nofile.Max < 20000 {
		t.Skip("the hard limit of descriptors is too low")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/proc/self/exe", "-test.run=^TestSteps$")
	c.Args[0] = exe
	limit := fmt.Sprintf("limit %d 20000 20000 nofile;limit %d 30000 65536 nofile", unix.RLIMIT_NOFILE, unix.RLIMIT_NOFILE)
	c.Env = append(os.Environ(),
		"TAKE_STEPS=nice -5;oom_score_adj -500;setgroups nobody 1;setgid nobody 1;setuid nobody 1;directory /nonexistent/x;"+
			limit)
	if os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := c.Output()
	if err != nil {
		t.Fatal(err, string(out))
	}
	want := `nice: -5: permission denied
oom_score_adj: -500: permission denied
user: nobody: only root can run programs as another user
user: nobody: only root can run programs as another user
user: nobody: only root can run programs as another user
directory: /nonexistent/x: no such file or directory
<nil>
limits.nofile: 65536 is above the hard limit of 20000
`
	if got, _, _ := strings.Cut(string(out), "PASS"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := carryOut("directory /nonexistent/x"); !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
}
