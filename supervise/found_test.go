package supervise_test

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"testing"

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
