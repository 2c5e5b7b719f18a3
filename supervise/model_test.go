package supervise_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// issue 3, "it must hold": no child is ever started twice, restarted after a stop, or left behind. Random starts, deaths,
// reloads, stops and kills against a model: what runs must be what the last Apply said, each once, and at the end nothing.
func TestRandomLives(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SUPERVISE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	duration := 2 * time.Second
	if s := os.Getenv("SUPERVISE_DURATION"); s != "" {
		duration, _ = time.ParseDuration(s)
	}
	t.Logf("SUPERVISE_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	mark := fmt.Sprintf("MODEL=%d-%d", os.Getpid(), seed)
	dir := t.TempDir()
	for end := time.Now().Add(duration); time.Now().Before(end); {
		w := newWorld(t, supervise.Options{})
		var wanted map[string]string
		for range 2 + r.IntN(10) {
			var programs []supervise.Program
			wanted = map[string]string{}
			for i := range r.IntN(8) {
				name := fmt.Sprint("p", i)
				if r.IntN(4) == 0 {
					continue
				}
				script := []string{hold, `trap "" TERM; while :; do sleep 1000; done`, `sleep 0.0` + strconv.Itoa(r.IntN(9)), "exit 1",
					`sleep 1000 & exec sleep 1000`}[r.IntN(5)]
				version := strconv.Itoa(r.IntN(3))
				wanted[name] = version
				programs = append(programs, w.program(name, script, func(p *supervise.Program) {
					p.Environment["MODEL"] = strings.TrimPrefix(mark, "MODEL=")
					p.Environment["VERSION"] = version
					p.Environment["ONLY"] = filepath.Join(dir, name)
					p.StopTimeout = time.Duration(r.IntN(50)) * time.Millisecond
					p.Backoff = &supervise.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}
					// A second process of the same program would not get the lock, and say so.
					p.Command = []string{"/bin/sh", "-c", `exec 9>"$ONLY"; flock -n 9 || { echo "$NAME twice" >"$FIFO"; exit 1; }; ` + script}
					if i > 0 && r.IntN(3) == 0 {
						if before := fmt.Sprint("p", r.IntN(i)); wanted[before] != "" {
							p.Order = &supervise.Order{After: []string{before}}
						}
					}
				}))
			}
			w.apply(programs...)
			for range r.IntN(6) {
				if st := w.set.Status(); len(st) > 0 {
					if s := st[r.IntN(len(st))]; s.PID > 1 {
						unix.Kill(s.PID, []unix.Signal{unix.SIGKILL, unix.SIGTERM, unix.SIGSTOP, unix.SIGCONT}[r.IntN(4)])
					}
				}
			}
			for _, s := range w.set.Status() {
				if _, ok := wanted[s.Name]; !ok && s.State != "stopping" {
					t.Errorf("%s is %s, and is not wanted", s.Name, s.State)
				}
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+r.IntN(200))*time.Millisecond)
		if err := w.set.Stop(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		for _, pid := range withEnvironment(mark) {
			gone(t, pid) // what was killed may still be dying
		}
		if w.events.Buffered() > 0 {
			line, _ := w.events.ReadString('\n')
			t.Errorf("%s", line)
		}
		if t.Failed() {
			t.Fatalf("SUPERVISE_SEED=%d", seed)
		}
		w.close()
	}
}

// withEnvironment returns the processes, zombies apart, that have the variable.
func withEnvironment(variable string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.Contains("\x00"+string(b), "\x00"+variable+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			pids = append(pids, pid)
		}
	}
	return pids
}
