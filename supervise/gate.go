package supervise

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// gate is the process that gives a program the permission to run, while the program has it or waits for it. There is
// one for each process of the program.
type gate struct {
	permission
	spec   *Gate // that it was started with
	task   *task // nil: it has ended
	socket int   // to its guard; -1: it has none
	open   bool  // the program may be started
	token  string
	known  bool // that it is lost

	delay, silence, deadline alarm
}

// gatePatience is how long a gate may take to end when it is not wanted any more.
const gatePatience = 5 * time.Second

// gateIsOpen reports whether p may run; where it needs a gate for that and has none, one is started.
func (l *loop) gateIsOpen(p *program) bool {
	spec := p.wanted.Gate
	if spec == nil {
		return true
	}
	if g := p.withFeatures().gate; g != nil {
		return g.open
	}
	if l.gates[p.spec.Name] != nil {
		return false // what it holds may be what the next one asks for
	}
	g := &gate{spec: spec, socket: -1,
		permission: permission{renew: spec.Renew, slack: spec.Renew / 8, timeout: spec.Timeout}}
	p.gate = g
	c := p.wanted.command(spec.Command)
	done, err := l.kernel.connectGate(l, p, g, &c)
	if err != nil {
		done()
		l.gateLost(p, g, err.Error())
		return false
	}
	g.task = l.launchTask(&launch{command: c, gate: g, gateOf: p, close: done}, 0, l.gateEnded(p, g), func(err error) {
		g.task = nil
		l.gateLost(p, g, err.Error())
	})
	return false
}

func (l *loop) gateEnded(p *program, g *gate) func(ws syscall.WaitStatus) {
	return func(ws syscall.WaitStatus) {
		g.task = nil
		how, _ := words(ws)
		l.gateLost(p, g, how)
	}
}

// gateSaid is a request to the loop: "open" and the token, "renewed", or "lost" and why.
type gateSaid struct {
	p          *program
	g          *gate
	word, rest string
}

func (l *loop) gateSaid(r gateSaid) {
	p, g := r.p, r.g
	if p.features == nil || p.gate != g {
		return
	}
	if r.word == "lost" {
		l.gateLost(p, g, r.rest)
		return
	}
	now := l.kernel.sinceBoot()
	if g.socket >= 0 && g.lost == "" {
		g.given, g.heard = true, now // the guard has looked, and this process may have been stopped meanwhile
	} else {
		g.line(now)
	}
	if g.lost == "" && r.word == "open" {
		g.token, _, _ = strings.Cut(r.rest, "\x00") // which no variable may have
		l.Log.Info(p.says("its gate is open"))
		l.alarms.in(g.spec.Delay, &g.delay, func() { l.gateOpens(p, g) })
	}
	l.gateWatch(p, g)
}

func (l *loop) gateOpens(p *program, g *gate) {
	g.open = true
	if p.state == blocked {
		l.admit(p)
	}
}

// gateWatch looks whether the gate has been silent for too long, and sees to it that it is looked again. For a gate
// with a guard that is a look at the guard: if this process has been stopped,
// what the guard has said meanwhile is heard first.
func (l *loop) gateWatch(p *program, g *gate) {
	now := l.kernel.sinceBoot()
	if late := now - g.heard - g.renew - g.slack; g.socket >= 0 && g.renew > 0 && late > g.slack {
		g.heard = now - g.renew
	}
	g.look(now)
	if g.lost != "" {
		l.gateLost(p, g, g.lost)
		return
	}
	if d, ok := g.left(now); ok {
		l.alarms.in(d, &g.silence, func() { l.gateWatch(p, g) })
	}
}

// gateLost takes the permission back. Should the program outlive what the loss allows it, it is killed,
// by the guard too.
func (l *loop) gateLost(p *program, g *gate, why string) {
	if p.gate != g || g.known {
		return
	}
	now := l.kernel.sinceBoot()
	g.end(now, why)
	if p.state.underWay() {
		g.open = false
		return // until it is known whether there is a process, see runs
	}
	g.known = true
	g.open = false
	l.alarms.off(&g.delay)
	l.alarms.off(&g.silence)
	if !p.state.running() {
		l.closeGate(p)
		if p.state == blocked || p.state == queued {
			p.failures++
			p.fault = "its gate ended before it was open: " + g.lost
			if loud(p.failures) {
				l.Log.Warn(p.says("its gate ended before it was open: %s; trying again in %v", g.lost, p.delay()))
			}
			l.on(p, unhealthy)
		}
		return
	}
	left, _ := g.left(now)
	pid := p.pid
	if left == 0 { // it has run on unobserved for that long
		l.signal(p, unix.SIGKILL)
	}
	l.alarms.in(left, &g.deadline, func() { l.outlivesGate(p, g, pid) })
	l.endUnhealthy(p, "its gate is lost: "+g.lost)
}

func (l *loop) outlivesGate(p *program, g *gate, pid int) {
	if p.pid == pid {
		l.Log.Warn(p.says("has outlived its gate by %v: killed", g.timeout), "pid", pid)
		l.signal(p, unix.SIGKILL)
	}
}

// closeGate gives the permission up, for others to have. One that is lost need not be given up, and may be stopped.
func (l *loop) closeGate(p *program) {
	if p.features == nil || p.gate == nil {
		return
	}
	g := p.gate
	p.gate = nil
	for _, a := range []*alarm{&g.delay, &g.silence, &g.deadline} {
		l.alarms.off(a)
	}
	if g.task != nil {
		sig := unix.SIGTERM
		if g.lost != "" {
			sig = unix.SIGKILL
		}
		l.outliveGate(p.spec.Name, g.task)
		l.endTask(g.task, sig, gatePatience)
	}
	l.kernel.closeGate(g)
	if dir := l.place(p.spec); dir != "" && p.starts > 0 && p.spec.Kill == KillGroup &&
		(l.stopping == nil || l.cgroup(p.spec) != "") {
		l.sweep(p, p.spec) // who has it next is not to be met by what this program has left
	}
}

// outliveGate has no other gate of a program started before this one, which is given up, has ended.
func (l *loop) outliveGate(name string, t *task) {
	l.gates[name] = t
	t.gone = func() {
		delete(l.gates, name)
		if p := l.programs[name]; p != nil && p.state == blocked {
			l.admit(p)
		}
	}
}

// passGate hands the token of the gate to a command, and the way to make itself known to the guard. That is the last
// look before the program is started.
func (l *loop) passGate(p *program, c *command) error {
	if p.spec.Gate == nil {
		return nil
	}
	if g := p.gate; g != nil {
		g.look(l.kernel.sinceBoot())
	}
	if p.gate == nil || !p.gate.open || p.gate.lost != "" {
		return errors.New("its gate is lost")
	}
	c.env = slices.DeleteFunc(c.env, func(v string) bool { return strings.HasPrefix(v, tokenName+"=") })
	c.env = append(c.env, tokenName+"="+p.gate.token)
	if p.gate.socket >= 0 {
		c.guard = p.gate.socket
	}
	return nil
}

// tokenName is the variable for the first line of the gate.
const tokenName = "KEEPALIVEDD_GATE"
