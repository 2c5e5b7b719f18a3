package supervise

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// promise Q1: an end is told by whatever signal it was, of real-time too, which have no names
func TestWordsOfAnEnd(t *testing.T) {
	for ws, want := range map[syscall.WaitStatus]string{
		0:                                       "exited with status 0",
		7 << 8:                                  "exited with status 7",
		syscall.WaitStatus(unix.SIGTERM):        "killed by SIGTERM",
		syscall.WaitStatus(unix.SIGSEGV) | 0x80: "killed by SIGSEGV, core dumped",
		64:                                      "killed by signal 64",
		34 | 0x80:                               "killed by signal 34, core dumped",
	} {
		if got, _ := words(ws); got != want {
			t.Errorf("%#x: %q, want %q", int(ws), got, want)
		}
	}
}

// promise Q1: why a program cannot be started is told once, and in words that help
func TestWordsOfALaunchThatFails(t *testing.T) {
	p := &Program{Name: "a", Command: []string{"/bin/true"}, User: &User{Name: "nobody", UID: 65534, GID: 65534}}
	told := "user: nobody: only root can run programs as another user"
	for want, err := range map[string]error{
		told: &refusal{told, unix.EPERM},
		"exec format error: it is neither a program of this machine nor a script with a #! line": unix.ENOEXEC,
		"argument list too long": unix.E2BIG,
	} {
		if got := p.explain(err).Error(); got != want {
			t.Errorf("%v is explained as %q, want %q", err, got, want)
		}
	}
}
