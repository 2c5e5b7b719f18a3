package supervise

import (
	"time"

	"golang.org/x/sys/unix"
)

// asleep are the programs that were told to stop a moment ago. A stopped process would not see the signal before CONT;
// most have ended by then, and nothing needs to be sent to them.
type asleep struct {
	told []told
	soon alarm
}

type told struct {
	p     *program
	start int // p.starts, of the process that was told
}

// isThere says that the process still is.
func (t told) isThere() bool { return t.p.pid != 0 && t.p.starts == t.start }

// wake has CONT sent to p in a moment, if it is still there.
func (l *loop) wake(p *program) {
	a := &l.asleep
	a.told = append(a.told, told{p, p.starts})
	if a.soon.index == 0 {
		l.wakeSoon()
	}
}

func (l *loop) wakeSoon() {
	a := &l.asleep
	l.alarms.in(20*time.Millisecond, &a.soon, func() {
		for _, t := range a.told {
			if t.isThere() {
				l.signal(t.p, unix.SIGCONT)
			}
		}
		a.told = nil
	})
}
