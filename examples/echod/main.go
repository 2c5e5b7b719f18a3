// Echod answers with what it is told.
package main

import (
	"context"
	"flag"
	"io"
	"net"
	"os"
	"time"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
)

func main() {
	addr := flag.String("listen", ":7", "address to serve")
	pidfile := flag.String("pid", "/run/echod.pid", "pidfile")
	log := flag.String("log", "syslog", "syslog, stderr or the path of a file")
	background := flag.Bool("daemon", false, "run in the background")
	flag.Parse()
	var ln net.Listener
	d := daemon.Daemon{
		Name: "echod", PIDFile: *pidfile, Grace: 5 * time.Second,
		Start: func(_ context.Context, fail context.CancelCauseFunc) (err error) {
			if ln, err = net.Listen("tcp", *addr); err == nil {
				go func() { fail(serve(ln)) }()
			}
			return err
		},
		Stop: func(context.Context) error { return ln.Close() },
	}
	if flag.NArg() > 0 {
		os.Exit(d.Verb(flag.Arg(0))) // status, reload, upgrade or stop
	}
	os.Exit(d.Main(*background, logging.Options{To: *log, Ident: "echod"}.Logger))
}

func serve(ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}
