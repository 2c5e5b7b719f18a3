package supervise

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise O1: a hold ends with its program: whoever comes in its place under its name is started, though the one that
// was held is still on its way out.
func TestHoldGoesWithItsProgram(t *testing.T) {
	a := []Program{{Name: "a", Command: []string{"/main", "a"}}}
	_, wrong, trace := liveWith(t, fates{"main a": {life: -1, onTerm: 5 * time.Second}}, 1,
		[]operation{{what: "update", next: a}, {what: "down", after: time.Second, names: []string{"a"}},
			{what: "update", after: time.Second}, {what: "update", after: time.Second, next: a}, {what: "calm"},
			{what: "stop", after: time.Hour}}, true)
	if text := strings.Join(trace, "\n"); len(wrong) > 0 || strings.Count(text, "  launch main a#") != 2 {
		t.Errorf("%v\n%s", wrong, text)
	}
}

// promise T1: no hook is started when the time of a stop is over.
func TestNoHookInAHurry(t *testing.T) {
	a := Program{Name: "a", Command: []string{"/main", "a"}, Hook: &Hook{Command: []string{"/hook", "a"}}}
	_, wrong, trace := liveWith(t, fates{"main a": {life: -1, onTerm: -1}}, 1,
		[]operation{{what: "update", next: []Program{a}}, {what: "stop", after: time.Minute, limit: time.Second}}, true)
	text := strings.Join(trace, "\n")
	_, hurried, killed := strings.Cut(text, "gets SIGKILL")
	if len(wrong) > 0 || !killed || strings.Contains(hurried, "launch hook") ||
		!strings.Contains(hurried, "is not told of the last changes") {
		t.Errorf("%v\n%s", wrong, text)
	}
}

// noting is a kernel that only notes who is killed.
type noting struct {
	*linux
	killed map[int]unix.Signal
}

func (k *noting) kill(pid int, sig unix.Signal) error {
	k.killed[pid] = sig
	return nil
}

// promise C6: what was given up, and has become its executable at that very moment, is killed, and has failed.
func TestGivenUpRunsAllTheSame(t *testing.T) {
	k := &noting{&linux{}, map[int]unix.Signal{}}
	l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, k)
	var pid int
	err := errors.New("nothing was said")
	l.flight = &launch{command: command{argv: []string{"/main"}}, close: func() {}, late: true, began: -10 * time.Second,
		then: func(n int, e error) { pid, err = n, e }}
	l.landed(launched{pid: 4242})
	if k.killed[4242] != unix.SIGKILL || pid != 0 || err == nil ||
		!strings.Contains(err.Error(), "not executed after 10s") {
		t.Errorf("killed %v; pid %d, %v", k.killed, pid, err)
	}
	if l.tasks[4242] == nil {
		t.Error("it will not be reaped")
	}
}

// What is left at the end of a stop is told as it is: a process that has ended has no number any more.
func TestWhatKillHasNotEnded(t *testing.T) {
	l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, &linux{})
	l.programs["a"] = &program{spec: &Program{Name: "a"}, state: killing}
	l.programs["b"] = &program{spec: &Program{Name: "b"}, state: killing, pid: 4242}
	const want = "even KILL has not ended program a (what is left of its group), b (pid 4242)"
	if err := l.leftBehind(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
