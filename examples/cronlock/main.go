// Cronlock runs a command unless the one that it ran before still runs: for jobs of cron that may take longer than
// their period. It needs package pidfile alone.
//
//	*/5 * * * *  root  cronlock /run/sync.pid rsync -a /srv/ backup:/srv/
//
// It leaves with the status of the command, or 100 when that still runs. The lock goes with cronlock, however that
// ends.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) (status int) {
	if len(args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: cronlock PIDFILE COMMAND [ARGUMENT...]")
		return 2
	}
	lock, err := pidfile.Acquire(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "cronlock:", err)
		if errors.Is(err, pidfile.ErrHeld) {
			return 100
		}
		return 1
	}
	defer lock.Release()
	c := exec.Command(args[1], args[2:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cronlock:", err)
		return 1
	}
	return 0
}
