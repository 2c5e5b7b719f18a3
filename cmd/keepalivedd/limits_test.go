package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// promise S2, issue 7.C: too few descriptors are told as such, before the runtime dies of them, and leave nothing
func TestFewDescriptors(t *testing.T) {
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skip("no prlimit")
	}
	w := newWorld(t, oneProgram)
	limited := func(limit string, args ...string) (int, string) {
		c := exec.Command("prlimit", append([]string{"--nofile=" + limit, w.binary}, w.command(args...).Args[1:]...)...)
		c.Env = w.command().Env
		return w.finish(c)
	}
	for _, limit := range []string{"3", "4", "6", "8", "12", "16", "24", "32", "63"} {
		want := "keepalivedd: only " + limit +
			" file descriptors are allowed (RLIMIT_NOFILE), at least 64 are needed: raise the limit, with ulimit -n\n"
		for verb, status := range map[string]int{"start": 1, "reload": 1, "stop": 1, "status": 4} {
			if got, stderr := limited(limit, verb); got != status || stderr != want {
				t.Errorf("%s with %s: status %d, %q", verb, limit, got, stderr)
			}
		}
	}
	w.empty()
	for _, limit := range []string{"64", "6:100"} { // the runtime raises a soft limit
		if status, stderr := limited(limit); status != 0 {
			t.Fatalf("with %s: status %d, %q", limit, status, stderr)
		}
		p := w.daemon()
		if status, stderr := limited(limit, "reload"); status != 0 {
			t.Errorf("reload with %s: status %d, %q", limit, status, stderr)
		}
		w.down(p)
	}
}

// promise S2, issue 7.C: so are too few processes and threads
func TestFewProcesses(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it starts as another user, who has no processes yet")
	}
	for _, tool := range []string{"prlimit", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	w := newWorld(t, oneProgram)
	for _, dir := range []string{filepath.Dir(w.dir), w.dir} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	limited := func(limit string) (int, string) {
		args := []string{"--reuid=64321", "--regid=64321", "--clear-groups", "prlimit", "--nproc=" + limit, w.binary}
		c := exec.Command("setpriv", append(args, w.command().Args[1:]...)...)
		c.Env = w.command().Env
		return w.finish(c)
	}
	status, stderr := limited("20")
	want := regexp.MustCompile(`^keepalivedd: only \d+ of the 20 processes and threads that uid 64321 may have are left ` +
		`\(RLIMIT_NPROC\), at least 24 are needed: raise the limit, with ulimit -u\n$`)
	if status != 1 || !want.MatchString(stderr) {
		t.Errorf("status %d, %q", status, stderr)
	}
	w.empty()
	if status, stderr := limited("60"); status != 0 {
		t.Fatalf("status %d, %q", status, stderr)
	}
	w.down(w.daemon())
}

// promise P5: a full disk gives an error and leaves nothing
func TestFullDisk(t *testing.T) {
	for what, test := range map[string]struct {
		options string
		fill    bool
		stderr  string
	}{
		"of data":   {"size=4k,nr_inodes=10", true, "no space left on device"},
		"of inodes": {"size=64k,nr_inodes=1", false, "no space left on device"},
		"read-only": {"size=64k,ro", false, "read-only file system"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, oneProgram)
			disk := mountTmpfs(t, test.options)
			if test.fill {
				if err := os.WriteFile(filepath.Join(disk, "full"), make([]byte, 4096), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			w.pidfile = filepath.Join(disk, "pid")
			status, stderr := w.run("-p", w.pidfile)
			if status != 1 || !strings.Contains(stderr, "keepalivedd: pidfile") || !strings.Contains(stderr, test.stderr) {
				t.Errorf("the pidfile: status %d, %q", status, stderr)
			}
			w.empty()
			// The log loses lines there, never the daemon; but a log that cannot be opened is told.
			w.pidfile = filepath.Join(w.dir, "pid")
			status, stderr = w.run("-g", filepath.Join(disk, "log"))
			switch {
			case test.fill && status == 0:
				w.down(w.daemon())
			case !test.fill && status == 1 && strings.Contains(stderr, "keepalivedd: log file") &&
				strings.Contains(stderr, test.stderr):
				w.empty()
			default:
				t.Errorf("the log: status %d, %q", status, stderr)
			}
		})
	}
}

func mountTmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	var flags uintptr
	if o, ok := strings.CutSuffix(options, ",ro"); ok {
		options, flags = o, unix.MS_RDONLY
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("cannot mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// promise P3, P5: a disk that is full while the pidfile is deleted, until there is room again
func TestDiskFillsUp(t *testing.T) {
	w := newWorld(t, oneProgram)
	disk := mountTmpfs(t, "size=8k,nr_inodes=10")
	w.pidfile = filepath.Join(disk, "pid")
	if status, stderr := w.run("-p", w.pidfile); status != 0 {
		t.Fatalf("status %d, %q", status, stderr)
	}
	p := w.daemon()
	full := filepath.Join(disk, "full")
	if err := os.WriteFile(full, make([]byte, 4096), 0o644); err != nil {
		t.Fatal(err)
	}
	os.Remove(w.pidfile) // its page is not free: the daemon has it open
	w.await(w.log, "the pidfile cannot be put back, trying on.*no space left on device")
	if status, stderr := w.run("-p", w.pidfile); status != 100 {
		t.Errorf("status %d, %q", status, stderr)
	}
	os.Remove(full)
	w.await(w.pidfile, "^"+itoa(p.pid)+"\n$")
	w.down(p)
}

// promise S6: descriptors 0 to 2 may be closed, in any combination
func TestClosedStandardDescriptors(t *testing.T) {
	for _, closed := range []string{"0<&-", "1>&-", "2>&-", "0<&- 1>&-", "1>&- 2>&-", "0<&- 2>&-", "0<&- 1>&- 2>&-"} {
		t.Run(strings.NewReplacer("<&-", "", ">&-", "").Replace(closed), func(t *testing.T) {
			// the name gets into paths, and these into shells
			w := newWorld(t, oneProgram)
			shell := func(args ...string) int {
				c := exec.Command("sh",
					append([]string{"-c", `exec "$0" "$@" ` + closed, w.binary}, w.command(args...).Args[1:]...)...)
				c.Env = w.command().Env
				status, _ := w.finish(c)
				return status
			}
			if status := shell(); status != 0 {
				t.Fatalf("status %d", status)
			}
			p := w.daemon()
			if status := shell(); status != 100 {
				t.Errorf("the second: status %d", status)
			}
			for fd := range 3 {
				if target, err := os.Readlink(filepath.Join("/proc", itoa(p.pid), "fd", itoa(fd))); target != os.DevNull {
					t.Errorf("descriptor %d is %q, %v", fd, target, err)
				}
			}
			w.down(p)
			if status := shell("-g", filepath.Join(w.dir, "none", "log")); status != 1 {
				t.Errorf("a start that fails: status %d", status)
			}
			w.empty()
		})
	}
}

// promise S6: what the caller ignores is heard, its children's ends and the end of a failed start included
func TestIgnoredSignals(t *testing.T) {
	w := newWorld(t, oneProgram)
	ignoring := func(args ...string) (int, string) {
		c := exec.Command("sh",
			append([]string{"-c", `trap '' HUP INT QUIT PIPE TERM CHLD USR1 USR2; exec "$0" "$@"`, w.binary},
				w.command(args...).Args[1:]...)...)
		c.Env = w.command().Env
		return w.finish(c)
	}
	if status, stderr := ignoring("-g", filepath.Join(w.dir, "none", "log")); status != 1 ||
		!strings.HasPrefix(stderr, "keepalivedd: log file") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("a start that fails: status %d, %q", status, stderr)
	}
	w.empty()
	if status, stderr := ignoring(); status != 0 || stderr != "" {
		t.Fatalf("status %d, %q", status, stderr)
	}
	p := w.daemon()
	p.signal(t, unix.SIGHUP)
	w.await(w.log, "INFO reloaded")
	w.await(filepath.Join(w.dir, "up"), "^up$")
	w.down(p)
}
