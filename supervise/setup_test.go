package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// issue 3.1: what only the process can give to itself
func TestSetup(t *testing.T) {
	w := newWorld(t, supervise.Options{Helper: true})
	mask, nice := 0o027, 19 // which anybody may have, also who is nice himself
	out := filepath.Join(t.TempDir(), "out")
	w.apply(w.program("a",
		`{ umask; ulimit -n; nice; grep NoNewPrivs /proc/self/status; } >"$OUT" 2>&1; ls /proc/self/fd >>"$OUT"; `+
			announce+hold, func(p *supervise.Program) {
			p.Environment["OUT"] = out
			p.Setup = &supervise.Setup{Umask: &mask, Nice: &nice, NoNewPrivileges: true,
				Limits: []supervise.Limit{{Resource: unix.RLIMIT_NOFILE, Soft: 123, Hard: 456}}}
		}))
	pid := w.expect("a")
	b, _ := os.ReadFile(out)
	if got, want := strings.Join(strings.Fields(string(b)), " "), "0027 123 19 NoNewPrivs: 1 0 1 2 3"; got != want {
		t.Errorf("the child's view: %q, want %q", got, want)
	}
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session %d, %v", sid, err)
	}
}

// issue 3.1: what cannot be had is told by its own name, and the program is not started without it
func TestSetupRefused(t *testing.T) {
	var nofile unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &nofile); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile("/proc/sys/fs/nr_open")
	nrOpen, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	tooMany := &supervise.Setup{Limits: []supervise.Limit{{Name: "nofile", Resource: unix.RLIMIT_NOFILE, Soft: 5,
		Hard: nrOpen + 1}}}
	for name, c := range map[string]struct {
		setup *supervise.Setup
		want  string
	}{
		"limit": {&supervise.Setup{Limits: []supervise.Limit{{Name: "nofile", Resource: unix.RLIMIT_NOFILE, Soft: 10,
			Hard: 5}}},
			"limits.nofile: the soft limit of 10 is above the hard one of 5"},
		"oom":     {&supervise.Setup{OOMScoreAdj: new(int)}, "oom_score_adj: 5000: invalid argument"},
		"nr_open": {tooMany, fmt.Sprintf("limits.nofile: %d is above fs.nr_open, %d", nrOpen+1, nrOpen)},
		"exec":    {&supervise.Setup{NoNewPrivileges: true}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, supervise.Options{Helper: true})
			p := w.program("a", announce+hold)
			if c.setup.OOMScoreAdj != nil {
				*c.setup.OOMScoreAdj = 5000
			}
			if name == "exec" {
				p.Command[0] = filepath.Join(t.TempDir(), "script")
				os.WriteFile(p.Command[0], []byte("#!/nonexistent/x\n"), 0o755)
			}
			p.Setup = c.setup
			err := w.set.Apply(context.Background(), []supervise.Program{p})
			if err == nil || !strings.Contains(err.Error(), "program a: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Apply: %v, want %q", err, c.want)
			}
		})
	}
}

// issue 3.1: the same as another user, and without the privilege
func TestSetupAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it runs a program as another user")
	}
	w := newWorld(t, supervise.Options{Helper: true})
	w.forEverybody()
	nice := -5
	w.apply(w.program("a", `NAME="$(id -u):$(id -g):$(id -G|tr ' ' ,):$(nice)"; `+announce+hold,
		func(p *supervise.Program) {
			p.User = &supervise.User{Name: "x", UID: 65534, GID: 65533, Groups: []uint32{65533, 7}, Home: "/", Shell: "/bin/sh"}
			p.Setup = &supervise.Setup{Nice: &nice}
		}))
	if name, _ := w.next(); name != "65534:65533:65533,7:-5" {
		t.Errorf("it runs as %s", name)
	}
}

// promise C3: the user
func TestUser(t *testing.T) {
	if os.Geteuid() != 0 {
		err := supervise.New(supervise.Options{}).Apply(context.Background(), []supervise.Program{
			{Name: "a", Command: []string{"/bin/sh"}, User: &supervise.User{Name: "root"}}})
		if !errors.As(err, new(*supervise.LaunchError)) || !errors.Is(err, fs.ErrPermission) ||
			!strings.Contains(err.Error(), "user root") {
			t.Errorf("Apply: %v", err)
		}
		t.Skip("the rest needs root: it runs a program as another user")
	}
	w := newWorld(t, supervise.Options{})
	w.forEverybody()
	w.apply(w.program("a", `NAME="$(id -u):$(id -g):$(id -G|tr ' ' ,):$HOME:$USER:$LOGNAME:$SHELL"; `+announce+hold,
		func(p *supervise.Program) {
			p.User = &supervise.User{Name: "somebody", UID: 65534, GID: 65533, Groups: []uint32{65533, 7}, Home: "/home/x",
				Shell: "/bin/sh"}
		}))
	if name, _ := w.next(); name != "65534:65533:65533,7:/home/x:somebody:somebody:/bin/sh" {
		t.Errorf("it runs as %s", name)
	}
}
