package supervise

import "time"

// Gone is what [Event.To] says of a program that an Update has removed, when it has come down.
const Gone = "gone"

// Event is a change of a program's state. The From of one is the To of the one before it, of the same program, but for
// one that was not there before: that comes from down. From and To are alike when the program has got a process that is
// not ready yet.
type Event struct {
	Program  string
	From, To string // as [Status.State] has them, and [Gone]
	Time     time.Time
	PID      int    // 0: it has no process
	Starts   int    // as in [Status], as are the following
	Failures int    //
	Last     string //

	l *loop
	p *program
}

// Why says what the program waits for, or why it failed, as [Status.Why] does.
// It may be called until Options.Event returns.
func (e Event) Why() string {
	switch {
	case e.p == nil: // nobody's
		return ""
	case e.p.state == lingering: // which it is about to begin
		return e.p.why
	}
	return e.l.because(e.p)
}

// tellEvent costs nothing where nobody listens.
func (l *loop) tellEvent(p *program, was, now string) {
	if l.Event == nil || was == now && !(p.state == starting && (p.spec.OneShot || p.spec.Ready.tells())) {
		return
	}
	l.Event(Event{Program: p.spec.Name, From: was, To: now, Time: time.Now(), PID: p.pid,
		Starts: p.starts, Failures: p.failures, Last: p.last, l: l, p: p})
}
