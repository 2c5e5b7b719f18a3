package supervise

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// permission is what a gate has given. It knows nothing of processes, and is told the time: that since the boot, which
// goes on while the machine sleeps. The loop has one, and the guard of the gate another,
// for one of them may be stopped.
type permission struct {
	renew   time.Duration // the longest silence; 0: any
	slack   time.Duration // on top of it, for who does not hear the gate itself
	timeout time.Duration // from the loss to KILL
	given   bool          // by the first line
	heard   time.Duration // when the last line came
	lost    string        // why; empty: it is not
	since   time.Duration // when it was lost
}

// look takes note of a silence that has been too long. It comes before anything else that happens at the same time:
// what the gate has said meanwhile comes too late.
func (p *permission) look(now time.Duration) {
	if p.given && p.lost == "" && p.renew > 0 && now-p.heard > p.renew+p.slack {
		p.lost, p.since = fmt.Sprintf("it has been silent for more than %v", p.renew), p.heard+p.renew+p.slack
	}
}

// line is for a line of the gate.
func (p *permission) line(now time.Duration) {
	if p.look(now); p.lost == "" {
		p.given, p.heard = true, now
	}
}

// end takes the permission back.
func (p *permission) end(now time.Duration, why string) {
	if p.look(now); p.lost == "" {
		p.lost, p.since = why, now
	}
}

// left is the time until there is something to be done: until the silence is too long, or, once the permission is lost,
// until the program is to be killed. It is never negative; ok is false when there is nothing to wait for.
func (p *permission) left(now time.Duration) (d time.Duration, ok bool) {
	switch {
	case p.lost != "":
		return max(0, p.since+p.timeout-now), true
	case p.given && p.renew > 0:
		return max(0, p.heard+p.renew+p.slack-now) + 1, true
	}
	return 0, false
}

// sinceBoot is the time since the machine has started, that which it has slept included.
func sinceBoot() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return time.Duration(t.Nano())
}
