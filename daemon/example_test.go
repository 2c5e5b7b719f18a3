package daemon_test

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/keepalivedd/keepalivedd/daemon"
)

// A daemon of your own: echod answers with what it is told.
func Example() {
	addr := flag.String("listen", ":7", "address to serve")
	pidfile := flag.String("pid", "/run/echod.pid", "pidfile")
	background := flag.Bool("daemon", false, "run in the background")
	flag.Parse()
	var ln net.Listener
	d := daemon.Daemon{
		Name: "echod", PIDFile: *pidfile, Grace: 5 * time.Second,
		Start: func(ctx context.Context, fail context.CancelCauseFunc) (err error) {
			if ln, err = net.Listen("tcp", *addr); err == nil {
				go func() { fail(echo(ln)) }()
			}
			return err
		},
		Stop: func(context.Context) error { return ln.Close() },
	}
	if *background {
		if status, launched := d.Detach(); launched {
			os.Exit(status) // the background copy serves (0), or has said why not
		}
	}
	if err := d.Run(context.Background()); err != nil {
		slog.Error("echod", "err", err)
		os.Exit(daemon.ExitStatus(err))
	}
}

func echo(ln net.Listener) error {
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
