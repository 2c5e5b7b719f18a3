package supervise

import (
	"strconv"
	"syscall"
	"time"
)

// hooks are the changes of a program that its hook is still to be told of, one at a time.
type hooks struct {
	waiting []command
	running bool
	timeout time.Duration
}

// changed tells the hook of p that its state is not what it was.
func (l *loop) changed(p *program, was string) {
	h, now := p.spec.Hook, p.public()
	if h == nil || was == now {
		return
	}
	x := p.more()
	if x.hooks == nil {
		x.hooks = &hooks{}
	}
	x.hooks.timeout = h.Timeout
	if x.hooks.timeout == 0 {
		x.hooks.timeout = 10 * time.Second
	}
	c := p.spec.command(h.Command)
	c.env = append(c.env, "PROGRAM="+p.spec.Name, "OLD_STATE="+was, "NEW_STATE="+now, "STATUS="+p.last, "COUNT="+strconv.Itoa(p.starts))
	x.hooks.waiting = append(x.hooks.waiting, c)
	l.nextHook(p.spec.Name, x.hooks)
}

func (l *loop) nextHook(name string, h *hooks) {
	for !h.running && len(h.waiting) > 0 {
		c := h.waiting[0]
		h.waiting = h.waiting[1:]
		_, err := l.begin(c, h.timeout, func(ws syscall.WaitStatus) {
			h.running = false
			if how, _ := words(ws); ws != 0 {
				l.Log.Warn("program "+name+": its on_change hook failed", "how", how)
			}
			l.nextHook(name, h)
		})
		if err != nil {
			l.Log.Warn("program "+name+": its on_change hook failed", "how", err)
			continue
		}
		h.running = true
	}
}
