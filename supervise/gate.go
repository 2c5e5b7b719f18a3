package supervise

import (
	"bytes"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// gate is the process that gives a program the permission to run, while the program has it or waits for it.
type gate struct {
	task *task
	open bool
}

// gateIsOpen reports whether p may run; where it needs a gate for that and has none, one is started.
func (l *loop) gateIsOpen(p *program) bool {
	spec := p.wanted.Gate
	if spec == nil {
		return true
	}
	if g := p.more().gate; g != nil {
		return g.open
	}
	g := &gate{}
	r, w, err := openPipe("gate")
	if err == nil {
		c := p.wanted.command(spec.Command)
		c.files[1] = uintptr(w)
		g.task, err = l.begin(c, 0, func(ws syscall.WaitStatus) {
			how, _ := words(ws)
			l.gateEnded(p, g, how)
		})
		unix.Close(w)
	}
	p.gate = g
	if err != nil {
		if r != nil {
			r.Close()
		}
		l.gateEnded(p, g, err.Error())
		return false
	}
	go l.set.firstLine(r, p, g)
	return false
}

// firstLine tells of the first line of a gate, and then reads on to its end, so that it never waits for a reader.
func (s *Set) firstLine(r *os.File, p *program, g *gate) {
	defer r.Close()
	buf := make([]byte, 512)
	told := false
	for {
		n, err := r.Read(buf)
		if !told && bytes.IndexByte(buf[:n], '\n') >= 0 {
			told = true
			select {
			case s.requests <- gateOpened{p, g}:
			case <-s.ended:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// gateOpened is a request to the loop.
type gateOpened struct {
	p *program
	g *gate
}

func (l *loop) gateOpened(r gateOpened) {
	if r.p.extra == nil || r.p.gate != r.g {
		return
	}
	r.g.open = true
	l.Log.Info(r.p.says("its gate is open"))
	if r.p.state == blocked {
		l.admit(r.p)
	}
}

// gateEnded takes the permission back.
func (l *loop) gateEnded(p *program, g *gate, how string) {
	if p.gate != g {
		return
	}
	p.gate = nil
	switch {
	case p.state == blocked || p.state == queued:
		p.failures++
		if loud(p.failures) {
			l.Log.Warn(p.says("its gate ended before it was open: %s; trying again in %v", how, p.delay()))
		}
		l.on(p, sick)
	case p.state == starting || p.state == up || p.state == lingering:
		l.ail(p, "its gate is lost: "+how)
	}
}

// closeGate gives the permission up, for others to have.
func (l *loop) closeGate(p *program) {
	if p.extra == nil || p.gate == nil {
		return
	}
	g := p.gate
	p.gate = nil
	if g.task != nil {
		l.end(g.task, unix.SIGTERM, 5*time.Second)
	}
}
