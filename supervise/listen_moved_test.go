package supervise_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// promise K1: what is listened on for a program stays when that is renamed, and when two change places: who waits is
// answered, nobody is refused, and the address is not in the way of its next user. What nobody wants any more is
// closed.
func TestListenForAnotherName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	a := supervise.Socket{Address: "tcp:" + loopback()}
	b := supervise.Socket{Address: "unix:" + filepath.Join(t.TempDir(), "s")}
	apply := func(programs ...supervise.Program) map[string]string {
		t.Helper()
		if c := update(t, w, programs...); len(c.Failed) > 0 {
			t.Fatal(c)
		}
		inodes := map[string]string{}
		for range programs {
			name, pid := w.next()
			inodes[name] = inodeOf(t, pid, 3)
		}
		return inodes
	}
	was := apply(w.listening("old", a), w.listening("other", b))
	for _, st := range w.set.Status() {
		if st.Name == "old" {
			unix.Kill(st.PID, unix.SIGSTOP)
		}
	}
	waits, err := dial(a.Address)
	if err != nil {
		t.Fatal(err)
	}
	is := apply(w.listening("new", a), w.listening("also", b))
	if is["new/new"] != was["old/old"] || is["also/also"] != was["other/other"] {
		t.Errorf("the sockets were %v, and are %v", was, is)
	}
	finish(t, waits)
	swapped := apply(w.listening("new", b), w.listening("also", a))
	if swapped["new/new"] != is["also/also"] || swapped["also/also"] != is["new/new"] {
		t.Errorf("the sockets were %v, and are %v", is, swapped)
	}

	blocked := w.listening("blocked", a)
	blocked.Order = &supervise.Order{Requires: []string{"nobody"}}
	w.apply(blocked)
	refused(t, b.Address)
	c, err := dial(a.Address)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	w.apply()
	refused(t, a.Address)
}

// promise K1: a program that an Update no longer holds takes over the socket of one that goes: nobody is refused
// meanwhile
func TestListenGoesToWhoIsLifted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	s := supervise.Socket{Address: "tcp:" + loopback()}
	web, spare := w.listening("web", s), w.listening("spare")
	spare.Held = true
	w.apply(web, spare)
	first := inodeOf(t, w.expect("web/web"), 3)
	spare = w.listening("spare", s)
	if c := update(t, w, spare); c.String() != "~spare -web" {
		t.Error(c)
	}
	if now := inodeOf(t, w.expect("spare/spare"), 3); now != first {
		t.Errorf("the socket is %s, and was %s", now, first)
	}
}
