//go:build linux

package pidfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// One at a time: examples/cronlock is a program of this.
func Example() {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("example-%d.pid", os.Getpid()))
	file, err := pidfile.Acquire(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = pidfile.Acquire(path)
	fmt.Println("a second owner is refused:", errors.Is(err, pidfile.ErrHeld))
	fmt.Println("the end:", file.Release())
	st, err := pidfile.Look(path)
	fmt.Println("nobody runs:", st.State == pidfile.Free, err)
	// Output:
	// a second owner is refused: true
	// the end: <nil>
	// nobody runs: true <nil>
}

// Whoever holds a pidfile is found, proven to be that, and signalled: by a pidfd, which reaches it or nobody.
func ExampleFind() {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("example-find-%d.pid", os.Getpid()))
	_, err := pidfile.Find(path)
	fmt.Println("nobody there:", errors.Is(err, pidfile.ErrNotRunning))
	file, err := pidfile.Acquire(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Release()
	p, err := pidfile.Find(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	fmt.Println("it is this process:", p.PID == os.Getpid())
	fmt.Println("it may be told to stop:", p.May(unix.SIGTERM))
	// Output:
	// nobody there: true
	// it is this process: true
	// it may be told to stop: <nil>
}
