package supervise

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Exits is how the processes of a program have ended, by number.
type Exits struct {
	Stopped   int `json:"stopped"`   // they were told to
	Succeeded int `json:"succeeded"` // by themselves, with status 0
	Failed    int `json:"failed"`    // by themselves, with another
	Signalled int `json:"signalled"` // by a signal that was not ours
	Unhealthy int `json:"unhealthy"` // stopped for what they did not do: get ready, pass the check, keep the gate
}

// Sum is all of them.
func (e Exits) Sum() int { return e.Stopped + e.Succeeded + e.Failed + e.Signalled + e.Unhealthy }

// CheckStatus is how the check of a program goes.
type CheckStatus struct {
	Failures int `json:"failures"` // so far, of all its processes
	InARow   int `json:"in_a_row"` // now
}

// GateStatus is what the gate of a program says.
type GateStatus struct {
	Open bool `json:"open"` // the program may run
}

// exits is Exits, small: there may be thousands.
type exits struct{ stopped, succeeded, failed, signalled, unhealthy uint32 }

func (e *exits) count(p *program, ws syscall.WaitStatus) {
	switch {
	case p.state.leaving() && p.why != "":
		e.unhealthy++
	case p.state.leaving():
		e.stopped++
	case ws.Signaled():
		e.signalled++
	case ws == 0:
		e.succeeded++
	default:
		e.failed++
	}
}

// tellChanged has those know who want to.
func (l *loop) tellChanged() {
	if l.Changed != nil {
		l.Changed()
	}
}

// tell completes the status of p, on a machine that was started then.
func (l *loop) tell(p *program, boot time.Time, st *Status) {
	e := p.exits
	st.Exits = Exits{int(e.stopped), int(e.succeeded), int(e.failed), int(e.signalled), int(e.unhealthy)}
	if st.Exits.Sum() > 0 {
		code := p.status
		st.ExitCode = &code
	}
	if p.pid != 0 {
		st.Started = boot.Add(p.begun)
	}
	if p.spec.Check != nil {
		st.Check = &CheckStatus{}
		if p.features != nil {
			*st.Check = CheckStatus{p.watch.failed, p.watch.failures}
		}
	}
	if p.spec.Gate != nil {
		st.Gate = &GateStatus{p.features != nil && p.gate != nil && p.gate.open}
	}
	st.Ready = p.state == up || p.state == down && p.outcome == succeeded
	st.Program = p.spec
	st.sight.begun, st.sight.spent, st.sight.found = p.begun, p.spent, &p.found
	if p.starts > 0 {
		st.sight.cgroup = l.cgroup(p.spec)
	}
	if p.held() {
		st.Held = p.hold
	}
	st.Removed = l.removed(p)
	st.Listen = l.listening(p)
	st.Why = l.because(p)
	l.output(p, st)
}

// bootTime is when the machine was started, by the clock as it is set now. It stays what it is until that has been set:
// what is reckoned from it does not tremble.
func (l *loop) bootTime() time.Time {
	at := time.Now().Round(0).Add(-l.kernel.sinceBoot())
	if at.Sub(l.booted).Abs() > time.Second {
		l.booted = at
	}
	return l.booted
}

// because says what p waits for, or why it has failed.
func (l *loop) because(p *program) string {
	switch p.state {
	case held:
		if p.held() { // not while it is removed
			return p.hold.String()
		}
	case down, backoff:
		return p.fault
	case blocked:
		return l.blockedBy(p)
	case queued:
		if p.fault != "" {
			return p.fault // it is tried again
		}
		return "waits for its turn to be started"
	case starting:
		return p.unready()
	case up:
		if c := p.spec.Check; c != nil && p.features != nil && p.watch.failures > 0 {
			return fmt.Sprintf("its check has failed %d of %d times", p.watch.failures, max(1, c.Failures))
		}
	case lingering:
		return "waits for the end of those that come after it: " + some(l.survivors(p))
	case stopping, killing:
		sig := p.spec.stopSignal()
		if p.state == killing {
			sig = unix.SIGKILL
		}
		how := "was sent " + signalName(sig)
		if p.why != "" {
			how = p.why + "; " + how
		}
		if l.removed(p) {
			how = "removed; " + how
		}
		return how
	}
	return ""
}

// removed tells of a program that an Update has left out. At the end of all nobody is.
func (l *loop) removed(p *program) bool { return p.wanted == nil && l.stopping == nil }

// survivors are the programs that p has to wait for before it may stop.
func (l *loop) survivors(p *program) (names []string) {
	for _, d := range l.after[p.spec.Name][p.passed:] {
		if d.isChanging() && d.state.running() && d.stop <= p.stop && d.spec == d.program.spec {
			names = append(names, d.spec.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unready says what is missing to p being ready.
func (p *program) unready() string {
	switch r := p.spec.Ready; {
	case p.spec.OneShot:
		return "" // it does its work
	case r != nil && r.FD > 0:
		return "waits for a " + r.sign()
	case r != nil && r.Notify:
		return "waits for its " + r.sign()
	case r != nil && r.After > 0:
		return fmt.Sprintf("has to live for %v", r.After)
	}
	return ""
}

// sign is what a program tells by that it is ready.
func (r *Ready) sign() string {
	if r.FD > 0 {
		return fmt.Sprintf("newline on its descriptor %d", r.FD)
	}
	return "READY=1"
}

// lacks are the programs that p waits for, those last that will not come by themselves.
func (l *loop) lacks(p *program) (waits, failed []string) {
	if o := p.wanted.Order; o != nil {
		for _, name := range o.After {
			if !l.allows(name) {
				waits = append(waits, name)
			}
		}
		for _, name := range o.Requires {
			switch q := l.programs[name]; {
			case l.satisfies(name) || slices.Contains(waits, name):
			case q == nil:
				failed = append(failed, name+", which there is not")
			case q.held():
				failed = append(failed, name+", which is held")
			case q.state == down && q.outcome == gaveUp && !q.isChanging():
				failed = append(failed, name+", which has failed")
			default:
				waits = append(waits, name)
			}
		}
	}
	return waits, failed
}

// blockedBy says what is in the way of p.
func (l *loop) blockedBy(p *program) string {
	if p.wanted == nil {
		return ""
	}
	waits, failed := l.lacks(p)
	waits = append(waits, failed...)
	var gate *gate
	if p.features != nil {
		gate = p.gate
	}
	switch {
	case len(waits) > 0:
		return "waits for " + some(waits)
	case gate != nil && gate.given && gate.lost == "":
		return fmt.Sprintf("its gate is open; waits until gate_delay, %v, is over", gate.spec.Delay)
	case l.gates[p.spec.Name] != nil && gate == nil && p.wanted.Gate != nil:
		return "waits for the end of the gate that was given up"
	case p.wanted.Gate != nil:
		return "waits for its gate"
	}
	return ""
}

// some names a few, and counts the others.
func some(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
