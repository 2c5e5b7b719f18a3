//go:build linux

package pidfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
