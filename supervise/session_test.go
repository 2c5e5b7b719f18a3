package supervise_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// promise T3, issue 8.5: without cgroups, who has cleared its environment is found by its session, and nobody else
func TestEndSessions(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	// A group of its own, and another parent, in the session of the program; and a session of its own,
	// of which nothing tells.
	bare := `(set -m; env -i FIFO="$FIFO" NAME=bare sh -c '` + announce + hold + `' &); `
	w.apply(w.program("a", bare+away("elsewhere", hold)+announce+hold,
		func(p *supervise.Program) { p.Restart = supervise.Never }),
		w.program("keeps", bare+announce+hold, func(p *supervise.Program) { p.Kill = supervise.KillProcess }))
	pids := map[string]int{}
	bares := []int{}
	for range 5 {
		name, pid := w.next()
		if pids[name] = pid; name == "bare" {
			bares = append(bares, pid)
		}
	}
	sessions := w.set.Sessions(nil)
	byKill := func(a, b supervise.Session) int {
		if a.Alone == b.Alone {
			return 0
		}
		return map[bool]int{false: -1, true: 1}[a.Alone]
	}
	slices.SortFunc(sessions, byKill)
	if len(sessions) != 2 || sessions[0].PID != pids["a"] || sessions[0].Start == 0 || sessions[0].Alone ||
		sessions[1].PID != pids["keeps"] || !sessions[1].Alone {
		t.Fatalf("%+v of %v", sessions, pids)
	}
	again := w.set.Sessions(sessions)
	slices.SortFunc(again, byKill)
	if !slices.Equal(again, sessions) {
		t.Errorf("%+v, and then %+v", sessions, again)
	}
	its, kept := bares[0], bares[1]
	if sid, _ := unix.Getsid(its); sid != pids["a"] {
		its, kept = kept, its
	}
	for what, wrong := range map[string]supervise.Session{
		"the leader is another":     {PID: pids["a"], Start: sessions[0].Start - 1},
		"it is older":               {PID: pids["a"], Start: sessions[0].Start + 1<<40},
		"nobody is in the session":  {PID: its, Start: 1},
		"it is that of all others":  {PID: 0, Start: 0},
		"it is the first process's": {PID: 1, Start: 0},
	} {
		if ended := supervise.EndSessions([]supervise.Session{wrong}); len(ended) > 0 {
			t.Fatalf("%s: ended %v of %v", what, ended, pids)
		}
	}
	want := []int{its, pids["a"], pids["keeps"]}
	slices.Sort(want)
	if ended := supervise.EndSessions(sessions); !slices.Equal(ended, want) {
		t.Errorf("ended %v of %v, %v", ended, pids, bares)
	}
	gone(t, its)
	for name, pid := range map[string]int{"elsewhere": pids["elsewhere"], "what keeps has started": kept} {
		lives(t, name, pid)
	}
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	for _, pid := range append(bares, pids["elsewhere"]) {
		unix.Kill(pid, unix.SIGKILL)
	}
	if left := w.set.Sessions(sessions); len(left) > 0 {
		t.Errorf("after the stop: %v", left)
	}
}

// promise T3: who starts us, and what is above, are spared though they are in such a session
func TestEndSessionsSparesAncestors(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	c := w.role("sessions")
	outer := exec.Command("/bin/sh", "-c",
		`NAME=other sh -c '`+announce+hold+`' & read go; sh -c '"$0"; echo inner' "$0"; echo outer`, c.Path)
	outer.Env, outer.SysProcAttr = c.Env, &syscall.SysProcAttr{Setsid: true}
	var out strings.Builder
	outer.Stdout = &out
	in, err := outer.StdinPipe()
	if err == nil {
		err = outer.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	other := w.expect("other")
	t.Cleanup(func() { unix.Kill(other, unix.SIGKILL) })
	fmt.Fprintln(in, "go")
	err = outer.Wait()
	gone(t, other)
	if want := fmt.Sprintf("[%d]\ninner\nouter\n", other); err != nil || out.String() != want {
		t.Errorf("%q, %v, want %q", out.String(), err, want)
	}
}

// endOwnSession is the role of a start in the session of a program of the daemon before.
func endOwnSession() {
	sid, _ := unix.Getsid(0)
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", sid))
	words := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	start, _ := strconv.ParseUint(words[19], 10, 64)
	fmt.Println(supervise.EndSessions([]supervise.Session{{PID: sid, Start: start}}))
}
