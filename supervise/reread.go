package supervise

import (
	"fmt"
	"time"
)

// sources has everything read on.
func (x *restoring) sources() error {
	x.byFD = make(map[int]source, len(x.Sources))
	add := x.reader.add
	if x.Epoll > 0 {
		if err := x.reader.goOnWith(x.Epoll, len(x.Sources)); err != nil {
			return err
		}
		x.reader.mu.Lock()
		defer x.reader.mu.Unlock()
		add = func(s source) error { x.reader.note(s); return nil }
	}
	for i := range x.Sources {
		s := &x.Sources[i]
		p, present := x.programs[s.Program], false
		if present = p != nil; !present {
			p = &program{spec: &Program{}} // nobody's: its notices are void
		}
		var of source
		switch s.Kind {
		case kindOutput:
			o := &outlet{pipe: s.FD, pid: int32(s.PID), process: s.Start, sink: x.sinks[s.Sink], stderr: s.Stderr, kept: s.Kept,
				over: s.Over, begun: s.Begun, pass: s.Pass, within: s.Within, untold: s.Untold, left: s.Left, cut: s.Cut,
				final: s.Final}
			if o.pid == 0 {
				o.pid = neverRan
			}
			if s.Rate > 0 {
				// whatever the clock has been set to meanwhile
				ago := min(max(0, time.Since(s.Second)), time.Second)
				o.limit = &limiter{rate: s.Rate, used: s.Used, dropped: s.Dropped, second: time.Now().Add(-ago)}
			}
			of = o
		case kindReady:
			of = &readyPipe{pipe: s.FD, p: p, start: s.Start}
		case kindNotify:
			of = &notifySocket{socket: s.FD, p: p, start: s.Start, uid: s.UID}
		case kindGate:
			g := &gate{spec: &Gate{}, socket: -1}
			if present && p.features != nil && p.gate != nil {
				g = p.gate
			}
			of = &gateLines{pipe: s.FD, p: p, g: g, guarded: s.Guarded, line: s.Line, opened: s.Opened}
		}
		if err := add(of); err != nil {
			return fmt.Errorf("descriptor %d: %w", s.FD, err)
		}
		x.byFD[s.FD] = of
	}
	return nil
}

// connect gives a program what is read from its process.
func (x *restoring) connect(p *program, s *programState) {
	if q := x.programs[s.Holder]; q != nil {
		p.holder = q
	}
	if s.Sink != nil {
		p.sink = x.sinks[*s.Sink]
	}
	for _, fd := range s.Sources {
		p.sources = append(p.sources, x.byFD[fd])
	}
	if p.features == nil {
		return
	}
	if p.tail != nil && p.sink != nil {
		for i := range x.Sources {
			if of := &x.Sources[i]; of.Kind == kindOutput && of.Tail && of.Sink == *s.Sink {
				x.byFD[of.FD].(*outlet).tail = p.tail
			}
		}
	}
}

// outlets has those go on that waited for room.
func (x *restoring) outlets() {
	r := x.loop.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, k := range x.Sinks {
		x.sinks[i].outlets = nil // in their order
		for _, fd := range k.Outlets {
			x.sinks[i].outlets = append(x.sinks[i].outlets, x.byFD[fd].(*outlet))
		}
	}
	for i := range x.Sources {
		s := &x.Sources[i]
		if s.Kind == kindOutput && s.PID == 0 { // it was not to be read yet, and the epoll set has it so
			r.resume(x.byFD[s.FD])
		}
		if s.Stalled {
			o := x.byFD[s.FD].(*outlet)
			room := make(chan struct{})
			close(room)
			o.sink.room = room
			r.proceed(o, o.stall(r, o.kept))
		}
	}
	for i, k := range x.Sinks {
		if k.Closing {
			x.sinks[i].close(r)
		}
	}
}
