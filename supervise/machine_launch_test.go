package supervise

import (
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func (m *machine) launched() <-chan launched { return m.outcomes }

// launch forks. When the child becomes its executable, and when the Set is told, is another matter.
func (m *machine) launch(l *launch) {
	m.sync()
	defer m.sync()
	if m.flight != nil {
		m.breaks("two are launched at once")
	}
	x := m.child(l)
	x.launching, x.forked = true, m.now()
	if l.aside {
		x.hanging = 0
	}
	x.holding = x.hanging > 5*time.Second && x.r.IntN(4) == 0
	m.flight = x
	if l.program != nil {
		m.underWay(x)
		m.listen(l, x)
	}
	x.killedBefore = func() { m.lands(x, l, launched{pid: x.pid}) }
	m.later(x.hanging, func() {
		if x.dead {
			return // it has landed
		}
		x.holding, x.killedBefore = false, nil
		switch {
		case x.failing != nil:
			m.die(x, wsOne)
			m.zombies = slices.DeleteFunc(m.zombies, func(y *process) bool { return x == y })
			delete(m.procs, x.pid)
			m.lands(x, l, launched{err: x.failing})
			return
		case x.late:
			m.die(x, wsKilled)
		default:
			m.execute(x, l)
		}
		m.lands(x, l, launched{pid: x.pid})
	})
}

// child is what a launch forks.
func (m *machine) child(l *launch) *process {
	kind, name := strings.TrimPrefix(l.argv[0], "/"), l.argv[1]
	n := 0
	if l.program != nil {
		n = l.program.starts
		m.mayStart(l.program)
	} else {
		m.counts[kind+name]++
		n = m.counts[kind+name]
		m.mayTask(kind, name)
	}
	m.say("launch %s %s#%d", kind, name, n)
	f := m.fateOf(kind, name, n)
	life := f.life
	f.life = -1
	x := m.spawn(kind, name, n, f, nil)
	x.life = life
	if p := l.program; p != nil {
		m.latest[p] = x
		x.p, x.start, x.spec, x.spared, x.marked, x.cgroup = p, p.starts, p.spec, l.spare, !l.spare, l.group
	}
	return x
}

// execute is when a child becomes its executable.
func (m *machine) execute(x *process, l *launch) {
	m.say("  %s runs", x)
	if x.life >= 0 {
		m.later(x.life, func() { m.die(x, x.status) })
	}
	switch {
	case l.program != nil:
		m.runMain(x)
	case l.gate != nil:
		x.g, x.gp, x.gateSpec = l.gate, l.gateOf, l.gate.spec
		if x.getting >= 0 {
			m.later(x.getting, func() { m.line(x, "open", x.r.IntN(8) == 0) })
		}
	}
}

func (m *machine) runMain(x *process) {
	for i := range x.helpers {
		h := m.fateOf("helper", x.name, x.start*10+i)
		kind := "helper"
		if h.stray {
			kind = "stray"
		}
		if s := m.spawn(kind, x.name, i, h, x); kind == "stray" {
			s.marked, s.spared = s.marked && h.r.IntN(2) == 0, false
		}
	}
	if r := x.spec.Ready; r != nil && r.FD > 0 && x.getting >= 0 && !x.spec.OneShot {
		m.later(x.getting, func() {
			m.say("  %s is ready", x)
			if x.reapedAt == 0 { // else whoever reads it is late
				x.readied = m.now()
			}
			m.unread(x, notice{p: x.p, start: x.start, seen: func(l *loop, p *program) { l.on(p, ready) }})
		})
	}
}

// unread is for what a process has said. It may be read a while later, by when the process may have ended.
func (m *machine) unread(x *process, n notice) {
	if x.dead || x.r.IntN(2) == 0 {
		m.tell(n)
		return
	}
	x.words = append(x.words, n)
	m.later(time.Duration(x.r.IntN(5000))*time.Microsecond, func() {
		if len(x.words) > 0 {
			n, x.words = x.words[0], nil
			m.tell(n)
		}
	})
}

// lastWords are those of the latest process of p.
func (m *machine) lastWords(_ *loop, p *program) (words []notice) {
	m.sync()
	defer m.sync()
	if x := m.latest[p]; x != nil {
		words, x.words = x.words, nil
	}
	return words
}

// release is when the end of a process is told: nothing that it has said is to come after that.
func (m *machine) release(_ *loop, p *program) {
	m.sync()
	defer m.sync()
	if x := m.latest[p]; x != nil && len(x.words) > 0 {
		m.breaks("C7: the end of %s is told, and not what it has said before", x)
	}
}

// lands has the Set told of what has come of a launch. As long as that takes its cgroup may take to be made and bound.
func (m *machine) lands(x *process, l *launch, r launched) {
	if l.group != "" && m.bounds[l.group] == nil {
		m.bounds[l.group] = &Resources{}
	}
	if l.group != "" && l.bounds != nil {
		*m.bounds[l.group] = *l.bounds
	}
	m.later(x.telling, func() {
		m.say("  the launch of %s is over: %v", x, r.err)
		m.flight, m.landed = nil, m.now()
		x.launching, x.born = false, m.now()
		well := r.err == nil && !x.late
		if x.late {
			x.kind = "late"
		}
		switch kind := strings.TrimPrefix(l.argv[0], "/"); {
		case l.program != nil:
			m.judgeLaunch(x, well, r.err)
		case well:
		case r.err == nil && l.task != nil && m.goesAside(l): // it is launched again
		case kind == "check" && l.task.ended != nil && !errors.Is(r.err, unix.EAGAIN): // C8
			m.checked(x.name, false)
		case kind == "gate":
			m.gateFailed(x.name)
		}
		m.outcomes <- r
	})
}

// goesAside says that a launch that was given up is not a failure yet.
func (m *machine) goesAside(l *launch) bool {
	return m.helper && l.task.brief && !l.aside && !m.hurried()
}

func (*machine) linger() {}

func (m *machine) giveUp() {
	m.sync()
	defer m.sync()
	x := m.flight
	if x == nil {
		return
	}
	if !x.late {
		m.say("  %s is given up", x)
	}
	x.late = true
	for _, y := range m.procs {
		y.orphaned = y.orphaned || y.group == x.group && y != x
	}
	if !x.holding {
		m.deliver(x, unix.SIGKILL)
	}
}

// line is what a gate says, again and again if it has to; not for ever if it falls silent.
func (m *machine) line(x *process, word string, silent bool) {
	if x.dead {
		return
	}
	m.say("  %s says %s", x, word)
	x.lineAt = m.now()
	if word == "open" {
		x.openAt = m.now()
	}
	if renew := x.gateSpec.Renew; renew > 0 && (!silent || m.calm) {
		m.later(renew/2, func() { m.line(x, "renewed", x.r.IntN(20) == 0) })
	}
	m.tell(gateSaid{p: x.gp, g: x.g, word: word, rest: "token"})
}

// tell is what a reader does with what it has read.
func (m *machine) tell(said any) {
	select {
	case m.set.requests <- said:
	case <-m.set.ended:
	}
}
