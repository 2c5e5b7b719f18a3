package supervise

import (
	"bytes"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// connectGate has the reader listen to what the gate, or its guard, writes. A guard is had where it can be had.
func (k *linux) connectGate(l *loop, p *program, g *gate, c *command) (done func(), err error) {
	r, w, err := openPipe()
	if err != nil {
		return func() {}, err
	}
	done = func() { unix.Close(w) }
	c.files[1] = uintptr(w)
	lines := &gateLines{pipe: r, p: p, g: g, guarded: k.helper}
	if err = l.reader.add(lines); err != nil {
		unix.Close(r)
		return done, err
	}
	if k.helper {
		s, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			l.reader.release([]source{lines})
			return done, os.NewSyscallError("socketpair", err)
		}
		g.socket, c.guard = s[0], s[1]
		done = func() { unix.Close(w); unix.Close(s[1]) }
	}
	return done, nil
}

func (*linux) closeGate(g *gate) {
	if g.socket >= 0 {
		unix.Send(g.socket, []byte(dismissal), unix.MSG_NOSIGNAL)
		unix.Close(g.socket)
	}
}

// gateLines is what a gate, or its guard, says. It is read to the end, so that neither waits for a reader. Of the
// renewals the loop is told often enough.
type gateLines struct {
	pipe    int
	p       *program
	g       *gate
	guarded bool
	line    []byte
	last    time.Time
	opened  bool
}

func (s *gateLines) fd() int { return s.pipe }

func (s *gateLines) read(r *reader) (said []any, then next) {
	text, then := r.fill(s.pipe)
	for part := range bytes.Lines(text) {
		s.line = append(s.line, part...)
		s.line = s.line[:min(len(s.line), len("open ")+longestToken)]
		if part[len(part)-1] != '\n' {
			break
		}
		word, rest := "renewed", ""
		switch line := string(bytes.TrimSuffix(s.line, []byte("\n"))); {
		case s.guarded:
			word, rest, _ = strings.Cut(line, " ")
		case !s.opened:
			word, rest = "open", line[:min(len(line), longestToken)]
		}
		s.line, s.opened = s.line[:0], true
		if renew := s.g.spec.Renew; word == "renewed" && (renew == 0 || time.Since(s.last) < renew/16) {
			continue
		}
		s.last = time.Now()
		said = append(said, gateSaid{p: s.p, g: s.g, word: word, rest: rest})
	}
	return said, then
}

func (*gateLines) gone(*reader) {}
