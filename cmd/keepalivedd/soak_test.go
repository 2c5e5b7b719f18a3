package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// issue 8, promises C1, R1, R4, T1, T3: a hundred programs of every kind, and whatever may happen to them and to the
// daemon, for as long as SOAK says. In its first half the daemon is killed and stopped now and then; in the second it
// lives on. At the end it has the descriptors, threads and memory that it had after its start; nothing was ever started
// while it ran, and nothing is left. SOAK_SEED decides what happens, as far as chance and not time does.
// Run it by .ci/soak.
func TestSoak(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil {
		t.Skip("SOAK says for how long: see .ci/soak")
	}
	seed, err := strconv.ParseUint(os.Getenv("SOAK_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64N(1_000_000)
	}
	t.Logf("SOAK=%v SOAK_SEED=%d", long, seed)
	s := newSoak(t, rand.New(rand.NewPCG(seed, seed)))
	s.start()
	events := []struct {
		weight int
		name   string
		do     func()
		early  bool // in the first half only
	}{
		{30, "programs killed", s.killSome, false},
		{8, "programs signalled", s.signalSome, false},
		{4, "programs stopped and continued", s.freeze, false},
		{10, "reloads", s.reload, false},
		{4, "broken reloads", s.breakReload, false},
		{3, "a hundred HUPs", s.hups, false},
		{5, "storms of output", s.storm, false},
		{3, "programs sick", s.sicken, false},
		{3, "no descriptors", s.noDescriptors, false},
		{3, "no disk", s.noDisk, false},
		{2, "gates killed", s.killGates, false},
		{1, "daemon killed", s.killDaemon, true},
		{1, "daemon restarted", s.restart, true},
	}
	sum, count := 0, map[string]int{}
	for _, e := range events {
		sum += e.weight
	}
	begin, measured := time.Now(), time.Now()
	for time.Since(begin) < long {
		n := s.IntN(sum)
		for _, e := range events {
			if n -= e.weight; n >= 0 {
				continue
			}
			if !e.early || time.Since(begin) < long/2 {
				s.note(e.name)
				e.do()
				count[e.name]++
			}
			break
		}
		s.alive()
		bury()
		if time.Since(measured) > 5*time.Minute {
			s.rest(0)
			measured = time.Now()
		}
		time.Sleep(chance(time.Second))
	}
	t.Logf("what happened: %v", count)
	s.rest(5 * time.Minute)
	s.stop()
}

// soak is a daemon, and what happens to it.
type soak struct {
	*world
	*rand.Rand
	soaked, disk string
	events       *os.File // what was done, and when
	daemonNow    *process
	first        *measure // after the start
	told         int      // of the complaints
}

func newSoak(t *testing.T, r *rand.Rand) *soak {
	if os.Geteuid() != 0 {
		t.Skip("it mounts a disk, and needs root")
	}
	dir := os.Getenv("SOAK_DIR")
	if dir == "" {
		t.Skip("run it by .ci/soak")
	}
	path, err := exec.LookPath("soaked")
	if err != nil {
		t.Fatal(err)
	}
	s := &soak{world: worldIn(t, dir, ""), Rand: r, soaked: path, disk: filepath.Join(dir, "disk")}
	for _, sub := range []string{"disk", "locks", "sick"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("soak", s.disk, "tmpfs", 0, "size=256m,mode=755"); err != nil {
		t.Fatal(err)
	}
	s.pidfile, s.log = filepath.Join(s.disk, "pid"), filepath.Join(s.disk, "log")
	if s.events, err = os.Create(filepath.Join(dir, "events")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.WriteFile(filepath.Join(dir, "log"), []byte(s.read(s.log)), 0o644) }) // the disk ends with this
	s.open("complaints")
	os.WriteFile(filepath.Join(dir, "environment"), []byte("SOAK_VARIABLE=a\n"), 0o644)
	for _, k := range soakKinds {
		for n := range k.count {
			for _, of := range []string{"", ".child", ".check", ".gate"} {
				s.open(filepath.Join("locks", fmt.Sprintf("%s%d%s", k.kind, n, of)))
			}
		}
	}
	return s
}

// open makes a file that every user may write.
func (s *soak) open(name string) {
	path := filepath.Join(s.dir, name)
	os.WriteFile(path, nil, 0o666)
	os.Chmod(path, 0o666)
}

func (s *soak) note(what string) {
	fmt.Fprintln(s.events, time.Now().Format("15:04:05.000"), what)
}

func (s *soak) configure(r *rand.Rand, more string) {
	text := fmt.Sprintf("pidfile = %q\nlog.to = %q\nshutdown_timeout = \"20s\"\n%s%s", s.pidfile, s.log, s.programs(r),
		more)
	if err := os.WriteFile(s.conf, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *soak) calm(yes bool) {
	path := filepath.Join(s.dir, "calm")
	if yes {
		os.WriteFile(path, nil, 0o644)
	} else {
		os.Remove(path)
	}
}

// start begins a life of the daemon, and measures it.
func (s *soak) start() {
	s.calm(true)
	s.configure(nil, "")
	if status, stderr := s.run(); status != 0 {
		s.t.Fatalf("start: status %d, %q", status, stderr)
	}
	s.daemonNow = s.daemon()
	s.first = nil
	s.rest(0)
}

// alive checks that the daemon has not ended, and that no program complains.
func (s *soak) alive() {
	if s.daemonNow.ends(0) {
		s.t.Fatalf("the daemon has ended: %s", s.read(strings.TrimSuffix(s.pidfile, ".pid")+".crash"))
	}
	if text := s.read(filepath.Join(s.dir, "complaints")); len(text) > s.told {
		s.t.Errorf("programs complain:\n%s", text[s.told:])
		s.told = len(text)
	}
	outputs, _ := filepath.Glob(filepath.Join(s.disk, "*.out"))
	for _, path := range outputs {
		if st, err := os.Stat(path); err == nil && st.Size() > 2<<20 {
			os.Truncate(path, 0)
		}
	}
	s.trim()
}

// trim keeps what the log says, without the storms, apart from the disk, which they would fill.
func (s *soak) trim() {
	st, err := os.Stat(s.log)
	if err != nil || st.Size() < 8<<20 {
		return
	}
	kept, err := os.OpenFile(filepath.Join(s.dir, "log.before"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer kept.Close()
	for line := range strings.Lines(s.read(s.log)) {
		if !strings.Contains(line, "storm storm") {
			kept.WriteString(line)
		}
	}
	os.Truncate(s.log, 0)
}

func (s *soak) ask() (programs []supervise.Status, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var a state
	err = control.Ask(ctx, control.Path(s.pidfile), "status", nil, &a)
	for i := range a.Programs {
		programs = append(programs, a.Programs[i].Status)
	}
	return programs, err
}

// What a daemon may have more of than after its start. Of the heap that a storm has needed the runtime keeps some (a
// storm of eight programs: 8 to 15 MB, of which 0.4 to 2 MB are in use),
// and a system call that takes its time has it start a thread.
const moreKilobytes, moreThreads = 16 << 10, 2

// rest lets all come to rest with the plain configuration, and compares the daemon with what it was after its start.
// What it has freed of its memory the runtime gives back only by and by: at the end that is waited for.
func (s *soak) rest(long time.Duration) {
	s.note("rest")
	s.calm(true)
	defer s.calm(false)
	s.configure(nil, "")
	if status, stderr := s.run("reload"); status != 0 {
		s.t.Errorf("reload: status %d, %q", status, stderr)
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		restless, err := s.restless()
		if err == nil && len(restless) == 0 {
			break
		}
		if time.Now().After(deadline) {
			s.t.Errorf("it does not come to rest: %v %v", restless, err)
			return
		}
		s.alive()
		bury()
	}
	s.once()
	if s.first == nil {
		s.first = s.least()
	}
	var now *measure
	for end := time.Now().Add(long); ; time.Sleep(5 * time.Second) {
		now = s.least()
		s.t.Logf("%s at rest: %v", time.Now().Format("15:04:05"), now)
		if now.kilobytes <= s.first.kilobytes+moreKilobytes || time.Now().After(end) {
			break
		}
	}
	if was := s.first; len(now.descriptors) > len(was.descriptors) || now.threads > was.threads+moreThreads ||
		long > 0 && now.kilobytes > was.kilobytes+moreKilobytes {
		s.t.Errorf("after its start it was: %v\nnow it has: %v\n%s", was, now, strings.Join(now.descriptors, "\n"))
	}
	s.alive()
}

// least is what the daemon takes at least: a check has a descriptor or two while it runs.
func (s *soak) least() *measure {
	least := measured(s.daemonNow.pid)
	for range 20 {
		time.Sleep(200 * time.Millisecond)
		if m := measured(s.daemonNow.pid); len(m.descriptors) <= len(least.descriptors) {
			least = m
		}
	}
	return least
}

// restless are those that are not where they come to rest.
func (s *soak) restless() (names []string, err error) {
	programs, err := s.ask()
	for _, p := range programs {
		want := "up"
		switch strings.TrimRight(p.Name, "0123456789") {
		case "oneshot":
			want = "done"
		case "fails", "wrong":
			want = "failed"
		}
		if p.State != want {
			names = append(names, p.Name+" is "+p.State)
		}
	}
	return names, err
}

// once checks that each program that is up has one process, and no other program has any. One that is still being set
// up, for its user and the like, is waited for.
func (s *soak) once() {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		programs, err := s.ask()
		if err != nil {
			s.t.Errorf("status: %v", err)
			return
		}
		want, got := map[string][]int{}, map[string][]int{}
		for _, p := range programs {
			if p.PID != 0 {
				want[p.Name] = []int{p.PID}
			}
		}
		for _, p := range s.soakers() {
			if p.role == "main" {
				got[p.name] = append(got[p.name], p.pid)
			}
		}
		if maps.EqualFunc(got, want, slices.Equal[[]int]) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Errorf("the programs' processes are %v, and status says %v", got, want)
			return
		}
	}
}
