//go:build linux

// Package fdtest makes descriptors for tests: pseudo-terminals, and a pipe that is full.
package fdtest

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// PTY returns the two ends of a pseudo-terminal, which is nobody's controlling terminal yet. The name of the slave is
// its path. The caller closes both; to close the master hangs up. Where there are none the test is skipped.
func PTY(t testing.TB) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// FullPipe returns the end of a pipe that nobody reads, and that takes nothing any more: who writes to it waits for the
// end of the test.
func FullPipe(t testing.TB) *os.File {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := unix.Write(p[1], make([]byte, 4096)); err != nil {
			break
		}
	}
	unix.SetNonblock(p[1], false)
	f := os.NewFile(uintptr(p[1]), "pipe")
	t.Cleanup(func() { f.Close(); unix.Close(p[0]) })
	return f
}
