package supervise

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise L3: what is kept of each program is the last of what it wrote, in its order and whole; all together stay
// within the bound, and nobody is cut for another who has more
func TestKept(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		g := keeping{bound: 1 << (10 + r.IntN(8))}
		longest, changes := min(longestLine, g.bound/16), seed%2 == 0
		if changes {
			longest = 1 << 10 / 16
		}
		wrote := map[*kept][]Line{}
		for range 1 + r.IntN(20) {
			g.rings = append(g.rings, &kept{program: fmt.Sprint("p", len(g.rings))})
		}
		for step := range 2000 {
			k := g.rings[min(r.IntN(len(g.rings)), r.IntN(len(g.rings)))]
			line := Line{N: uint64(step + 1), Program: k.program, PID: r.IntN(1 << 22), Time: time.Unix(0, r.Int64()),
				Stderr: r.IntN(2) == 0, Text: bytes.Repeat([]byte{byte('a' + step%26)}, r.IntN(1+longest))}
			before := sizes(g.rings)
			g.keep(k, &line)
			wrote[k] = append(wrote[k], line)
			for i, other := range g.rings {
				if was := before[i]; other != k && len(other.ring) < was && len(k.ring) > was {
					t.Fatalf("seed %d: a ring of %d bytes gave way to one of %d", seed, was, len(k.ring))
				}
			}
			if changes && step%500 == 499 {
				g.limit(1 << (10 + r.IntN(8)))
			}
			if all := sizes(g.rings); g.taken > g.bound || g.taken != sum(all) {
				t.Fatalf("seed %d: %d bytes are taken, %d counted, and %d allowed", seed, sum(all), g.taken, g.bound)
			}
		}
		for _, k := range g.rings {
			has := linesOf(k.program, k.last(1<<30))
			want := wrote[k][len(wrote[k])-len(has):]
			if !slices.EqualFunc(has, want, func(a, b Line) bool {
				return a.N == b.N && a.Program == b.Program && a.PID == b.PID && a.Time.Equal(b.Time) && a.Stderr == b.Stderr &&
					// cut to what there is
					(bytes.Equal(a.Text, b.Text) || len(has) == 1 && k.used == len(k.ring) && bytes.HasPrefix(b.Text, a.Text))
			}) {
				t.Fatalf("seed %d: %s has other lines than its last %d", seed, k.program, len(has))
			}
			if few := linesOf(k.program, k.last(3)); len(few) != min(3, len(has)) ||
				len(few) > 0 && few[0].N != has[len(has)-len(few)].N {
				t.Fatalf("seed %d: the last 3 of %s are %d", seed, k.program, len(few))
			}
		}
	}
}

func sizes(rings []*kept) (all []int) {
	for _, k := range rings {
		all = append(all, len(k.ring))
	}
	return all
}

func sum(all []int) (n int) {
	for _, size := range all {
		n += size
	}
	return n
}

// issue 12.4: those who have as much as others leave it to them. To take halves from each other with each line cost a
// third of the time of a daemon with a hundred busy programs.
func TestKeptSettles(t *testing.T) {
	t.Parallel()
	g := keeping{bound: mostKept}
	for range 100 {
		g.rings = append(g.rings, &kept{})
	}
	resized := 0
	var before []int
	for step := range 100_000 {
		if step == 50_000 { // all are full by now
			before = sizes(g.rings)
		}
		g.keep(g.rings[step%100], &Line{Text: make([]byte, 200)})
		if now := sizes(g.rings); before != nil && !slices.Equal(now, before) {
			resized++
			before = now
		}
	}
	if resized > 0 {
		t.Errorf("%d lines of 50,000 have had rings resized that were full", resized)
	}
}

// promise L3: who floods is cut, and those who say little keep all of it
func TestKeptOfTheQuiet(t *testing.T) {
	t.Parallel()
	flood, quiet := &kept{program: "flood"}, &kept{program: "quiet"}
	g := keeping{bound: mostKept, rings: []*kept{flood, quiet}}
	for i := range 200_000 {
		g.keep(flood, &Line{N: uint64(i), Text: []byte("a line of output that is as long as many lines are")})
		if i%1000 == 0 {
			g.keep(quiet, &Line{N: uint64(i), Text: []byte("hello")})
		}
	}
	if n := len(linesOf("quiet", quiet.last(1000))); n != 200 {
		t.Errorf("%d lines of 200 are kept", n)
	}
	if flood.used < mostKept/4 || g.taken > mostKept {
		t.Errorf("%d bytes of the flood are kept, %d in all", flood.used, g.taken)
	}
}

// issue 7.A5: what a process writes while its start is still being told is read in its order, so that its last line, on
// standard error, comes last
func TestEarlyOutputKeepsItsOrder(t *testing.T) {
	r := newReader(&Set{requests: make(chan any)}, nil)
	defer r.letGo()
	lines := make(chan string, 2)
	s := &Sink{Split: true, Line: func(_ bool, text []byte) { lines <- string(text) }}
	var outlets [2]*outlet
	var ends [2]int
	for i := range outlets {
		read, write, err := openPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(write)
		outlets[i], ends[i] = &outlet{pipe: read, sink: s, stderr: i == 1}, write
		if err := r.add(outlets[i]); err != nil {
			t.Fatal(err)
		}
	}
	unix.Write(ends[0], []byte("opening it\n"))
	for early := false; !early; runtime.Gosched() {
		r.mu.Lock()
		early = outlets[0].early
		r.mu.Unlock()
	}
	r.mu.Lock()
	unix.Write(ends[1], []byte("cannot open it\n"))
	for _, o := range outlets {
		o.know(r, 1)
	}
	r.mu.Unlock()
	if first, last := <-lines, <-lines; first != "opening it" || last != "cannot open it" {
		t.Errorf("%q was read before %q", first, last)
	}
}

// promise L3: of two pipes what was written first is read first, also of a process that writes to both while the
// beginning of it is read, before which it was not known
func TestEarlyOutputKeepsItsOrderWhileItIsRead(t *testing.T) {
	r := newReader(&Set{requests: make(chan any)}, nil)
	defer r.letGo()
	said := make(chan string, 10)
	var ends [2]int
	sink := &Sink{Split: true, Line: func(_ bool, text []byte) {
		if said <- string(text); string(text) == "one" {
			unix.Write(ends[0], []byte("two\n"))
			unix.Write(ends[1], []byte("three\n"))
		}
	}}
	var both []source
	for i := range ends {
		o := &outlet{sink: sink, stderr: i == 1}
		var err error
		if o.pipe, ends[i], err = openPipe(); err == nil {
			err = r.add(o)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(ends[i])
		both = append(both, o)
	}
	unix.Write(ends[0], []byte("one\n"))
	for early := false; !early; runtime.Gosched() {
		r.mu.Lock()
		early = both[0].(*outlet).early
		r.mu.Unlock()
	}
	r.known(both, 1)
	for _, want := range []string{"one", "two", "three"} {
		if got := <-said; got != want {
			t.Errorf("%q is read, and should be %q", got, want)
		}
	}
}
