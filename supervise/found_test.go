package supervise_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// A program whose user or environment cannot be had is not started without: it is tried again, and looked for each
// time. promise S8; issue 7.A5
func TestFoundLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{})
	var looked atomic.Int32
	const absent = "there is no such user yet"
	me := &supervise.User{Name: "me", UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Home: "/", Shell: "/bin/sh"}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		me.Groups = append(me.Groups, uint32(g))
	}
	p := w.program("a", `NAME="$NAME-$USER-$LATER"; `+announce+hold)
	p.User = &supervise.User{Name: "later", UID: 1<<32 - 1, GID: 1<<32 - 1, Find: func() (*supervise.User, error) {
		if looked.Add(1) == 1 {
			return nil, errors.New(absent)
		}
		return me, nil
	}}
	own := p.Environment
	p.Environment = nil
	p.FindEnvironment = func() (map[string]string, error) {
		if looked.Load() == 2 {
			return nil, errors.New("there is no such file yet")
		}
		env := map[string]string{"LATER": "yes"}
		for name, value := range own {
			env[name] = value
		}
		return env, nil
	}
	if err := w.set.Apply(t.Context(), []supervise.Program{p}); err == nil || err.Error() != "program a: "+absent {
		t.Fatalf("got %v", err)
	}
	w.expect("a-me-yes")
	if n := looked.Load(); n != 3 {
		t.Errorf("looked for the user %d times", n)
	}
}

// issue 7.A5: what is missing is told as it is, and no reason found for it that belongs to the executable
func TestFoundMissingFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{})
	missing := &fs.PathError{Op: "open", Path: "/no/such/env", Err: fs.ErrNotExist}
	p := w.program("a", hold)
	p.Environment, p.FindEnvironment = nil, func() (map[string]string, error) { return nil, missing }
	if err := w.set.Apply(t.Context(), []supervise.Program{p}); err == nil ||
		err.Error() != "program a: "+missing.Error() {
		t.Errorf("got %v", err)
	}
}

// promise C6: a disk that hangs, on which there is what a program needs, delays no other program, no answer, no update
// and no stop
func TestFindingThatHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{})
	hangs := func(p *supervise.Program) (asked, disk chan struct{}) {
		asked, disk = make(chan struct{}, 100), make(chan struct{})
		own := p.Environment
		p.Environment, p.FindEnvironment = nil, func() (map[string]string, error) {
			asked <- struct{}{}
			<-disk
			return own, nil
		}
		return asked, disk
	}
	a, b, c := w.program("a", announce+hold), w.program("b", announce+hold), w.program("c", announce+hold)
	asked, disk := hangs(&a)
	applied := make(chan error, 1)
	go func() { applied <- w.set.Apply(t.Context(), []supervise.Program{a, b}) }()
	<-asked
	unix.Kill(w.expect("b"), unix.SIGKILL)
	w.expect("b")
	select {
	case err := <-applied:
		t.Errorf("its start was not tried, and the update is over: %v", err)
	default:
	}
	close(disk)
	w.expect("a")
	if err := <-applied; err != nil {
		t.Error(err)
	}
	asked, disk = hangs(&c)
	defer close(disk)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { applied <- w.set.Apply(ctx, []supervise.Program{b, c}) }()
	<-asked
	cancel()
	<-applied
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
}
