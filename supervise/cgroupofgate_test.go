package supervise_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// promise G1: what has left the group of a gated program has no more time than the program when the gate is lost
func TestCgroupOfAGate(t *testing.T) {
	dir := cgroup(t)
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: dir})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.apply(w.program("a", `trap "" TERM; `+away("stray", hold)+`trap - TERM; `+announce+hold,
		gatedBy(speaking, supervise.Gate{Timeout: 100 * time.Millisecond}),
		func(p *supervise.Program) { p.StopTimeout = time.Hour }))
	first := w.collect(3)
	unix.Kill(first["gate-of-a"], unix.SIGKILL)
	gone(t, first["a"])
	gone(t, first["stray"])
	w.logged("did not end: killed")
}

// promise G1: nor have they at the stop, whatever time that has: the gate is given up when the program has ended
func TestCgroupOfAGateAtTheStop(t *testing.T) {
	dir := cgroup(t)
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: dir})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.apply(w.program("a", `trap "" TERM; `+away("stray", hold)+`trap - TERM; `+announce+hold,
		gatedBy(speaking, supervise.Gate{Timeout: 100 * time.Millisecond})))
	first := w.collect(3)
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop(time.Hour) }()
	gone(t, first["a"])
	gone(t, first["stray"])
	if t.Failed() {
		unix.Kill(first["stray"], unix.SIGKILL)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	isGone(t, dir)
}

// promise G1: nor does it live on once the gate is given up: while the program is held, or has failed for good
func TestCgroupOfAGateThatIsGivenUp(t *testing.T) {
	dir := cgroup(t)
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: dir})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.apply(w.program("a", away("stray", hold)+announce+hold, gatedBy(speaking, supervise.Gate{Timeout: time.Minute}),
		func(p *supervise.Program) { p.GiveUp = &supervise.GiveUp{Tries: 1, Within: time.Hour} }))
	first := w.collect(3)
	if _, err := w.set.Down(t.Context(), supervise.Request{Names: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	gone(t, first["stray"])
	if _, err := w.set.Up(t.Context(), supervise.Request{Names: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	second := w.collect(3)
	unix.Kill(second["a"], unix.SIGKILL)
	gone(t, second["stray"])
	w.is("a", "failed")
}

// promise T4: but when the program ends otherwise it is asked to end, though the guard leaves
func TestCgroupOfAGateIsAsked(t *testing.T) {
	dir := cgroup(t)
	w := newWorld(t, supervise.Options{Orphans: true, Cgroup: dir, Helper: true})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	slow := `(setsid env -i FIFO="$FIFO" NAME=stray sh -c '` +
		`trap "trap \"\" TERM; sleep 1; echo $NAME-ended 0 >\"$FIFO\"; exit" TERM; ` + announce + polite + `' &); `
	w.apply(w.program("a", slow+announce+hold, gatedBy(speaking, supervise.Gate{Timeout: time.Minute})))
	first := w.collect(3)
	unix.Kill(first["a"], unix.SIGKILL)
	gone(t, first["stray"])
	for name := ""; name != "stray-ended"; name, _ = w.next() {
		if name == "a" {
			t.Fatal("it was killed")
		}
	}
}
