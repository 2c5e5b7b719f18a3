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
