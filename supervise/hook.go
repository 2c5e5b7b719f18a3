package supervise

import (
	"strconv"
	"syscall"
	"time"
)

// hooks tell the hook of a program of its changes, one at a time. What changes meanwhile becomes one change, from the
// state that the hook was told last to the one that is: however long it takes, no more than the latest waits.
type hooks struct {
	running bool
	told    *change // that it runs for
	task    *task   // its process; nil: it has none, as while it is to be tried again
	waiting *change
	wants   int   // how often in a row it could not be started, see hookTries
	again   alarm // when that is tried again; it counts as running until then
}

// hookTries is how often a hook is started in all when it cannot be for want of what comes back,
// within some four minutes.
const hookTries = 10

// change is what a hook is told of.
type change struct {
	spec     *Program
	was, now string
	last     string
	starts   int
	output   []string // the last lines of its process
	skipped  int      // changes that it was not told of by themselves
}

// changed tells the hook of p, and whoever else wants to know, that its state is not what it was.
func (l *loop) changed(p *program, was string) {
	l.tellChanged()
	now := p.public()
	l.tellEvent(p, was, now)
	if p.spec.Hook == nil || was == now {
		return
	}
	x := p.withFeatures()
	if x.hooks == nil {
		x.hooks = &hooks{}
	}
	c := &change{spec: p.spec, was: was, now: now, last: p.last, starts: p.starts, output: l.lastWords(p)}
	if w := x.hooks.waiting; w != nil {
		c.was, c.skipped = w.was, w.skipped+1
	}
	x.hooks.waiting = c
	l.nextHook(x.hooks)
}

func (l *loop) nextHook(h *hooks) {
	c := h.waiting
	if h.running || c == nil {
		return
	}
	h.waiting = nil
	if l.hurried {
		l.Log.Info("program "+c.spec.Name+
			": its on_change hook is not told of the last changes: the time of the stop is over", "changes", c.skipped+1)
		return
	}
	h.running, h.told = true, c
	h.task = l.startTask(c.command(), c.spec.Hook.timeout(), func(ws syscall.WaitStatus) { l.hookReaped(h, ws) },
		func(err error) {
			h.task = nil
			h.wants++
			if !shortage(err) || h.wants >= hookTries || l.stopping != nil {
				l.hookFailed(h, err)
				l.hookEnded(h)
				return
			}
			d := Backoff{Min: time.Second, Max: time.Minute}.delay(h.wants)
			if loud(h.wants) {
				l.hookFailed(h, err, "again in", d)
			}
			if w := h.waiting; w != nil {
				w.was, w.skipped = c.was, w.skipped+c.skipped+1
			} else {
				h.waiting = c
			}
			l.alarms.in(d, &h.again, func() { l.hookAgain(h) })
		})
}

func (l *loop) hookFailed(h *hooks, how any, args ...any) {
	l.Log.Warn("program "+h.told.spec.Name+": its on_change hook failed", append([]any{"how", how}, args...)...)
}

func (l *loop) hookReaped(h *hooks, ws syscall.WaitStatus) {
	if how, _ := words(ws); ws != 0 {
		l.hookFailed(h, how)
	}
	l.hookEnded(h)
}

func (l *loop) hookEnded(h *hooks) {
	h.running, h.told, h.task, h.wants = false, nil, nil, 0
	if w := h.waiting; w != nil && l.stopping != nil {
		h.waiting = nil // nobody is to wait for a second one
		l.Log.Info("program "+w.spec.Name+": its on_change hook is not told of the last changes: the daemon stops", "changes",
			w.skipped+1)
	}
	l.nextHook(h)
}

// hookAgain starts a hook that is to be tried again, if there is one.
func (l *loop) hookAgain(h *hooks) {
	l.alarms.off(&h.again)
	h.running = false
	l.nextHook(h)
}

func (c *change) command() command {
	m := c.spec.command(c.spec.Hook.Command)
	m.env = append(m.env, "PROGRAM="+c.spec.Name, "OLD_STATE="+c.was, "NEW_STATE="+c.now, "STATUS="+c.last,
		"COUNT="+strconv.Itoa(c.starts), "SKIPPED="+strconv.Itoa(c.skipped), "OUTPUT="+readableLines(c.output))
	return m
}

func (h *Hook) timeout() time.Duration {
	if h.Timeout == 0 {
		return 10 * time.Second
	}
	return h.Timeout
}
