package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/keepalivedd/keepalivedd/control"
)

// sayAs is say as another user, of these groups.
func (w *world) sayAs(gid uint32, groups []uint32, args ...string) (status int, stdout, stderr string) {
	w.t.Helper()
	copied := filepath.Join(w.dir, "keepalivedd")
	if _, err := os.Stat(copied); err != nil {
		b, err := os.ReadFile(w.binary)
		if err == nil {
			err = os.WriteFile(copied, b, 0o755)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	c := exec.Command(copied, append([]string{"-f", w.conf}, args...)...)
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: gid, Groups: groups}}
	var out bytes.Buffer
	c.Stdout = &out
	status, stderr = w.finish(c)
	return status, out.String(), stderr
}

// issue 9: members of the group are told the status, and can do nothing. A group that does not exist keeps a daemon
// from nothing, and is named; to a test and a reload it is lacking. // promises Q2, S8, S9
func TestReadersGroup(t *testing.T) {
	const group = "\ncontrol.group = \"%s\"\n"
	w := openWorld(t, fmt.Sprintf(group, "nosuchgroup")+oneProgram)
	lacking := w.conf + `:6:17: control.group: unknown group "nosuchgroup"`
	if status, stderr := w.run("-t"); status != 6 || !strings.Contains(stderr, lacking) {
		t.Errorf("-t: %d, %q", status, stderr)
	}
	status, stderr := w.run()
	if status != 0 ||
		!strings.Contains(stderr, lacking+"; nobody of that group can ask for the status until a reload finds it\n") {
		t.Fatalf("start: %d, %q", status, stderr)
	}
	p := w.daemon()
	w.await(w.log, "ERROR something is lacking: nobody of that group .*control.group")
	mode := func(want os.FileMode) {
		t.Helper()
		if st, err := os.Lstat(control.Path(w.pidfile)); err != nil || st.Mode().Perm() != want {
			t.Errorf("%v, %v", st.Mode(), err)
		}
	}
	mode(0o600)
	if status, stderr := w.run("reload"); status != 6 || !strings.Contains(stderr, lacking) {
		t.Errorf("reload: %d, %q", status, stderr)
	}
	stranger := func(only string) {
		t.Helper()
		want := fmt.Sprintf("keepalivedd is running, pid %d; its programs can be asked for by %s only\n", p.pid, only)
		if status, stdout, _ := w.sayAs(65534, []uint32{65534}, "status"); status != 4 || stdout != want {
			t.Errorf("a stranger: %d, %q", status, stdout)
		}
		if status, stdout, stderr := w.sayAs(65534, []uint32{65534}, "logs"); status == 0 || stdout != "" || stderr == "" {
			t.Errorf("logs of a stranger: %d, %q, %q", status, stdout, stderr)
		}
	}
	stranger("root")

	w.configure(fmt.Sprintf(group, "424242") + oneProgram)
	if status, stderr := w.run("reload"); status != 0 {
		t.Fatalf("reload: %d, %q", status, stderr)
	}
	mode(0o660)
	stranger("root and members of gid 424242")
	members := func(cannot ...string) {
		t.Helper()
		w.await(w.log, `one\[\d+\]: up$`)
		well := fmt.Sprintf("keepalivedd is running, pid %d; programs up: 1 of 1\n", p.pid)
		for _, in := range []struct {
			gid    uint32
			groups []uint32
		}{{65534, []uint32{1, 424242}}, {424242, nil}} {
			if status, stdout, stderr := w.sayAs(in.gid, in.groups, "status"); status != 0 || !strings.HasPrefix(stdout, well) {
				t.Errorf("status of a member: %d, %q, %q", status, stdout, stderr)
			}
			if status, stdout, stderr := w.sayAs(in.gid, in.groups, "logs", "-n", "all"); status != 0 ||
				!strings.Contains(stdout, "]: up\n") {
				t.Errorf("logs of a member: %d, %q, %q", status, stdout, stderr)
			}
			for _, verb := range cannot {
				if status, _, stderr := w.sayAs(in.gid, in.groups, verb); status != 4 {
					t.Errorf("%s of a member: %d, %q", verb, status, stderr)
				}
			}
		}
	}
	members("reload", "stop")
	w.configure(fmt.Sprintf(group, "nosuchgroup") + oneProgram)
	if status, _ := w.run("reload"); status != 6 {
		t.Errorf("reload: %d", status)
	}
	members("stop") // nothing has changed
	w.configure(oneProgram)
	if status, stderr := w.run("reload"); status != 0 {
		t.Errorf("reload: %d, %q", status, stderr)
	}
	mode(0o600)
	stranger("root")
	w.down(p)

	w.configure(fmt.Sprintf(group, "424242") + `
[program.down]
command = ["/bin/false"]
restart_delay = { min = "60s", max = "60s" }
`)
	p = w.up()
	w.await(w.log, "program down: .*restarting in")
	if status, stdout, _ := w.sayAs(424242, nil, "status"); status != 150 ||
		!strings.Contains(stdout, "programs up: 0 of 1") {
		t.Errorf("status of a member: %d, %q", status, stdout)
	}
	w.down(p)
}
