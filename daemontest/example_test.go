package daemontest_test

import (
	"context"
	"net"
	"testing"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/daemontest"
)

// A test of a daemon's hooks: it is ready when Run returns, and stopped by the end of the test.
func ExampleRun() {
	_ = func(t *testing.T) { // TestAnswers
		var ln net.Listener
		daemontest.Run(t, &daemon.Daemon{
			Start: func(context.Context, context.CancelCauseFunc) (err error) {
				ln, err = net.Listen("tcp", "127.0.0.1:0")
				return err
			},
			Stop: func(context.Context) error { return ln.Close() },
		})
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}
