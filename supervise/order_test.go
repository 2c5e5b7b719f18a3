package supervise_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

func after(names ...string) func(*supervise.Program) {
	return func(p *supervise.Program) { p.Order = &supervise.Order{After: names} }
}

// onWord makes a program ready when somebody writes to the FIFO of that name, beside that of the world.
func (w *world) onWord(name string) (script string, change func(*supervise.Program)) {
	w.t.Helper()
	if err := unix.Mkfifo(w.fifo+"."+name, 0o666); err != nil {
		w.t.Fatal(err)
	}
	return announce + `read word <"$FIFO.$NAME"; echo >&5; ` + hold,
		func(p *supervise.Program) { p.Ready = &supervise.Ready{FD: 5} }
}

func (w *world) word(name string) {
	w.t.Helper()
	if err := os.WriteFile(w.fifo+"."+name, []byte("go\n"), 0); err != nil {
		w.t.Fatal(err)
	}
}

// promise C5, issue 7.A9: whatever the names, at the start and at a reload
func TestAfterIsKeptWhateverTheNames(t *testing.T) {
	for _, dep := range []string{"dep", "zdep"} {
		t.Run(dep, func(t *testing.T) {
			w := newWorld(t, supervise.Options{})
			script, ready := w.onWord("n")
			n, d := w.program("n", script, ready), w.program(dep, announce+hold, after("n"))
			w.apply(n, d)
			w.expect("n")
			if got := w.state(dep); got != "blocked" {
				t.Errorf("n is not ready, and %s is %s", dep, got)
			}
			w.word("n")
			w.expect(dep)

			// Both are new once more, beside one that stays.
			stays := w.program("stays", announce+hold)
			w.apply(stays)
			w.expect("stays")
			w.apply(stays, n, d)
			w.expect("n")
			if got := w.state(dep); got != "blocked" {
				t.Errorf("after a reload n is not ready, and %s is %s", dep, got)
			}
			w.word("n")
			w.expect(dep)
		})
	}
}

// promise C5, issue 7.A9: a reload that has what is done run anew has those wait for it that come after it
func TestAfterWhatIsDoneAndRunsAnew(t *testing.T) {
	for _, before := range []string{"first", "zfirst"} {
		t.Run(before, func(t *testing.T) {
			w := newWorld(t, supervise.Options{})
			if err := unix.Mkfifo(w.fifo+".go", 0o600); err != nil {
				t.Fatal(err)
			}
			once := func(p *supervise.Program) { p.OneShot, p.Restart = true, supervise.OnFailure }
			m := func(version string) supervise.Program {
				return w.program("m", announce+"exit 1", after(before), func(p *supervise.Program) {
					p.Backoff = &supervise.Backoff{Min: time.Hour, Max: time.Hour}
					p.Environment["VERSION"] = version
				})
			}
			w.apply(w.program(before, announce+"exit 0", once), m("old"))
			w.expect(before)
			w.expect("m")
			w.expect("m") // the second time at once, the third not for an hour
			w.logged("program m: exited with status 1 after")
			w.logged("(2 times in a row)")
			w.apply(w.program(before, announce+`read word <"$FIFO.go"; exit 0 # anew`, once), m("new"))
			w.expect(before)
			if got := w.state("m"); got != "blocked" {
				t.Errorf("%s runs anew, and m is %s", before, got)
			}
			if err := os.WriteFile(w.fifo+".go", []byte("go\n"), 0); err != nil {
				t.Fatal(err)
			}
			w.expect("m")
		})
	}
}

const farewell = `trap 'echo "$NAME-ends 0" >"$FIFO"; exit' TERM; ` + announce + `while :; do sleep 1000 & wait; done`

// promise C5, issue 7.A9: at a reload too, what comes after another is stopped before it, be they gone or changed
func TestReloadStopsInReverse(t *testing.T) {
	for _, names := range [][2]string{{"a", "b"}, {"b", "a"}} {
		first, second := names[0], names[1]
		for what, next := range map[string]func(w *world) []supervise.Program{
			"gone": func(w *world) []supervise.Program { return nil },
			"changed": func(w *world) []supervise.Program {
				return []supervise.Program{w.program(first, farewell+" # anew"),
					w.program(second, farewell+" # anew", after(first))}
			},
			"changed, and in no order any more": func(w *world) []supervise.Program {
				return []supervise.Program{w.program(first, farewell+" # anew"), w.program(second, farewell+" # anew")}
			},
			"changed, and the other way round": func(w *world) []supervise.Program {
				return []supervise.Program{w.program(first, farewell+" # anew", after(second)),
					w.program(second, farewell+" # anew")}
			},
		} {
			t.Run(what+"/"+first, func(t *testing.T) {
				w := newWorld(t, supervise.Options{})
				w.apply(w.program(first, farewell), w.program(second, farewell, after(first)))
				w.next()
				w.next()
				programs := next(w)
				w.apply(programs...)
				w.expect(second + "-ends")
				var rest []string
				for range 1 + len(programs) {
					name, _ := w.next()
					rest = append(rest, name)
				}
				if rest[0] != first+"-ends" && what != "changed, and in no order any more" &&
					what != "changed, and the other way round" {
					t.Errorf("after the end of %s: %v", second, rest)
				}
			})
		}
	}
}

// promise C5, issue 7.A9: random names, orders and reloads. A program that announces itself must find ready, or ended
// for good, whatever it comes after: each is ready as soon as it has made a directory of its own,
// and looks for the others'.
func TestRandomOrders(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SUPERVISE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("SUPERVISE_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	const script = `for n in $NEEDS; do [ -d "$DIR/$n" ] || echo "$NAME:before:$n 0" >"$FIFO"; done
		trap 'rmdir "$DIR/$NAME"; exit' TERM; mkdir "$DIR/$NAME"; echo >&3; ` + announce + `exec 3>&-; while :; do sleep 1000 & wait; done`
	for round := range 6 {
		w := newWorld(t, supervise.Options{})
		dir := t.TempDir()
		for generation := range 3 {
			names := make([]string, 2+r.IntN(6))
			for i := range names {
				names[i] = fmt.Sprintf("%c%d", 'a'+r.IntN(26), i)
			}
			var programs []supervise.Program
			for i, name := range names {
				var order supervise.Order
				var needs []string
				for _, n := range names[:i] {
					switch r.IntN(4) {
					case 0:
						order.After = append(order.After, n)
					case 1:
						order.Requires = append(order.Requires, n)
					default:
						continue
					}
					needs = append(needs, n)
				}
				programs = append(programs, w.program(name, script, func(p *supervise.Program) {
					p.Ready, p.Order = &supervise.Ready{FD: 3}, &order
					p.Environment["DIR"], p.Environment["NEEDS"] = dir, strings.Join(needs, " ")
					p.Environment["GENERATION"] = strconv.Itoa(generation)
					p.Backoff = &supervise.Backoff{Min: time.Millisecond, Max: time.Millisecond}
				}))
			}
			r.Shuffle(len(programs), func(i, j int) { programs[i], programs[j] = programs[j], programs[i] })
			w.apply(programs...)
			for range programs {
				if name, _ := w.next(); strings.Contains(name, ":before:") {
					t.Fatalf("round %d, generation %d: %s; SUPERVISE_SEED=%d", round, generation, name, seed)
				}
			}
		}
		if err := w.stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%v is left; SUPERVISE_SEED=%d", left, seed)
		}
		w.close()
	}
}

// issue 3.3: the stop goes in reverse, and waits
func TestStopInReverse(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	farewell := `trap 'echo "$NAME-ends 0" >"$FIFO"; exit' TERM; ` + announce + `while :; do sleep 1000 & wait; done`
	after := func(names ...string) func(*supervise.Program) {
		return func(p *supervise.Program) { p.Order = &supervise.Order{Requires: names} }
	}
	w.apply(w.program("c", farewell, after("b")), w.program("b", farewell, after("a")), w.program("a", farewell))
	for range 3 {
		w.next()
	}
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"c-ends", "b-ends", "a-ends"} {
		w.expect(name)
	}
}

// issue 3.3: cycles are named
func TestApplyRefusesCycles(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	err := w.set.Apply(context.Background(), []supervise.Program{
		w.program("a", hold, func(p *supervise.Program) { p.Order = &supervise.Order{After: []string{"b"}} }),
		w.program("b", hold, func(p *supervise.Program) { p.Order = &supervise.Order{After: []string{"a"}} })})
	if err == nil || !strings.Contains(err.Error(), "a needs b needs a") &&
		!strings.Contains(err.Error(), "b needs a needs b") {
		t.Errorf("Apply: %v", err)
	}
}
