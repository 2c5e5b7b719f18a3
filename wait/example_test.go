//go:build linux

package wait_test

import (
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/wait"
)

// The end of a process is waited for, and left to whoever is to reap it.
func ExampleEnd() {
	c := exec.Command("true")
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return
	}
	fd, err := unix.PidfdOpen(c.Process.Pid, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(fd)
	fmt.Println(wait.End(fd, time.Minute))
	fmt.Println(c.Wait())
	// Output:
	// true
	// <nil>
}
