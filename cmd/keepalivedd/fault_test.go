package main

import (
	"regexp"
	"testing"
)

// promise S2, P5: what goes wrong is told, and nothing is left; what can be done without is done without
func TestFaults(t *testing.T) {
	needStrace(t)
	const fine = ""
	for _, test := range []struct {
		fault
		status int
		stderr string // a pattern
		log    string
	}{
		{fault{launcher, "ftruncate", "error=EIO", ""}, 1, `^keepalivedd: pidfile .*/pid: truncate: input/output error$`, ""},
		{fault{launcher, "fchmod", "error=EIO", ""}, 1, `^keepalivedd: pidfile .*/pid: chmod: input/output error$`, ""},
		{fault{launcher, "fcntl", "error=ENOLCK:when=1", "PIDFILE"}, 1,
			`^keepalivedd: pidfile .*/pid: lock: no locks available$`, ""},
		{fault{launcher, "fcntl", "error=EMFILE:when=2", "PIDFILE"}, 1,
			`^keepalivedd: pidfile .*/pid: .*too many open files$`, ""},
		{fault{launcher, "openat", "error=ENOSPC", "PIDFILE"}, 1,
			`^keepalivedd: pidfile open .*/pid: no space left on device$`, ""},
		{fault{launcher, "openat", "error=EIO", "CONF"}, 6,
			`^keepalivedd: .*/conf.toml: cannot read the configuration: input/output error$`, ""},
		{fault{launcher, "socket", "error=EPERM", ""}, 0, fine, ""},
		{fault{launcher, "bind", "error=EPERM", ""}, 0, `no second witness`, ""},
		{fault{launcher, "pipe2", "error=EMFILE", ""}, 1, `^keepalivedd: detach: .*too many open files$`, ""},
		{fault{launcher, "pidfd_open", "error=ENOSYS", ""}, 0, fine, ""},
		{fault{launcher, "execve", "error=ENOEXEC:when=1", ""}, 1, `^keepalivedd: detach: .*exec format error$`, ""},
		{fault{background, "pwrite64", "error=ENOSPC", "PIDFILE"}, 1,
			`^keepalivedd: pidfile .*/pid: write: no space left on device$`, ""},
		{fault{background, "pwrite64", "retval=1", "PIDFILE"}, 1,
			`^keepalivedd: pidfile .*/pid: write: no space left on device$`, ""},
		{fault{background, "openat", "error=EACCES", "LOG"}, 4, `^keepalivedd: log file .*/log: permission denied$`, ""},
		{fault{background, "openat", "error=ENOSPC", "LOG"}, 1, `^keepalivedd: log file .*/log: no space left on device$`,
			""},
		{fault{background, "write", "error=ENOSPC", "LOG"}, 0, fine, ""},
		{fault{background, "inotify_init1", "error=EMFILE", ""}, 0, fine,
			`the pidfile cannot be watched, trying on.*too many open files`},
		{fault{background, "inotify_add_watch", "error=ENOSPC", ""}, 0, fine,
			`the pidfile cannot be watched, trying on.*no space left on device.*max_user_watches`},
		{fault{background, "listen", "error=EACCES", ""}, 0, fine, ""},
		{fault{background, "close_range", "error=ENOSYS", ""}, 0, fine, ""},
		{fault{background, "epoll_create1", "error=EMFILE", ""}, 2, `epollcreate failed`, ""},
		{fault{background, "chdir", "error=EACCES", ""}, 4, `^keepalivedd: change to /: permission denied$`, ""},
		{fault{background, "execve", "error=ENOMEM:when=1", ""}, 0,
			`^keepalivedd: program one: /bin/sh: cannot allocate memory; the program is tried again`,
			`program one: cannot be started`},
		{fault{background, "setsid", "error=EPERM", ""}, 0,
			`^keepalivedd: program one: /bin/sh: operation not permitted; the program is tried again`,
			`program one: cannot be started`},
	} {
		t.Run(test.fault.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, oneProgram)
			test.path = map[string]string{"": "", "PIDFILE": w.pidfile, "CONF": w.conf, "LOG": w.log}[test.path]
			status, stderr := w.runWith(test.fault)
			for tries := 0; status == 0 && test.status != 0 && tries < 50; tries++ {
				// strace counts the calls of each thread by itself, and the second may be another's.
				w.down(w.daemon())
				status, stderr = w.runWith(test.fault)
			}
			if status != test.status || (test.stderr == "") != (stderr == "") ||
				!regexp.MustCompile("(?m)"+test.stderr).MatchString(stderr) {
				t.Errorf("status %d, %q; want %d and %q", status, stderr, test.status, test.stderr)
			}
			if test.log != "" {
				w.await(w.log, test.log)
			}
			if status == 0 {
				w.down(w.daemon())
			}
			w.empty()
			w.down(w.up())
		})
	}
}
