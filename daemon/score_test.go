//go:build linux

package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// promise C8: a fork that hangs keeps neither another fork from going on, nor the score from being its own once there
// is a child, nor the daemon from its end
func TestForkThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "score")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd())) // which the end closes
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{}
	d.score = score{file: fd, own: []byte("-900"), started: []byte("0   ")}
	is := func(when, want string) {
		t.Helper()
		if b, _ := os.ReadFile(path); strings.TrimSpace(string(b)) != want {
			t.Errorf("%s: the score is %q, want %s", when, b, want)
		}
	}
	hung := d.Forking()
	is("in a fork", "0")
	d.Fork(func() { is("in two", "0") })
	is("in the first of them", "0")
	hung()
	is("after it", "-900")

	hangs, goOn, over := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		d.Fork(func() { hangs <- true; <-goOn })
		over <- true
	}()
	<-hangs
	d.score.end()
	is("at the end", "0")
	goOn <- true
	<-over
	is("after the end", "0")
}
