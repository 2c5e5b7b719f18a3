package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promises G1, G2, issue 7.B7: three machines, each with a member of etcd, a daemon and a gated program that takes no
// notice of TERM and has a child. Whatever happens to their network and their processes, never two of them run, and the
// tokens rise. GATE_FAULTS is how many faults there are, GATE_SEED which, as far as chance and not time decides.
//
// Of the clocks only that of the machine could be set back, which is everybody's. Nothing of this reads it.
func TestGateFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes more than a minute")
	}
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"etcd", "etcdctl", "ip", "nsenter", "timeout", "beat"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs etcd-server, etcd-client, iproute2 and util-linux: ", err)
		}
	}
	seed, err := strconv.ParseUint(os.Getenv("GATE_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	bounded := false
	count, err := strconv.Atoi(os.Getenv("GATE_FAULTS"))
	if err != nil {
		count, bounded = 24, true
	}
	t.Logf("GATE_FAULTS=%d GATE_SEED=%d", count, seed)
	f := newField(t, rand.New(rand.NewPCG(seed, seed)))
	defer f.report()
	f.someBeat(0)
	for n := range count {
		if bounded && time.Since(f.begin) > 75*time.Second {
			t.Logf("%d faults have to do on a machine so slow", n)
			break
		}
		if n%3 == 0 && n > 0 { // not only when nobody is active anyway
			f.someBeat(time.Since(f.begin))
		}
		f.fault()
	}
	for len(f.mends) > 0 {
		f.pass(f.mends[0].at)
	}
	f.someBeat(time.Since(f.begin))
}

// beat is the child of the gated program: it writes its machine, its token and the time since the start of the test
// into the register, again and again.
func beat() {
	signal.Notify(make(chan os.Signal, 1), unix.SIGTERM)
	f, err := os.OpenFile(os.Getenv("REGISTER"), os.O_WRONLY|os.O_APPEND, 0)
	for err == nil {
		_, err = fmt.Fprintln(f, os.Getenv("MACHINE"), os.Getenv("KEEPALIVEDD_GATE"), boot().Nanoseconds())
		time.Sleep(20 * time.Millisecond)
	}
	panic(err)
}

// boot is the time since the boot, the same for every process.
func boot() time.Duration {
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &now)
	return time.Duration(now.Nano())
}

// field is the machines, and what happens to them.
type field struct {
	*testing.T
	*rand.Rand
	dir      string
	register string
	machines [3]*node
	begin    time.Time
	birth    time.Duration // begin, since the boot
	mends    []mend        // by time
	faults   int
}

// mend is what ends a fault.
type mend struct {
	at   time.Time
	busy *bool
	do   func()
}

func newField(t *testing.T, r *rand.Rand) *field {
	t.Helper()
	f := &field{T: t, Rand: r, dir: t.TempDir(), begin: time.Now(), birth: boot()}
	f.register = filepath.Join(f.dir, "register")
	if err := os.WriteFile(f.register, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range f.machines {
		n := &node{field: f, number: i, name: string(rune('a' + i)), space: fmt.Sprintf("keepalivedd-%d-%d", os.Getpid(), i),
			address: fmt.Sprintf("10.87.0.%d", i+1)}
		n.conf, n.pidfile = filepath.Join(f.dir, n.name+".toml"), filepath.Join(f.dir, n.name+".pid")
		if out, err := exec.Command("ip", "netns", "add", n.space).CombinedOutput(); err != nil {
			t.Skipf("no network namespace can be had: %v: %s", err, out)
		}
		f.machines[i] = n
		t.Cleanup(n.remove)
	}
	for _, n := range f.machines {
		n.ip("link", "set", "lo", "up")
		n.ip("addr", "add", n.address+"/32", "dev", "lo")
		for _, other := range f.machines[:n.number] {
			if out, err := exec.Command("ip", "link", "add", other.link(n), "netns", n.space, "type", "veth", "peer", "name",
				n.link(other), "netns", other.space).CombinedOutput(); err != nil {
				t.Skipf("no pair of interfaces can be had: %v: %s", err, out)
			}
			n.join(other)
			other.join(n)
		}
	}
	for _, n := range f.machines {
		n.startEtcd()
	}
	for _, n := range f.machines {
		n.configure()
		n.start()
	}
	return f
}

// fault makes one more thing go wrong, and lets some time pass. The network and the processes of a machine are hit at
// the same time, too; of its daemon and its guard only one.
func (f *field) fault() {
	n := f.machines[f.IntN(3)]
	if lines := f.read(); len(lines) > 0 && f.IntN(2) == 0 {
		n = f.machines[lines[len(lines)-1].machine[0]-'a'] // the one that is active
	}
	long := time.Duration(f.Int64N(int64(7 * time.Second)))
	if f.IntN(3) == 0 {
		long = time.Duration(f.Int64N(int64(500 * time.Millisecond))) // a delay
	}
	what := ""
	switch kind := f.IntN(10); {
	case kind < 4 && !n.cut:
		what = n.partition(long)
	case kind < 8 && !n.ill:
		what = n.stop(long)
	case !n.ill:
		what = n.kill(long)
	}
	if what != "" {
		f.faults++
		f.Logf("%8.3f %s: %s", time.Since(f.begin).Seconds(), n.name, what)
	}
	f.pass(time.Now().Add(time.Duration(f.Int64N(int64(2500 * time.Millisecond)))))
}

// pass lets time pass, and mends what is due.
func (f *field) pass(until time.Time) {
	for len(f.mends) > 0 && !f.mends[0].at.After(until) {
		m := f.mends[0]
		f.mends = f.mends[1:]
		time.Sleep(time.Until(m.at))
		m.do()
		*m.busy = false
	}
	time.Sleep(time.Until(until))
}

// line is one of the register.
type line struct {
	machine string
	token   int
	at      time.Duration
}

func (f *field) read() (lines []line) {
	file, err := os.Open(f.register)
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	for s := bufio.NewScanner(file); s.Scan(); {
		words := strings.Fields(s.Text())
		if len(words) != 3 {
			f.Fatalf("the register has %q", s.Text())
		}
		token, err := strconv.Atoi(words[1])
		at, _ := strconv.ParseInt(words[2], 10, 64)
		if err != nil {
			f.Fatalf("%q is no token", words[1])
		}
		lines = append(lines, line{words[0], token, time.Duration(at) - f.birth})
	}
	return lines
}

// someBeat waits until a program runs, later than that since the beginning.
func (f *field) someBeat(after time.Duration) {
	f.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); f.pass(time.Now().Add(100 * time.Millisecond)) {
		if lines := f.read(); len(lines) > 0 && lines[len(lines)-1].at > after {
			return
		}
	}
	f.Fatal("nobody is active")
}

// report prints the register, and looks whether two were active. A program on a machine that was paused as a whole may
// run for the moment that it takes its guard to wake up too: that is what the token is for,
// with which it would be refused.
func (f *field) report() {
	type span struct {
		line
		end time.Duration
	}
	var register []span
	fenced := 0
	for _, l := range f.read() {
		last := len(register) - 1
		if last < 0 || l.token > register[last].token {
			register = append(register, span{l, l.at})
			continue
		}
		if l.token == register[last].token && l.machine == register[last].machine {
			register[last].end = max(l.at, register[last].end)
			continue
		}
		if f.justResumed(l) {
			fenced++
			continue
		}
		if !f.Failed() {
			f.Errorf("%s runs with token %d at %.3f, after %s with %d", l.machine, l.token, l.at.Seconds(),
				register[last].machine, register[last].token)
		}
	}
	for i, s := range register {
		f.Logf("%s token %4d from %8.3f to %8.3f", s.machine, s.token, s.at.Seconds(), s.end.Seconds())
		if i > 0 && s.at <= register[i-1].end {
			f.Errorf("%s began before %s had ended", s.machine, register[i-1].machine)
		}
	}
	f.Logf("%d faults, %d owners; of machines that were paused %d lines with an old token", f.faults, len(register),
		fenced)
}

func (f *field) justResumed(l line) bool {
	return slices.ContainsFunc(f.machines[l.machine[0]-'a'].resumed, func(at time.Duration) bool {
		return l.at > at-f.birth-time.Second && l.at < at-f.birth+10*time.Second
	})
}
