//go:build linux

package pidfile_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/cut/hostage"
)

// promise T1: anybody can connect to the witness and send what is as long in closing as whoever sends it likes. The
// owner does not wait for that at its end, whether it has hung up on him already or not
func TestReleaseWithWhatStrangersHaveSent(t *testing.T) {
	for _, watched := range []bool{true, false} {
		p := path(t)
		owner := start(t, p)
		owner.must("acquire")
		if watched {
			owner.must("watch")
		}
		owner.pause()
		to, err := witnessAt(p)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(s)
			fd := hostage.Take(t)
			if err = unix.Connect(s, to); err == nil {
				err = unix.Sendmsg(s, []byte("x"), unix.UnixRights(fd), nil, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(fd) // it is in the queue
		}
		unix.Kill(owner.pid(), unix.SIGCONT)
		defer time.AfterFunc(time.Minute, owner.kill).Stop()
		owner.must("release")
		acquire(t, p) // its name is free
	}
}
