package supervise

import (
	"cmp"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/wait"
)

// notifyState is what a process has told of itself by sd_notify(3). Its text outlives the process,
// until there is another one.
type notifyState struct {
	text      string
	reloading bool
	stopping  bool
	watchdog  *time.Duration // in place of Ready.Watchdog
	end       alarm          // of a process that has told that it stops
	extended  state          // whose time was made longer
	main      int            // PID of its main process, when that is not the one that was started; 0: none
	mainFD    int            // its pidfd
}

// onNotify takes a message of p's own process.
func (l *loop) onNotify(p *program, m message) {
	s := p.notified
	lives := l.byPID[p.pid] == p // else its number may be another's
	if m.main != 0 && lives {
		l.setMainPID(p, m.main)
	}
	if m.text != nil {
		s.text = *m.text
	}
	switch { // STOPPING counts before the others, and READY before RELOADING, as with systemd
	case s.stopping:
	case m.stopping:
		l.stopsItself(p)
	case m.ready:
		s.reloading = false
		l.on(p, ready)
	case m.reloading:
		s.reloading = true
	}
	if m.watchdog != nil {
		s.watchdog = m.watchdog
		if p.state == up {
			l.alarms.off(&p.watch.watchdog)
		}
	}
	if m.alive || m.watchdog != nil {
		l.resetWatchdog(p)
	}
	if m.extend > 0 {
		l.extend(p, m.extend)
	}
	if m.trigger && lives && !p.state.leaving() {
		l.endUnhealthy(p, "it has asked for it by WATCHDOG=trigger")
	}
}

// stopsItself is for a process that ends by its own will: nobody looks after it any more, but that it does end.
func (l *loop) stopsItself(p *program) {
	p.notified.stopping, p.notified.reloading = true, false
	if p.state != up {
		return // it has a deadline
	}
	l.unwatch(p)
	l.awaitEnd(p, cmp.Or(p.spec.stopTimeout(), 10*time.Second))
}

func (l *loop) awaitEnd(p *program, left time.Duration) {
	l.alarms.in(left, &p.notified.end, func() { l.endUnhealthy(p, "it has not ended since its STOPPING=1") })
}

// stops reports whether the process of p has told that it ends.
func (p *program) stops() bool { return p.features != nil && p.notified != nil && p.notified.stopping }

// extend makes the time longer that p has for what it is doing: to get ready, to live without a sign of it, to end. The
// end of Stop's time, and what the loss of a gate allows, hold nevertheless.
func (l *loop) extend(p *program, d time.Duration) {
	longer := func(a *alarm) bool {
		is := a.index > 0 && time.Until(a.at) < d
		if is {
			l.alarms.in(d, a, a.ring)
		}
		return is
	}
	switch r := p.spec.Ready; p.state {
	case starting:
		if r.After > 0 {
			return // that is no limit
		}
		fallthrough
	case stopping:
		if longer(&p.alarm) {
			p.notified.extended = p.state
		}
	case up:
		longer(&p.watch.watchdog)
		longer(&p.notified.end)
	}
}

// took is how long p has had to get ready, or to stop: as long as it was given, or asked for.
func (l *loop) took(p *program, in state, given time.Duration) time.Duration {
	if p.features == nil || p.notified == nil || p.notified.extended != in {
		return given
	}
	since := p.born
	if in == stopping {
		since = p.told
	}
	return (time.Since(l.epoch) - since).Round(time.Millisecond)
}

// setMainPID believes a process that names the main one only when that is of its own session, or descends from it: what
// is told may be wrong, or meant for harm. The end of the program is the end of the process that was started, whatever
// it names here.
func (l *loop) setMainPID(p *program, pid int) {
	if pid == p.main() {
		return
	}
	fd, err := -1, error(nil)
	if pid != p.pid {
		if fd, err = unix.PidfdOpen(pid, 0); err != nil {
			return
		}
		sid, err := unix.Getsid(pid)
		if err != nil || sid != p.pid && !slices.Contains(ancestors(pid, l.kernel.process), p.pid) {
			unix.Close(fd)
			l.Log.Debug(p.says("MAINPID=%d is not its own: ignored", pid), "pid", p.pid)
			return
		}
	}
	p.notified.clearMainPID()
	if fd >= 0 {
		p.notified.main, p.notified.mainFD = pid, fd
	}
}

func (s *notifyState) clearMainPID() {
	if s.main != 0 {
		unix.Close(s.mainFD)
	}
	s.main, s.mainFD = 0, 0
}

// mainPID is the process that p has named as its main one; 0: none, or it has ended.
func (p *program) mainPID() int {
	if p.features == nil || p.notified == nil || p.notified.main == 0 {
		return 0
	}
	if wait.End(p.notified.mainFD, 0) {
		p.notified.clearMainPID()
	}
	return p.notified.main
}

// main is the process of p that knows what to do with a signal.
func (p *program) main() int { return cmp.Or(p.mainPID(), p.pid) }

func (l *loop) signalMain(p *program, sig syscall.Signal) {
	if p.mainPID() != 0 {
		unix.PidfdSendSignal(p.notified.mainFD, sig, nil, 0)
		return
	}
	if p.pid > 1 { // 0 would be our own group
		l.kernel.kill(p.pid, sig)
	}
}

// text is what p says of itself.
func (p *program) text() string {
	if p.features == nil || p.notified == nil {
		return ""
	}
	s, word := p.notified, ""
	switch {
	case s.stopping && !p.state.leaving():
		word = "stopping"
	case s.reloading && p.state == up:
		word = "reloading"
	}
	if word != "" && s.text != "" {
		word += ": "
	}
	return word + s.text
}

// forgetNotify is for a process that has ended.
func (l *loop) forgetNotify(p *program) {
	if s := p.notified; s != nil {
		l.alarms.off(&s.end)
		s.clearMainPID()
		s.stopping, s.reloading, s.watchdog = false, false, nil
	}
}
