package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// recover checks promise P6 after somebody was killed: the next start succeeds, without a hand. Two kinds of process of
// the start that was killed may be in its way, and it says so with 100: a copy whose launcher is dead, which calls
// itself off, and is waited for; and one that got its verdict out before the launcher died,
// which is a daemon like any other.
func (w *world) recover(what string) {
	w.t.Helper()
	defer bury()
	ready := regexp.MustCompile("INFO ready pid=([0-9]+)")
	for end := time.Now().Add(patience); time.Now().Before(end); {
		status, stderr := w.run()
		if status == 0 {
			w.down(w.daemon())
			return
		}
		if status != 100 {
			w.t.Fatalf("%s: the next start: status %d, %q", what, status, stderr)
		}
		// The pidfile may be gone by now: then the way is free, or soon will be.
		for _, p := range processes(w.dir) {
			if !w.isReady(p, ready) {
				p.ends(100 * time.Millisecond)
			}
			if w.isReady(p, ready) && !p.ends(0) {
				if status, out := w.run("stop"); status != 0 {
					w.t.Fatalf("%s: stop the daemon that is there: %d, %q", what, status, out)
				}
			}
			p.close()
		}
	}
	w.t.Fatalf("%s: no start succeeds; the log:\n%s", what, w.read(w.log))
}

func (w *world) isReady(p *process, ready *regexp.Regexp) bool {
	for _, match := range ready.FindAllStringSubmatch(w.read(w.log), -1) {
		if match[1] == itoa(p.pid) {
			return true
		}
	}
	return false
}

// promise P6, S2: kill -9 at a chosen system call of the process that was called or of its copy
func TestKilledAtASystemCall(t *testing.T) {
	needStrace(t)
	calls := map[who]map[string]int{
		// to the call at most; more than there are is harmless
		launcher: {
			"openat": 8, "fcntl": 6, "fchmod": 1, "ftruncate": 1, "socket": 1, "bind": 1, "listen": 1, "pipe2": 2,
			"dup3": 3, "execve": 1, "clone": 2, "write": 3, "close": 6, "pidfd_open": 1, "ppoll": 1, "fstat": 4,
			"exit_group": 1, "unlinkat": 1, "newfstatat": 2,
		},
		background: {
			"openat": 8, "fcntl": 6, "listen": 1, "pwrite64": 1, "inotify_init1": 1, "inotify_add_watch": 1, "close": 6,
			"chdir": 1, "dup3": 4, "write": 4, "execve": 1, "clone": 3, "umask": 1, "close_range": 1, "epoll_create1": 1,
			"epoll_ctl": 4, "getdents64": 1, "accept4": 1, "prctl": 2,
		},
	}
	for _, who := range []who{launcher, background} {
		t.Run(string(who), func(t *testing.T) {
			t.Parallel()
			hit := 0
			for call, last := range calls[who] {
				if long() {
					last *= 5
				} else {
					last = (last + 1) / 2
				}
				w := newWorld(t, oneProgram)
				for n := 1; n <= last; n++ {
					f := fault{who, call, fmt.Sprintf("signal=SIGKILL:when=%d", n), ""}
					status, stderr := w.runWith(f)
					switch {
					case status == 0:
						// Not reached; by a program on its way to exec; or after the verdict.
					case who == launcher && status == 128+9:
						hit++
					case status == 1 && stderr == "keepalivedd: it died before it was ready: signal: killed\n":
						hit++
						w.empty() // the launcher lives, and has cleaned up; it may be its child that was hit before its exec
					default:
						t.Errorf("%v: status %d, %q", f, status, stderr)
					}
					w.recover(f.String())
				}
				os.Remove(w.log)
			}
			t.Logf("%d were killed before the verdict", hit)
			if hit == 0 {
				t.Error("nobody was ever killed")
			}
		})
	}
}

// promise P6, P3: kill -9 while a deleted pidfile is being put back, or removed at the end
func TestKilledAtThePidfile(t *testing.T) {
	needStrace(t)
	const kill = "signal=SIGKILL:when=1"
	for _, test := range []struct {
		fault
		remove bool // the pidfile; else the daemon is stopped
	}{
		{fault{background, "unlinkat,unlink", kill, "NEW"}, true},
		{fault{background, "openat,open", kill, "NEW"}, true},
		{fault{background, "fchmod", kill, "NEW"}, true},
		{fault{background, "fcntl", kill, "NEW"}, true},
		{fault{background, "pwrite64", kill, "NEW"}, true},
		{fault{background, "renameat,rename,renameat2", kill, "NEW"}, true},
		{fault{background, "inotify_rm_watch", kill, ""}, true},
		{fault{background, "unlinkat,unlink", kill, "OLD"}, false},
		{fault{background, "exit_group", kill, ""}, false},
	} {
		t.Run(strings.ReplaceAll(test.String(), ",", "+"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, oneProgram)
			f := test.fault
			switch f.path {
			case "NEW":
				f.path = filepath.Join(w.dir, ".pid.new")
			case "OLD": // without cgroups other files are put in place, at any time
				f.path = w.pidfile
			}
			if status, stderr := w.runWith(f); status != 0 {
				t.Fatalf("start: status %d, %q", status, stderr)
			}
			p := w.daemon()
			if test.remove {
				os.Remove(w.pidfile)
			} else {
				p.signal(t, unix.SIGTERM)
			}
			if status := p.wait(t); status != 128+9 {
				t.Errorf("it was not killed: status %d", status)
			}
			w.nobody()
			// What it was about to rename is in nobody's way.
			w.recover(f.String())
			p = w.up()
			os.Remove(w.pidfile)
			w.await(w.pidfile, "^"+itoa(p.pid)+"\n$")
			w.down(p)
			for _, e := range must(os.ReadDir(w.dir)) {
				if strings.HasSuffix(e.Name(), ".new") {
					t.Errorf("%s is left", e.Name())
				}
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newRandom prints its seed, which $KEEPALIVEDD_SEED repeats.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("KEEPALIVEDD_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("KEEPALIVEDD_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// promise P6, T3: kill -9 at a random instant: of the process that was called, of its copy, of both
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	rounds := 60
	if long() {
		rounds = 1000
	}
	w := newWorld(t, oneProgram)
	outcomes := map[string]int{}
	for round := range rounds {
		c := w.command()
		after := time.Duration(random.Int64N(int64(10 * time.Millisecond)))
		victims := random.IntN(3)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		instant := time.NewTimer(after)
		<-instant.C
		copies := children(c.Process.Pid)
		if victims != 1 {
			c.Process.Kill()
		}
		if victims != 0 {
			for _, pid := range copies {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
		c.Wait()
		outcomes[fmt.Sprintf("%s: %v", []string{"launcher", "copy", "both"}[victims], c.ProcessState)]++
		w.recover(fmt.Sprintf("round %d, victims %d after %v", round, victims, after))
		os.Remove(w.log)
	}
	t.Log(outcomes)
}

// children are those of a process that is our child and was not waited for: neither it nor they, which come to us when
// it ends, can have given up their numbers. There are none where the kernel does not tell of them.
func children(pid int) (list []int) {
	files, _ := filepath.Glob(filepath.Join("/proc", itoa(pid), "task", "*", "children"))
	for _, file := range files {
		b, _ := os.ReadFile(file)
		for _, child := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(child); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// promise P6, T3: kill -9 at a random instant of a reload or of a stop
func TestKilledAtWork(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	rounds := 20
	if long() {
		rounds = 500
	}
	w := newWorld(t, oneProgram)
	for round := range rounds {
		after := time.Duration(random.Int64N(int64(3 * time.Millisecond)))
		w.configure(oneProgram)
		p := w.up()
		if round%2 == 0 {
			w.configure(strings.ReplaceAll(oneProgram, "one", "two"))
			p.signal(t, unix.SIGHUP)
		} else {
			p.signal(t, unix.SIGTERM)
		}
		instant := time.NewTimer(after)
		<-instant.C
		unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0)
		if status := p.wait(t); status != 0 && status != 128+9 {
			t.Errorf("round %d: it ended with %d", round, status)
		}
		w.nobody()
		w.recover(fmt.Sprintf("round %d, killed after %v", round, after))
		p.close()
		os.Remove(w.log)
	}
}
