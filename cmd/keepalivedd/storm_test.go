package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// promise S4: any number of starts at once give one daemon and one status 0, and the others 100
func TestStorm(t *testing.T) {
	const starters = 50
	rounds := 3
	if long() {
		rounds = 100
	}
	w := newWorld(t, oneProgram)
	for round := range rounds {
		type result struct {
			status int
			stderr string
		}
		gate, results := make(chan struct{}), make(chan result)
		for range starters {
			go func() {
				<-gate
				status, stderr := w.finish(w.command())
				results <- result{status, stderr}
			}()
		}
		close(gate)
		count := map[int]int{}
		for range starters {
			r := <-results
			count[r.status]++
			if r.status != 0 && r.status != 100 {
				t.Errorf("round %d: status %d, %q", round, r.status, r.stderr)
			}
		}
		if count[0] != 1 || count[100] != starters-1 {
			t.Fatalf("round %d: statuses %v", round, count)
		}
		p := w.daemon()
		w.await(w.log, "program one: started")
		if n := w.daemons(); n != 1 {
			t.Fatalf("round %d: %d daemons", round, n)
		}
		w.down(p)
		os.Remove(w.log)
	}
}

// daemons counts the processes of this world that run the program.
func (w *world) daemons() (n int) {
	for _, p := range processes(w.dir) {
		if exe, err := os.Readlink(filepath.Join("/proc", itoa(p.pid), "exe")); err == nil && exe == w.binary {
			n++
		}
		p.close()
	}
	return n
}

// promise S3, P3: starts, deletions of the pidfile, looks and reloads, all at once, disturb nobody. While a start that
// is about to be refused holds a pidfile of its own making, status and reload may take it for one that will succeed.
func TestStormAgainstADaemon(t *testing.T) {
	w := newWorld(t, oneProgram)
	p := w.up()
	calls := []struct {
		args []string
		want []int
	}{
		{nil, []int{100}},
		{[]string{"-n"}, []int{100}},
		{[]string{"status"}, []int{0, 4}},
		{[]string{"reload"}, []int{0, 7, 100}},
	}
	const times = 10
	errs := make(chan error)
	for range times {
		for _, call := range calls {
			go func() {
				if call.want[0] == 100 {
					os.Remove(w.pidfile)
				}
				status, stderr := w.finish(w.command(call.args...))
				if !slices.Contains(call.want, status) {
					errs <- fmt.Errorf("%v: status %d, %q", call.args, status, stderr)
					return
				}
				errs <- nil
			}()
		}
	}
	for range times * len(calls) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := w.daemons(); n != 1 {
		t.Fatalf("%d daemons", n)
	}
	w.await(w.pidfile, "^"+itoa(p.pid)+"\n$")
	w.down(p)
}
