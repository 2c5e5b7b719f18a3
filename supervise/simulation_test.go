package supervise

import (
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// promises C, T, R, O, G: random lives of programs, against a model of the kernel and of what has to be.
//
// SIMULATE_SEED is the first seed, SIMULATE_N their number; with a number of 1 the trace is told in any case.
func TestSimulation(t *testing.T) {
	first, n := uint64(1), 10_000
	if info, ok := debug.ReadBuildInfo(); testing.Short() ||
		ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		n = 1000
	}
	if s := os.Getenv("SIMULATE_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
	}
	if s := os.Getenv("SIMULATE_N"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	all := os.Getenv("SIMULATE_ALL") != "" // tell how many fail, and of what
	var at, failed atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for failed.Load() == 0 || all {
				i := at.Add(1) - 1
				if i >= int64(n) {
					return
				}
				seed := first + uint64(i)
				ops := schedule(seed)
				wrong, trace := live(t, seed, ops, n == 1)
				switch {
				case len(wrong) == 0 && n == 1:
					t.Log(strings.Join(trace, "\n"))
				case len(wrong) == 0:
				case failed.Add(1) == 1:
					tell(t, seed, ops, wrong[0])
				case all:
					t.Errorf("SIMULATE_SEED=%d: %s", seed, wrong[0])
				}
			}
		})
	}
	t.Cleanup(func() {
		if f := failed.Load(); f > 0 {
			t.Logf("%d of %d schedules failed", f, at.Load())
		}
	})
}

// tell shortens a schedule that fails, and tells what happened.
func tell(t *testing.T, seed uint64, ops []operation, what string) {
	kind, _, _ := strings.Cut(what, ":")
	fails := func(ops []operation) bool {
		wrong, _ := live(t, seed, ops, false)
		return len(wrong) > 0 && strings.HasPrefix(wrong[0], kind)
	}
	if again := fails(ops); !again {
		t.Errorf("SIMULATE_SEED=%d: it does not fail again", seed)
	}
	ops = shorten(ops, fails)
	wrong, trace := live(t, seed, ops, true)
	var words []string
	for _, o := range ops {
		words = append(words, "    "+o.String())
	}
	t.Errorf("SIMULATE_SEED=%d: %s\n  shortened: %v\n%s\n  what happened:\n%s", seed, what, wrong,
		strings.Join(words, "\n"), strings.Join(trace, "\n"))
}

// shorten leaves out operations, and programs of them, as long as it fails.
func shorten(ops []operation, fails func([]operation) bool) []operation {
	for again := true; again; {
		again = false
		for i := len(ops) - 2; i >= 0; i-- { // the last is the stop
			fewer := slices.Delete(slices.Clone(ops), i, i+1)
			fewer[i].after += ops[i].after
			if fails(fewer) {
				ops, again = fewer, true
			}
		}
		for name := range strings.SplitSeq("abcdef", "") {
			fewer := slices.Clone(ops)
			changed := false
			for i := range fewer {
				n := len(fewer[i].next)
				fewer[i].next = slices.DeleteFunc(slices.Clone(fewer[i].next), func(p Program) bool { return p.Name == name })
				changed = changed || len(fewer[i].next) < n
			}
			if changed && fails(fewer) {
				ops, again = fewer, true
			}
		}
	}
	return ops
}
