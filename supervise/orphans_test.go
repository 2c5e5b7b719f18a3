package supervise_test

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// aside is away with the environment as it is.
func aside(name, then string) string {
	return strings.Replace(away(name, then), "env -i", "env", 1)
}

// promise T4, issue 8.5: without cgroups, what has left its program's group with its environment ends before the next
// start, and with the removal; what another program has left is not touched
func TestOrphansAreSwept(t *testing.T) {
	w := newWorld(t, supervise.Options{Orphans: true, Mark: "SUPERVISE_TEST=orphans"})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	p := w.program("web:1/%", aside("stray", polite)+announce+hold)
	other := w.program("other", aside("others", hold)+announce+hold)
	cleared := w.program("cleared", away("untold", hold)+announce+hold)
	w.apply(p, other, cleared)
	first := w.collect(6)
	unix.Kill(first["web:1/%"], unix.SIGKILL)
	w.expect("stray-ended") // before anybody else says anything
	second := w.collect(2)
	gone(t, first["stray"])
	unix.Kill(first["cleared"], unix.SIGKILL)
	third := w.collect(2)
	lives(t, "what nothing is known of", first["untold"])
	p.Environment = map[string]string{"FIFO": w.fifo, "NAME": "changed"}
	w.apply(p, other, cleared) // a restart
	w.expect("stray-ended")
	fourth := w.collect(2)
	gone(t, second["stray"])
	w.apply(other, cleared)
	w.expect("stray-ended")
	gone(t, fourth["stray"])
	lives(t, "others", first["others"])
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	for _, pid := range []int{first["others"], first["untold"], third["untold"]} {
		gone(t, pid)
	}
}

// promise T4, issue 8.5: a program that makes a daemon of itself leaves one, and not one more at each restart
func TestDaemonizesItself(t *testing.T) {
	w := newWorld(t, supervise.Options{Orphans: true, Mark: "SUPERVISE_TEST=daemonizes"})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	if err := unix.Mkfifo(w.fifo+".go", 0o600); err != nil {
		t.Fatal(err)
	}
	w.apply(w.program("a", aside("daemon", polite)+`read x <"$FIFO.go"`, func(p *supervise.Program) {
		p.Backoff = &supervise.Backoff{Min: time.Millisecond, Max: time.Millisecond}
	}))
	for range 4 {
		pid := w.expect("daemon")
		os.WriteFile(w.fifo+".go", []byte("\n"), 0) // once it reads
		w.expect("daemon-ended")
		gone(t, pid)
	}
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
}

// promise T4: KILL comes when the rest of the budget is over; what a program with KillProcess has left lives on, and so
// does whoever asks
func TestOrphansAreKilled(t *testing.T) {
	var asker atomic.Int64
	w := newWorld(t, supervise.Options{Orphans: true, Mark: "SUPERVISE_TEST=killed",
		Spare: func() []int { return []int{int(asker.Load())} }})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	p := w.program("a", `trap "" TERM; `+aside("stray", hold)+`trap - TERM; `+aside("asker", hold)+announce+hold)
	p.StopTimeout = time.Second
	keeps := w.program("keeps", aside("session", hold)+announce+hold,
		func(p *supervise.Program) { p.Kill = supervise.KillProcess })
	w.apply(p, keeps)
	first := w.collect(5)
	asker.Store(int64(first["asker"]))
	unix.Kill(first["keeps"], unix.SIGKILL)
	second := w.collect(2)
	w.apply(keeps)
	w.logged("did not end: killed")
	gone(t, first["stray"])
	lives(t, "asker", first["asker"])
	lives(t, "session", first["session"])
	asker.Store(0)
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	for _, session := range []int{first["session"], second["session"]} {
		lives(t, "session", session)
		unix.Kill(session, unix.SIGKILL)
	}
}
