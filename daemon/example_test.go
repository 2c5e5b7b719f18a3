//go:build linux

package daemon_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
)

// A daemon of your own: examples/echod is another, with its tests.
func Example() {
	background := flag.Bool("daemon", false, "run in the background")
	flag.Parse()
	var server http.Server
	d := daemon.Daemon{
		PIDFile: "/run/webd.pid",
		Start: func(_ context.Context, fail context.CancelCauseFunc) error {
			listener, err := net.Listen("tcp", ":8080")
			if err == nil {
				go func() { fail(server.Serve(listener)) }()
			}
			return err
		},
		Stop: server.Shutdown,
	}
	if flag.NArg() > 0 {
		os.Exit(d.Verb(flag.Arg(0))) // status, reload, upgrade or stop
	}
	os.Exit(d.Main(*background, logging.Options{To: "syslog"}.Logger))
}

// A port below 1024, and then no privileges any more. The directory of the pidfile is made, and given to the user.
func ExampleDaemon_user() {
	var listener net.Listener
	d := daemon.Daemon{
		PIDFile: "/run/webd/webd.pid",
		User:    "www-data",
		Privileged: func(context.Context) (err error) {
			listener, err = net.Listen("tcp", ":80")
			return err
		},
		Start: func(_ context.Context, fail context.CancelCauseFunc) error {
			go func() { fail(http.Serve(listener, nil)) }()
			return nil
		},
	}
	os.Exit(d.Main(true, logging.Options{To: "syslog"}.Logger))
}

// What the sockets are that systemd has bound; and else one of one's own.
func ExampleDaemon_Listeners() {
	var d daemon.Daemon
	d.Start = func(context.Context, context.CancelCauseFunc) error {
		all, err := d.Listeners()
		if err == nil && len(all) == 0 {
			all = make([]net.Listener, 1)
			all[0], err = net.Listen("tcp", ":8080")
		}
		if err != nil {
			return err
		}
		go http.Serve(all[0], nil)
		return nil
	}
}

// The status of a daemon, in words and as an exit status.
func ExampleQuery() {
	c, err := daemon.Query("/run/no-such-daemon.pid", 0)
	fmt.Println("webd", c, daemon.LSB(c, err))
	// Output: webd is not running 3
}
