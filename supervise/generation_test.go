package supervise

import (
	"context"
	"errors"
)

// upgrade has another Set go on in the place of the one that there is, which is asked nothing any more.
// then is called when it does.
func (l *life) upgrade(then func()) {
	set := l.set
	l.ask(func() func() {
		f, err := set.Freeze(context.Background())
		return func() {
			switch {
			case errors.Is(err, errStopped) && l.stopped:
			case err != nil:
				l.breaks("U1: it cannot be frozen: %v", err)
			case CheckState(f.State) != nil:
				l.breaks("U1: its state is wrong: %v in %s", CheckState(f.State), f.State)
				f.Thaw()
			default:
				l.succeed(f)
			}
			l.later(0, then)
		}
	})
}

func (l *life) succeed(f *Frozen) {
	l.gen++
	l.looking, l.binding = false, false // an execve ends the threads that did
	old := l.loop
	l.say("another Set goes on: %s", f.State)
	l.set = &Set{requests: make(chan any), ended: make(chan struct{})}
	l.loop = newLoop(l.options, l.set, l.machine)
	var programs []Program
	for _, p := range l.wanted {
		programs = append(programs, *p)
	}
	if err := l.loop.restore(f.State, programs); err != nil {
		l.breaks("U1: it cannot go on: %v", err)
	}
	for _, x := range l.procs {
		x.g, x.gp = l.heirGate(old, x), l.heir(old, x.gp)
	}
	latest := map[*program]*process{}
	for p, x := range l.latest {
		latest[l.heir(old, p)] = x
	}
	l.latest = latest
	for _, x := range l.everybodyEver(latest) {
		x.p = l.heir(old, x.p)
		for i := range x.words { // which are in a pipe
			x.words[i].p = x.p
		}
	}
	l.run()
	// The other one has nothing to do any more, and ends.
	old.programs, old.byPID, old.tasks, old.sweeps, old.sockets = nil, nil, nil, nil, nil
	old.queue, old.launches, old.alarms, old.Orphans, old.Cgroup = nil, nil, alarms{}, false, ""
	old.stopping = &stopRequest{context.Background(), make(chan error, 1)}
	f.Thaw()
}

// everybodyEver are the processes that there are, and those whose last words may be unread.
func (l *life) everybodyEver(latest map[*program]*process) (all map[*process]*process) {
	all = map[*process]*process{}
	for _, x := range l.procs {
		all[x] = x
	}
	for _, x := range latest {
		all[x] = x
	}
	return all
}

// heir is what p has become.
func (l *life) heir(old *loop, p *program) *program {
	if p != nil && old.programs[p.spec.Name] == p {
		return l.loop.programs[p.spec.Name]
	}
	return p
}

func (l *life) heirGate(old *loop, x *process) *gate {
	for name, p := range old.programs {
		if p.features != nil && p.gate != nil && p.gate == x.g {
			return l.loop.programs[name].gate
		}
	}
	return x.g
}
