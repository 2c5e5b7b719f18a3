// Bench measures keepalivedd beside keepalived and a plain go-daemon program: see README.md.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

var (
	rounds = flag.Int("n", 60, "rounds of start, second start and stop; every eighth has a storm")
	idle   = flag.Duration("idle", 20*time.Second, "how long to look at the idle daemons; 0: not at all")
	only   = flag.String("only", "go-daemon,keepalivedd,keepalived", "the peers; the first is the base of the ratios")

	// Rows of the table, in the order in which they are printed.
	ratios = []string{"start to ready", "second start", "stop", "storm of 100", "PSS"}
	sums   = []string{"starts that failed", "second starts not refused", "stops that took over 5 s",
		"storms without exactly one status 0", "storms without exactly one daemon", "idle: CPU time, ns", "idle: voluntary switches"}
)

func main() { os.Exit(run()) }

func run() int {
	flag.Parse()
	ctx, end := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer end()
	// Orphans become children of this process: their end shows at once, and nobody else's process is among them.
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	dir, err := os.MkdirTemp(cmp.Or(os.Getenv("TMPDIR"), "/dev/shm"), "bench") // no disk in the figures
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	defer endAll()
	t, peers := table{}, findPeers(dir)
	for round := 0; round < *rounds && ctx.Err() == nil; round++ {
		for _, i := range rand.Perm(len(peers)) { // who comes after whom is worth some per cent
			t.round(peers[i])
			if round%8 == 7 {
				t.storm(peers[i])
			}
		}
	}
	if *idle > 0 {
		t.idle(ctx, peers)
	}
	if ctx.Err() == nil && len(peers) > 0 {
		t.print(peers)
	}
	return 0
}

func findPeers(dir string) (peers []*peer) {
	for name := range strings.SplitSeq(*only, ",") {
		p, err := newPeer(dir, name)
		if err == nil {
			_, err = p.start() // a first time, which is not measured
		}
		if err != nil {
			fmt.Printf("%s is left out: %v\n", name, err)
		} else {
			peers = append(peers, p)
		}
		endAll()
	}
	return peers
}

// table is what was measured.
type table map[cell][]float64

type cell struct {
	row  string
	peer *peer
}

func (t table) add(row string, p *peer, v float64) { t[cell{row, p}] = append(t[cell{row, p}], v) }

func (t table) took(row string, p *peer, began time.Time) { t.add(row, p, time.Since(began).Seconds()) }

func (t table) bad(row string, p *peer, is bool) { t.add(row, p, map[bool]float64{true: 1}[is]) }

func (t table) round(p *peer) {
	defer endAll()
	began := time.Now()
	pid, err := p.start()
	if t.bad("starts that failed", p, err != nil); err != nil {
		return
	}
	t.took("start to ready", p, began)
	began = time.Now()
	status := wait(p.spawn())
	t.took("second start", p, began)
	t.bad("second starts not refused", p, status == 0)
	began = time.Now()
	unix.Kill(pid, unix.SIGTERM)
	t.bad("stops that took over 5 s", p, !reapAll(5*time.Second))
	t.took("stop", p, began)
}

// storm is many starts at once, of which one is to succeed.
func (t table) storm(p *peer) {
	defer endAll()
	os.Remove(p.pidfile)
	began := time.Now()
	pids, statuses := [100]int{}, map[int]int{}
	for i := range pids {
		pids[i] = p.spawn()
	}
	for _, pid := range pids {
		statuses[wait(pid)]++
	}
	t.took("storm of 100", p, began)
	reapAll(300 * time.Millisecond) // copies that nobody has waited for come to an end
	t.bad("storms without exactly one status 0", p, statuses[0] != 1)
	t.bad("storms without exactly one daemon", p, len(children()) != 1)
}

// idle has all peers run side by side and looks at what they use while there is nothing to do.
func (t table) idle(ctx context.Context, peers []*peer) {
	pids := map[*peer]int{}
	for _, p := range peers {
		pids[p], _ = p.start()
	}
	for i, pause := range []time.Duration{3 * time.Second, *idle} { // the first is for settling
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		for p, pid := range pids {
			dir, sign := fmt.Sprintf("/proc/%d/", pid), float64(2*i-1) // what is summed up is the difference
			t.add("PSS", p, number(dir+"smaps_rollup", "\nPss:"))
			t.add("idle: CPU time, ns", p, sign*number(dir+"task/*/schedstat", "")) // utime counts in ticks
			t.add("idle: voluntary switches", p, sign*number(dir+"task/*/status", "\nvoluntary_ctxt_switches:"))
		}
	}
}

// print gives the ratios of the medians, with the spread from p10 to p90 by the same measure, and the sums of the counts.
func (t table) print(peers []*peer) {
	fmt.Printf("%d interleaved rounds, idle for %v; medians (p10-p90) as ratios to the median of %s, then sums\n\n", *rounds, *idle, peers[0].name)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row := func(name string, text func(v []float64, p *peer) string) {
		fmt.Fprint(w, name)
		for _, p := range peers {
			fmt.Fprint(w, "\t", text(t[cell{name, p}], p))
		}
		fmt.Fprintln(w)
	}
	row("", func(_ []float64, p *peer) string { return p.name })
	for _, name := range ratios {
		base := quantile(t[cell{name, peers[0]}], 0.5)
		row(name, func(v []float64, _ *peer) string {
			return fmt.Sprintf("%.2f (%.2f-%.2f)", quantile(v, 0.5)/base, quantile(v, 0.1)/base, quantile(v, 0.9)/base)
		})
	}
	for _, name := range sums {
		row(name, func(v []float64, _ *peer) string {
			sum := 0.0
			for _, x := range v {
				sum += x
			}
			return fmt.Sprint(sum)
		})
	}
}

func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return slices.Sorted(slices.Values(v))[int(math.Round(q*float64(len(v)-1)))]
}

// A peer is a daemon by its start command.
type peer struct {
	name    string
	argv    []string // the first is an absolute path
	pidfile string
}

// newPeer gets a peer ready under dir, where all its files go. Ours and the sample are built.
func newPeer(dir, name string) (*peer, error) {
	in := func(file string) string { return filepath.Join(dir, name+"."+file) }
	p := &peer{name: name, pidfile: in("pid"), argv: []string{in("bin")}}
	pkg, conf := "", ""
	switch name {
	case "go-daemon":
		pkg = "bench/godaemon"
		p.argv = append(p.argv, p.pidfile)
	case "keepalivedd":
		pkg, conf = "cmd/keepalivedd", fmt.Sprintf("[log]\nto = %q\n", in("log"))
		p.argv = append(p.argv, "-f", in("conf"), "-p", p.pidfile)
	default:
		path, err := exec.LookPath(name)
		if err != nil || name != "keepalived" {
			return nil, errors.New("it is not installed")
		}
		conf = "global_defs {\n  router_id bench\n}\n"
		p.argv = []string{path, "-G", "-f", in("conf"), "-p", p.pidfile, "-r", in("vrrp"), "-c", in("check"), "-b", in("bfd")}
	}
	if pkg != "" {
		c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", in("bin"), "github.com/keepalivedd/keepalivedd/"+pkg)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	return p, os.WriteFile(in("conf"), []byte(conf), 0o600)
}

// spawn runs the start command; its PID is 0 when it cannot be run.
func (p *peer) spawn() (pid int) {
	null, _ := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	defer null.Close()
	fd := null.Fd()
	pid, _ = syscall.ForkExec(p.argv[0], p.argv, &syscall.ProcAttr{Dir: "/", Env: os.Environ(), Files: []uintptr{fd, fd, fd}})
	return pid
}

// start returns when the command has succeeded and the pidfile names a daemon of ours.
func (p *peer) start() (pid int, err error) {
	os.Remove(p.pidfile)
	if status := wait(p.spawn()); status != 0 {
		return 0, fmt.Errorf("%s: exit status %d", p.argv[0], status)
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); nap() {
		text, _ := os.ReadFile(p.pidfile)
		pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
		// Whether it is a child: waitid fails for anybody else's.
		if err == nil && pid > 1 && unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == nil {
			return pid, nil
		}
	}
	return 0, errors.New("the pidfile does not come to name it")
}

func nap() { unix.Nanosleep(&unix.Timespec{Nsec: 20_000}, nil) }

// wait returns the exit status of a child; -1: it was killed, or could not be run.
func wait(pid int) int {
	var ws unix.WaitStatus
	for pid > 0 {
		if _, err := unix.Wait4(pid, &ws, 0, nil); err != unix.EINTR {
			return ws.ExitStatus()
		}
	}
	return -1
}

// reapAll waits until no child is left, and tells whether that was before long.
func reapAll(long time.Duration) bool {
	for end := time.Now().Add(long); time.Now().Before(end); {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err == unix.ECHILD {
			return true
		}
		if pid <= 0 {
			nap()
		}
	}
	return false
}

// endAll ends whatever was started and is still there.
func endAll() {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGTERM, unix.SIGKILL, unix.SIGKILL} {
		for _, pid := range children() {
			unix.Kill(pid, sig)
		}
		if reapAll(time.Second) {
			return
		}
	}
}

func children() (pids []int) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(text)) {
			pid, _ := strconv.Atoi(child)
			pids = append(pids, pid)
		}
	}
	return pids
}

// number adds up the numbers that follow key in the files.
func number(pattern, key string) (total float64) {
	paths, _ := filepath.Glob(pattern)
	for _, path := range paths {
		text, _ := os.ReadFile(path)
		_, after, _ := strings.Cut(string(text), key)
		n := 0.0
		fmt.Sscan(after, &n)
		total += n
	}
	return total
}
