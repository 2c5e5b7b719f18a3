package supervise

import (
	"slices"
	"strings"
	"time"
)

// An Outcome is what has become of what was asked of a program.
type Outcome struct {
	Name   string `json:"name"`
	Done   bool   `json:"done"`             // it is so
	Failed bool   `json:"failed,omitempty"` // it will not be, or not at the first try; without both: not yet
	State  string `json:"state"`            // as in [Status]
	PID    int    `json:"pid,omitempty"`
	Held   bool   `json:"held,omitempty"` // it was to be up, and somebody has taken it down
	Why    string `json:"why,omitempty"`  // it is not done, in words; or it is, and not as it was asked for
	// Output is the last that the process has written which has failed, a few lines,
	// as it was written but for their length.
	Output string `json:"output,omitempty"`
}

// answer tells those who wait for what becomes of p, when that is known.
func (l *loop) answer(p *program) {
	if p.features == nil || len(p.asking) == 0 || p.pid != 0 && l.byPID[p.pid] != p { // its end is about to be told
		return
	}
	for _, a := range slices.Clone(p.asking) {
		if o, known := l.outcome(a); known {
			l.resolve(a, o)
		}
	}
}

func (l *loop) resolve(a *wish, o Outcome) {
	if a.over {
		return
	}
	a.over = true
	l.alarms.off(&a.life)
	if a.p.features != nil {
		a.p.asking = slices.DeleteFunc(a.p.asking, func(b *wish) bool { return a == b })
	}
	a.of.outcomes[a.at] = o
	if a.of.left--; a.of.left > 0 {
		return
	}
	for _, b := range a.of.asked { // it may not be so any more
		was := &a.of.outcomes[b.at]
		if o, _ := l.outcome(b); was.Done && !o.Done {
			if o.Failed = !o.Held; o.Why == "" {
				o.Why = l.because(b.p)
			}
			*was = o
		}
		l.alarms.off(&b.life)
	}
	a.of.reply <- operated{outcomes: a.of.outcomes}
}

// answerLate answers with how the programs are now.
func (l *loop) answerLate(r *operating) {
	for _, a := range r.asked {
		o, known := l.outcome(a)
		if !known {
			o.Why = l.because(a.p)
		}
		l.resolve(a, o)
	}
}

const notInConfiguration = "it is not in the configuration any more"

// outcome is what has become of p, when that is known.
func (l *loop) outcome(a *wish) (o Outcome, known bool) {
	p := a.p
	o = Outcome{Name: p.spec.Name, State: p.public(), PID: p.pid}
	failed := func(why string) (Outcome, bool) {
		o.Failed, o.Why = true, why
		return o, true
	}
	switch a.of.what {
	case poke:
		o.Done = table[p.state][poke].do == pass && p.pid != 0
		if !o.Done {
			o.Why = "it has no process"
		}
		return o, true
	case hold:
		switch {
		case p.state == held:
			o.Done = true
			return o, true
		case p.state == down && p.wanted == nil:
			o.Done, o.Why = true, notInConfiguration // and so it is not held either
			if l.stopping != nil {
				o.Why = errStopped.Error()
			}
			return o, true
		case p.wanted != nil && !p.held():
			return failed("it was asked for again meanwhile")
		}
		return o, false
	}
	switch {
	case l.stopping != nil:
		return failed(errStopped.Error())
	case p.wanted == nil:
		return failed(notInConfiguration)
	case p.held():
		o.Held, o.Why = true, p.hold.String()
		return o, true
	case p.isChanging():
	case p.state == up && p.pid != 0:
		if left := aliveFor - (time.Since(l.epoch) - p.born); !p.spec.Ready.tells() && left > 0 {
			l.alarms.in(left, &a.life, func() { l.reap(); l.answer(p) })
			return o, false
		}
		o.Done = true
		return o, true
	case p.state == down && p.outcome == succeeded:
		o.Done = true
		return o, true
	case p.state == down && p.outcome == gaveUp, p.state == backoff:
		o.Output = strings.Join(l.lastWords(p), "\n")
		return failed(p.fault)
	case p.state == blocked:
		if _, hopeless := l.lacks(p); len(hopeless) > 0 {
			o.Why = l.blockedBy(p)
			return o, true
		}
	}
	return o, false
}
