package supervise

import (
	"log/slog"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unheard is a kernel with words that the loop has not heard yet.
type unheard struct {
	*linux
	words []notice
}

func (u *unheard) lastWords(*loop, *program) (words []notice) {
	words, u.words = u.words, nil
	return words
}

// promise C7: what a process has said in time is heard before its silence is judged, though the loop was late: the
// daemon was stopped, or the machine had no time for it
func TestSilenceForALateLoop(t *testing.T) {
	for name, c := range map[string]struct {
		state  state
		awaits func(l *loop, p *program)
		says   *message
		want   state
	}{
		"ready in time": {starting, func(l *loop, p *program) { l.awaitReady(p, 0) }, &message{ready: true}, up},
		"more time wanted": {starting, func(l *loop, p *program) { l.awaitReady(p, 0) },
			&message{extend: time.Hour}, starting},
		"never ready": {starting, func(l *loop, p *program) { l.awaitReady(p, 0) }, nil, stopping},
		"alive":       {up, func(l *loop, p *program) { l.awaitWatchdog(p, 0, time.Hour) }, &message{alive: true}, up},
		"no watchdog any more": {up, func(l *loop, p *program) { l.awaitWatchdog(p, 0, time.Hour) },
			&message{watchdog: new(time.Duration)}, up},
		"something else": {up, func(l *loop, p *program) { l.awaitWatchdog(p, 0, time.Hour) },
			&message{text: new(string)}, stopping},
		"silence": {up, func(l *loop, p *program) { l.awaitWatchdog(p, 0, time.Hour) }, nil, stopping},
	} {
		t.Run(name, func(t *testing.T) {
			process := exec.Command("sleep", "1000")
			process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := process.Start(); err != nil {
				t.Fatal(err)
			}
			defer process.Wait()
			defer process.Process.Kill()
			k := &unheard{linux: &linux{}}
			l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, k)
			p := &program{state: c.state, spec: &Program{Name: "a", Ready: &Ready{Notify: true, Watchdog: time.Hour}},
				pid: process.Process.Pid, since: time.Now()}
			p.wanted = p.spec
			p.withFeatures().notified = &notifyState{}
			l.byPID[p.pid] = p
			if c.says != nil {
				k.words = []notice{{p: p, seen: func(l *loop, p *program) { l.onNotify(p, *c.says) }}}
			}
			c.awaits(l, p)
			l.alarms.run(time.Now().Add(time.Second))
			if p.state != c.want {
				t.Errorf("it is %v, want %v", p.state, c.want)
			}
		})
	}
}

// promise C7: a newline that is in the pipe has been said in time too, by a program that has nothing else to be heard
func TestReadyForALateLoop(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[1])
	l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, &linux{})
	defer l.reader.letGo()
	p := &program{state: starting, spec: &Program{Name: "a", Ready: &Ready{FD: 3}}, pid: 1 << 30, since: time.Now()}
	p.wanted = p.spec
	s := &readyPipe{pipe: pipe[0], p: p}
	if err := l.reader.add(s); err != nil {
		t.Fatal(err)
	}
	p.sources = []source{s}
	unix.Write(pipe[1], []byte("\n"))
	l.awaitReady(p, 0)
	l.alarms.run(time.Now().Add(time.Second))
	if p.state != up {
		t.Errorf("it is %v", p.state)
	}
}

// promise Q1: a process that has died in its first second is not said to be up because the loop did not get to its end
// yet
func TestUpForALateLoop(t *testing.T) {
	process := exec.Command("false")
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	pid := process.Process.Pid
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, &linux{})
	p := &program{state: up, spec: &Program{Name: "a"}, pid: pid, born: -time.Hour, since: time.Now()}
	p.wanted = p.spec
	l.byPID[pid], l.programs["a"] = p, p
	r := &operating{Request: Request{Names: []string{"a"}}, what: lift, reply: make(chan operated, 1)}
	l.operate(r)
	select {
	case a := <-r.reply:
		if a.outcomes[0].Done {
			t.Errorf("%+v", a.outcomes)
		}
	default:
	}
}

// promise T4: who may be what is being launched is looked for again, though all the others that were found are spared.
func TestSweepThatIsNotSure(t *testing.T) {
	for _, unsure := range []bool{false, true} {
		const asks, young, mark = 1 << 28, 1<<28 + 1, "MARK=x"
		var log strings.Builder
		l := newLoop(Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Orphans: true, Mark: mark,
			Spare: func() []int { return []int{asks} }}, &Set{}, &linux{})
		defer l.reader.letGo()
		l.flight = &launch{command: command{name: "a"}, lingers: true}
		s := &sweep{dir: "a", name: "a", asked: map[identity]bool{}}
		l.sweeps["a"] = s
		old := orphan{proc{pid: asks, parent: 1}, "a"}
		found := []orphan{old}
		if unsure {
			o := orphan{proc{pid: young, parent: l.kernel.self()}, "a"}
			found = append(found, o)
		}
		l.surveyed(surveyed{[]*sweep{s}, found})
		if on := l.sweeps["a"] == s; on != unsure {
			t.Errorf("unsure %v: it goes on: %v", unsure, on)
		}
		if l.forceSweep(s); unsure { // and when that has taken long, nobody is said to have had KILL
			l.surveyed(surveyed{[]*sweep{s}, found})
			l.sweepFails(s)
			if text := log.String(); strings.Contains(text, "KILL") || !strings.Contains(text, "cannot be told") {
				t.Errorf("the log says:\n%s", text)
			}
		}
	}
}
