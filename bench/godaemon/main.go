// Godaemon is the daemon that bench measures from, by github.com/sevlyar/go-daemon alone: its one argument is a
// pidfile, TERM ends it. It does not wait until the copy is ready.
package main

import (
	"os"
	"syscall"

	"github.com/sevlyar/go-daemon"
)

func main() { os.Exit(run(os.Args[1])) }

func run(pidfile string) int {
	daemon.SetSigHandler(func(os.Signal) error { return daemon.ErrStop }, syscall.SIGTERM)
	c := &daemon.Context{PidFileName: pidfile, PidFilePerm: 0o644, WorkDir: "/", Umask: 0o22}
	child, err := c.Reborn()
	if err != nil {
		return 1
	} else if child != nil {
		return 0
	}
	defer c.Release()
	daemon.ServeSignals()
	return 0
}
