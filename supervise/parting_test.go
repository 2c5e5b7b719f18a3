package supervise_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

const partingWords = 9 // fewer than a socket holds unread

// part says what there is to say by sd_notify(3), and ends at once.
func part() int {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(s, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")})
	}
	for i := 1; i < partingWords && err == nil; i++ {
		_, err = unix.Write(s, fmt.Appendf(nil, "STATUS=%d", i))
	}
	if err == nil {
		_, err = unix.Write(s, []byte("READY=1\nSTATUS=all is said"))
	}
	if err != nil {
		return 1
	}
	return 0
}

// promise C7: what a process has said before its end is heard before its end is told, whoever was about to read it
func TestPartingWords(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var programs []supervise.Program
	for i := range 30 {
		programs = append(programs, supervise.Program{Name: fmt.Sprint("p", i), Command: []string{exe},
			Restart: supervise.Never, Ready: &supervise.Ready{Notify: true, Timeout: time.Hour},
			Environment: map[string]string{"SUPERVISE_ROLE": "parting"}})
	}
	w.apply(programs...)
	for _, p := range programs {
		w.is(p.Name, "done")
	}
	for _, s := range w.set.Status() {
		if s.Text != "all is said" {
			t.Errorf("%s: the last that was heard is %q", s.Name, s.Text)
		}
	}
}
