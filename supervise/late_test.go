package supervise

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
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
				pid: process.Process.Pid, since: sinceBoot()}
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
	p := &program{state: starting, spec: &Program{Name: "a", Ready: &Ready{FD: 3}}, pid: 1 << 30, since: sinceBoot()}
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

// dead is the PID of a process in a session of its own that has died, and that nobody has reaped.
func dead(t *testing.T) (pid int) {
	t.Helper()
	process := exec.Command("false")
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	pid = process.Process.Pid
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	return pid
}

// promise Q1: a process that has died in its first second is not said to be up because the loop did not get to its end
// yet
func TestUpForALateLoop(t *testing.T) {
	pid := dead(t)
	l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{}, &linux{})
	p := &program{state: up, spec: &Program{Name: "a"}, pid: pid, born: -time.Hour, since: sinceBoot()}
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

// promise T4: who may be what is being launched is looked for again once that has landed, however long it takes, though
// all the others that were found are spared. Nobody is said to have had KILL meanwhile.
func TestSweepThatIsNotSure(t *testing.T) {
	for _, unsure := range []bool{false, true} {
		const asks, young, mark = 1 << 28, 1<<28 + 1, "MARK=x"
		var log strings.Builder
		l := newLoop(Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Orphans: true, Mark: mark,
			Spare: func() []int { return []int{asks} }}, &Set{}, &linux{})
		defer l.reader.letGo()
		x := &launch{command: command{name: "a"}, lingers: true}
		l.flight = x
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
		if !unsure {
			continue
		}
		l.forceSweep(s)
		l.surveyed(surveyed{[]*sweep{s}, found})
		l.unsurveyed = nil
		l.sweepFails(s)
		if text := log.String(); l.sweeps["a"] != s || s.again.index > 0 || text != "" {
			t.Errorf("it goes on: %v, again %d; the log says:\n%s", l.sweeps["a"] == s, s.again.index, text)
		}
		l.flight = nil
		if l.sweepAfter(x); len(l.unsurveyed) != 1 || s.limit.index == 0 {
			t.Errorf("it is looked for %d times, and given up: %v", len(l.unsurveyed), s.limit.index > 0)
		}
	}
}

// promise C6: a check whose exec hangs, each time, delays the launches of others for a second, once. It is still run,
// and has failed when its time is over.
func TestCheckWhoseExecHangs(t *testing.T) {
	a := Program{Name: "a", Command: []string{"/main", "a"}, StopTimeout: time.Second, Check: &Check{
		Command: []string{"/check", "a"}, Every: time.Second, Timeout: 3 * time.Second, Failures: 3}}
	b := Program{Name: "b", Command: []string{"/main", "b"},
		Backoff: &Backoff{Min: 100 * time.Millisecond, Max: 100 * time.Millisecond}}
	f := fates{"main a": {life: -1}, "check a": {life: -1, hanging: 4900 * time.Millisecond},
		"main b": {life: 100 * time.Millisecond, status: wsOne}}
	for _, helper := range []bool{false, true} {
		seed := uint64(1)
		if helper {
			seed = 2
		}
		_, wrong, trace := liveWith(t, f, seed, []operation{{what: "update", next: []Program{a, b}},
			{what: "stop", after: time.Minute}}, true)
		text := strings.Join(trace, "\n")
		var last, longest time.Duration
		long := 0
		for _, at := range regexp.MustCompile(`(?m)^ *(\S+) +launch main b#`).FindAllStringSubmatch(text, -1) {
			seconds, err := strconv.ParseFloat(at[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			now := time.Duration(seconds * float64(time.Second))
			if longest = max(longest, now-last); now-last > 500*time.Millisecond {
				long++
			}
			last = now
		}
		if len(wrong) > 0 || helper && (longest > 1500*time.Millisecond || long > 1) || !helper && long < 2 ||
			!strings.Contains(text, "its check failed 3 times in a row") {
			t.Errorf("helper %v: %v; others waited %d times, and %v at most\n%s", helper, wrong, long, longest, text)
		}
	}
}

// promise C6: what goes aside is not waited for, and becomes its command when that can be had. A lease of the file
// keeps it from being opened, as a disk that hangs does.
func TestAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "check")
	text, err := os.ReadFile("/bin/sh")
	if err == nil {
		err = os.WriteFile(path, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skip("needs leases: ", err)
	}
	k := newLinux()
	_, shut := k.open(&Options{Helper: true})
	defer shut()
	for _, test := range []struct {
		path string
		want int
	}{{path, 3}, {"/no/such/check", 127}} {
		c := (&Program{Name: "a"}).command([]string{test.path, "-c", "exit 3"})
		c.aside = true
		k.launch(&launch{command: c})
		r := <-k.launched()
		if r.err != nil {
			t.Fatal(r.err)
		}
		unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		if ws := k.wait(r.pid); ws.ExitStatus() != test.want {
			t.Errorf("%s: %#x", test.path, int(ws))
		}
	}
}

// hung is a kernel with a disk that hangs.
type hung struct {
	*linux
	looks []func(*found)
}

func (h *hung) find(_ *Program, then func(*found)) { h.looks = append(h.looks, then) }

// promise C6: it is given up after a while, and not asked again before it has answered
func TestFindingIsGivenUp(t *testing.T) {
	h := &hung{linux: &linux{}}
	l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, &Set{requests: make(chan any, 1)}, h)
	p := &Program{Name: "a", FindEnvironment: func() (map[string]string, error) { return nil, nil }}
	var errs []error
	then := func(f *found) { errs = append(errs, f.noEnv) }
	for n := 1; n <= 2; n++ {
		l.find(p, then)
		l.alarms.run(time.Now().Add(time.Minute))
		if len(errs) != n || errs[n-1] == nil || !strings.Contains(errs[n-1].Error(), "its environment cannot be had") {
			t.Errorf("%v", errs)
		}
	}
	l.find(p, then)
	h.looks[0](&found{})
	l.take(<-l.set.requests)
	if len(errs) != 3 || errs[2] != nil || len(h.looks) != 1 || len(l.searches) > 0 {
		t.Errorf("%v, asked %d times", errs, len(h.looks))
	}
}

// promise C6: a program whose exec hangs, each time, has its full patience seldom: mostly others wait for a second
func TestProgramWhoseExecHangs(t *testing.T) {
	a := Program{Name: "a", Command: []string{"/main", "a"}, Directory: "/dead"}
	_, wrong, trace := liveWith(t, fates{"main a": {life: -1, hanging: 10500 * time.Millisecond}}, 1,
		[]operation{{what: "update", next: []Program{a}}, {what: "stop", after: time.Hour}}, true)
	text := strings.Join(trace, "\n")
	tries, short := 0, 0
	for _, at := range regexp.MustCompile(`(\S+) +launch main a#.*\n +(\S+) +main a#.* is given up`).
		FindAllStringSubmatch(text, -1) {
		began, err := strconv.ParseFloat(at[1], 64)
		given, err2 := strconv.ParseFloat(at[2], 64)
		if err != nil || err2 != nil {
			t.Fatal(at)
		}
		if tries++; given-began < 2 {
			short++
		}
	}
	if len(wrong) > 0 || tries < 50 || short < tries*3/4 || short == tries {
		t.Errorf("%v; of %d tries %d were short\n%.3000s", wrong, tries, short, text)
	}
}
