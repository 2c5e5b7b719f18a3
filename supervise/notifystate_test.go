package supervise

import (
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// promise C7: EXTEND_TIMEOUT_USEC makes the time of a start, a run and a stop longer, never shorter, and nothing else
func TestExtend(t *testing.T) {
	none := func(*loop, *program) {}
	for name, c := range map[string]struct {
		state  state
		ready  Ready
		before func(l *loop, p *program)
		of     func(p *program) *alarm
		longer bool
	}{
		"start": {starting, Ready{Notify: true}, func(l *loop, p *program) { l.await(p) }, nil, true},
		"start, a life": {starting, Ready{After: time.Minute, Watchdog: time.Hour},
			func(l *loop, p *program) { l.await(p) }, nil, false},
		"start of a oneshot": {starting, Ready{Notify: true}, none, nil, false},
		"run": {up, Ready{Watchdog: time.Minute}, func(l *loop, p *program) { l.resetWatchdog(p) },
			func(p *program) *alarm { return &p.watch.watchdog }, true},
		"run, no watchdog": {up, Ready{Notify: true}, none, func(p *program) *alarm { return &p.watch.watchdog }, false},
		"run, by STOPPING": {up, Ready{Notify: true}, func(l *loop, p *program) { l.stopsItself(p) },
			func(p *program) *alarm { return &p.notified.end }, true},
		"stop": {stopping, Ready{Notify: true}, func(l *loop, p *program) { l.terminate(p) }, nil,
			true},
		"waiting for others": {lingering, Ready{Notify: true}, none, nil, false},
		"after KILL": {killing, Ready{Notify: true},
			func(l *loop, p *program) { l.alarms.in(time.Minute, &p.alarm, nil) }, nil, false},
		"start, fd and a dog": {starting, Ready{FD: 3, Watchdog: time.Minute}, func(l *loop, p *program) { l.await(p) }, nil,
			true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, &linux{})
			p := &program{state: c.state, spec: &Program{Ready: &c.ready, StopTimeout: time.Minute}, since: sinceBoot()}
			p.withFeatures().notified = &notifyState{}
			c.before(l, p)
			if c.of == nil {
				c.of = func(p *program) *alarm { return &p.alarm }
			}
			was := *c.of(p)
			for _, d := range []time.Duration{time.Second, 5 * time.Minute, 2 * time.Minute} {
				l.onNotify(p, message{extend: d})
			}
			now := *c.of(p)
			if !c.longer {
				if now.index != was.index || !now.at.Equal(was.at) {
					t.Errorf("from %v to %v", was.at, now.at)
				}
				return
			}
			if by := now.at.Sub(was.at); by < 3*time.Minute || by > 5*time.Minute || now.ring == nil {
				t.Errorf("longer by %v", by)
			}
			if name == "start" || name == "stop" {
				if l.took(p, c.state, time.Hour) == time.Hour {
					t.Error("it says that it has had an hour")
				}
			}
		})
	}
}

// promise C7: what has had more time to end than stop_timeout, for it has asked for that, is said to have had it
func TestExtendedStopIsTold(t *testing.T) {
	for name, extended := range map[string]bool{"extended": true, "not": false} {
		synctest.Test(t, func(t *testing.T) {
			var log strings.Builder
			l := newLoop(Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, &Set{}, newMachine(1))
			p := &program{state: lingering, spec: &Program{Name: "a", StopTimeout: time.Minute}}
			p.withFeatures().notified = &notifyState{}
			l.on(p, unblocked)
			time.Sleep(50 * time.Second)
			if extended {
				l.onNotify(p, message{extend: 30 * time.Second})
				time.Sleep(20 * time.Second)
			}
			time.Sleep(10 * time.Second)
			l.alarms.run(time.Now())
			want := map[bool]string{true: "still runs 1m20s after SIGTERM", false: "still runs 1m0s after SIGTERM"}[extended]
			if !strings.Contains(log.String(), want) {
				t.Errorf("%s: want %q in the log\n%s", name, want, log.String())
			}
		})
	}
}

// promise C7: whatever a datagram holds, it can be shown, and harms nothing
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{"", "READY=1", "READY=1\nSTATUS=x\nMAINPID=17\n", "STATUS=\xff\x1b[31m\u202e",
		"WATCHDOG=trigger\nWATCHDOG_USEC=20000000", "RELOADING=1\nMONOTONIC_USEC=1",
		"EXTEND_TIMEOUT_USEC=18446744073709551615", "EXTEND_TIMEOUT_USEC=18446744073709551614", "BARRIER=1",
		"FDSTORE=1\nFDNAME=x", "MAINPID=-1\nMAINPID=4294967297", "STOPPING=1\x00", "a\x00b", "==\n=\n\n",
		strings.Repeat("STATUS=", 1000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		m := parseMessage(datagram)
		if m.text != nil {
			if n := utf8.RuneCountInString(*m.text); n > longestText || !utf8.ValidString(*m.text) {
				t.Errorf("%d characters: %q", n, *m.text)
			}
			for _, r := range *m.text {
				if !unicode.IsPrint(r) {
					t.Errorf("%q", *m.text)
				}
			}
		}
		if m.main < 0 || m.main == 1 || m.extend < 0 || m.extend > longestTime ||
			m.watchdog != nil && (*m.watchdog < 0 || *m.watchdog > longestTime) {
			t.Errorf("%+v", m)
		}
		if m.ready != strings.Contains("\n"+strings.TrimSuffix(string(datagram), "\x00")+"\n", "\nREADY=1\n") &&
			!strings.Contains(strings.TrimSuffix(string(datagram), "\x00"), "\x00") {
			t.Errorf("ready: %v", m.ready)
		}
	})
}

// promise C7: who has gone cannot be asked for its session, and is heard as root or the program's user alone
func TestNotifyFromOneThatHasGone(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for _, trusted := range []bool{true, false} {
		l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, &linux{})
		p := &program{spec: &Program{Name: "a"}, pid: 1}
		p.withFeatures().notified = &notifyState{}
		said := "hello"
		heard(message{text: &said}, gone.Process.Pid, trusted)(l, p)
		if got := p.text() == said; got != trusted {
			t.Errorf("trusted %v: heard %v", trusted, got)
		}
		p.pid, p.notified.text = 0, ""
		for _, other := range []int{1, 2} { // the kernel's second; in a container it may be anybody, or nobody
			if _, err := unix.Getsid(other); err != nil {
				continue
			}
			if heard(message{text: &said}, other, trusted)(l, p); p.text() == said {
				t.Errorf("heard of the session of %d, by a program without a process", other)
			}
		}
	}
}
