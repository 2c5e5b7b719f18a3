package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// some are up to n processes of programs, chosen at random; with a role, those of it alone.
func (s *soak) some(n int, role string) (chosen []soakerProcess) {
	all := s.soakers()
	s.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, p := range all {
		if len(chosen) < n && (role == "" || p.role == role) {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

func (s *soak) killSome() {
	n := 1 + s.IntN(3)
	if s.IntN(10) == 0 {
		n = 100
	}
	for _, p := range s.some(n, "") {
		unix.Kill(p.pid, unix.SIGKILL)
	}
}

func (s *soak) killGates() {
	for _, p := range s.some(1+s.IntN(4), "gate") {
		unix.Kill(p.pid, unix.SIGKILL)
	}
}

func (s *soak) signalSome() {
	sig := []unix.Signal{unix.SIGTERM, unix.SIGSEGV, unix.SIGABRT, unix.SIGHUP, unix.SIGPIPE}[s.IntN(5)]
	for _, p := range s.some(1+s.IntN(3), "main") {
		unix.Kill(p.pid, sig)
	}
}

func (s *soak) freeze() {
	some := s.some(1+s.IntN(3), "")
	for _, p := range some {
		unix.Kill(p.pid, unix.SIGSTOP)
	}
	if s.IntN(2) == 0 {
		s.reload()
	}
	time.Sleep(chance(2 * time.Second))
	for _, p := range some {
		unix.Kill(p.pid, unix.SIGCONT)
	}
}

func (s *soak) reload() {
	s.configure(s.Rand, "")
	if status, stderr := s.run("reload"); status != 0 {
		s.t.Errorf("reload: status %d, %q", status, stderr)
	}
}

func (s *soak) breakReload() {
	s.configure(s.Rand, []string{
		"[program.syntax\n",
		"[program.new]\ncommand = [\"/no/such/file\"]\n",
		"[program.new]\ncommand = [\"/bin/true\"]\nuser = \"no-such-user\"\n",
		"[program.new]\ncommand = [\"/bin/true\"]\nafter = [\"new\"]\n",
	}[s.IntN(4)])
	before, unasked := s.ask()
	status, stderr := s.run("reload")
	after, err := s.ask()
	if status != misconfigured {
		s.t.Errorf("a broken reload: status %d, %q", status, stderr)
	}
	if err != nil || unasked != nil {
		return
	}
	was, is := map[string]bool{}, map[string]bool{}
	for _, p := range before {
		was[p.Name] = true
	}
	for _, p := range after {
		if is[p.Name] = true; !was[p.Name] {
			s.t.Errorf("a broken reload has made %s, which is %s", p.Name, p.State)
		}
	}
	for _, p := range before {
		if !is[p.Name] && p.State != "stopping" { // it went with a reload before, and was on its way
			s.t.Errorf("a broken reload has ended %s, which was %s", p.Name, p.State)
		}
	}
}

func (s *soak) hups() {
	s.configure(s.Rand, "")
	for range 100 {
		s.daemonNow.signal(s.t, unix.SIGHUP)
	}
}

func (s *soak) storm() {
	for _, p := range s.some(1+s.IntN(20), "main") {
		if !strings.Contains(p.what, "check") {
			unix.Kill(p.pid, unix.SIGUSR1)
		}
	}
}

// sicken has the checks of some programs fail for a while.
func (s *soak) sicken() {
	for n := range 6 {
		path := filepath.Join(s.dir, "sick", fmt.Sprintf("check%d", n))
		if os.Remove(path) != nil && s.IntN(2) == 0 {
			os.WriteFile(path, nil, 0o644)
		}
	}
}

// during lets a few things happen while something lacks. A reload may be refused then.
func (s *soak) during() {
	for range 1 + s.IntN(4) {
		s.killSome()
		s.configure(s.Rand, "")
		s.run("reload")
		time.Sleep(chance(time.Second))
	}
}

func (s *soak) noDescriptors() {
	var was unix.Rlimit
	used := len(measured(s.daemonNow.pid).descriptors)
	if err := unix.Prlimit(s.daemonNow.pid, unix.RLIMIT_NOFILE, nil, &was); err != nil {
		s.t.Fatal(err)
	}
	unix.Prlimit(s.daemonNow.pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(used + s.IntN(10)), Max: was.Max}, nil)
	s.during()
	unix.Prlimit(s.daemonNow.pid, unix.RLIMIT_NOFILE, &was, nil)
}

func (s *soak) noDisk() {
	path := filepath.Join(s.disk, "full")
	if f, err := os.Create(path); err == nil {
		for block := make([]byte, 1<<20); len(block) > 0; {
			if n, _ := f.Write(block); n == 0 {
				block = block[:len(block)/2]
			}
		}
		f.Close()
	}
	s.during()
	os.Remove(path)
}

// killDaemon kills it with all that it has running. What it leaves is gone when the next start returns, but for what
// its programs may leave, and what nobody can tell to be theirs.
func (s *soak) killDaemon() {
	s.daemonNow.signal(s.t, unix.SIGKILL)
	s.daemonNow.ends(patience)
	before := s.soakers()
	s.start()
	after := map[int]soakerProcess{}
	for _, p := range s.soakers() {
		after[p.pid] = p
	}
	for _, p := range before {
		if q := after[p.pid]; q == p && !mayStay(p) {
			s.t.Errorf("the daemon that was killed has left %v", p)
		}
	}
}

// mayStay says whether a process may outlive the daemon: that of a program with kill = "process", and one that has
// cleared its environment.
func mayStay(p soakerProcess) bool {
	return strings.HasPrefix(p.name, "session") && p.role == "many" ||
		strings.HasPrefix(p.name, "bare") && p.role == "many"
}

func (s *soak) restart() {
	s.stop()
	s.start()
}

// stop stops the daemon. What may stay ends by itself; after that nothing is left.
func (s *soak) stop() {
	if status, stderr := s.run("stop"); status != 0 {
		s.t.Errorf("stop: status %d, %q", status, stderr)
	}
	for _, p := range s.soakers() {
		if !mayStay(p) {
			s.t.Errorf("left after a stop: %v", p)
		}
	}
	for deadline := time.Now().Add(2 * time.Minute); len(s.soakers()) > 0 && time.Now().Before(deadline); bury() {
		time.Sleep(200 * time.Millisecond)
	}
	s.empty()
}
