package supervise_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

func all(string) bool { return true }

// lines are the lines that are kept, as "program out text" or "program err text".
func (w *world) lines(n int) (lines []string) {
	for _, l := range w.set.Lines(all, n, 1<<20, func() {}) {
		from := "out"
		if l.Stderr {
			from = "err"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", l.Program, from, l.Text))
	}
	return lines
}

// promise L3: what a program says is kept, with its PID, and goes to the log under its name if it says nothing else
func TestOutputIsKept(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", `echo one; echo two >&2; printf three; `+announce+hold))
	pid := w.expect("a")
	for want := []string{fmt.Sprintf("a[%d]: one", pid), fmt.Sprintf("a[%d]: two", pid)}; len(want) > 0; {
		said := w.logged("a[")
		want = slices.DeleteFunc(want, func(line string) bool { return line == said })
	}
	for _, l := range w.set.Lines(all, 10, 1000, func() {}) {
		if l.PID != pid || l.Program != "a" || time.Since(l.Time).Abs() > time.Hour {
			t.Errorf("%+v, want PID %d", l, pid)
		}
	}
	got := w.lines(10)
	slices.Sort(got)
	if want := []string{"a err two", "a out one"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if st := w.set.Status()[0]; st.OutputLines != 2 || st.OutputDropped != 0 {
		t.Errorf("%d lines, %d dropped", st.OutputLines, st.OutputDropped)
	}
	w.apply() // and goes with it
	if got := w.lines(10); got != nil && w.state("a") == "gone" {
		t.Errorf("%q is kept of what has gone", got)
	}
}

// promise L3: lines go where they are to go, under the PID of who has written them, however soon that was; those that
// have not got there are counted
func TestSinkThatTakes(t *testing.T) {
	var mu sync.Mutex
	var got []string
	w := newWorld(t, supervise.Options{Output: func(*supervise.Program) (*supervise.Sink, error) {
		return &supervise.Sink{Take: func(l *supervise.Line) bool {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, fmt.Sprintf("%s[%d] %s", l.Program, l.PID, l.Text))
			return string(l.Text) != "refused"
		}}, nil
	}})
	for range 20 {
		w.apply(w.program("a", `echo "from $$"; echo refused; `+announce+`exit 0`, logged,
			func(p *supervise.Program) { p.Restart = supervise.Never }))
		pid := w.expect("a")
		w.logged("program a: exited with status 0")
		if st := w.set.Status()[0]; st.OutputLines != 2 || st.OutputDropped != 1 {
			t.Errorf("%d lines, %d dropped", st.OutputLines, st.OutputDropped)
		}
		mu.Lock()
		if want := []string{fmt.Sprintf("a[%d] from %[1]d", pid), fmt.Sprintf("a[%d] refused", pid)}; !slices.Equal(got,
			want) {
			t.Errorf("%q, want %q", got, want)
		}
		got = nil
		mu.Unlock()
		w.apply()
	}
}

// promise L3: the last lines of the process are in the message of its failure, and in what Up answers
func TestLastWords(t *testing.T) {
	attrs := make(chan string, 1000)
	w := newWorld(t, supervise.Options{})
	w.stop(time.Minute)
	w.set = supervise.New(supervise.Options{Log: slog.New(&attrRecorder{attrs})})
	slow := func(p *supervise.Program) { p.Backoff = &supervise.Backoff{Min: time.Hour, Max: time.Hour} }
	w.apply(w.program("a", `test -e "$FIFO.d" && { `+announce+
		`exit 4; }; mkdir "$FIFO.d"; echo one; echo two; echo three; printf "$(printf %300s) four"; exit 3`, slow))
	want := "output=two\nthree\n" + strings.Repeat(" ", 200) + "…"
	for said := range attrs {
		if strings.Contains(said, "status 3") {
			if !strings.HasSuffix(said, want) {
				t.Errorf("%q, want %q", said, want)
			}
			break
		}
	}
	w.expect("a") // at once, and has said nothing: that the one before has is not its last word
	for said := range attrs {
		if strings.Contains(said, "status 4") {
			if strings.Contains(said, "output") {
				t.Errorf("%q", said)
			}
			break
		}
	}
	w.apply(w.program("a", announce+`echo oh; exit 5`, slow))
	w.expect("a")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	outcomes, err := w.set.Restart(ctx, supervise.Request{Names: []string{"a"}})
	if err != nil || len(outcomes) != 1 || !outcomes[0].Failed || outcomes[0].Output != "oh" {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// attrRecorder has messages with their attributes.
type attrRecorder struct{ lines chan string }

func (r *attrRecorder) Enabled(context.Context, slog.Level) bool { return true }
func (r *attrRecorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *attrRecorder) WithGroup(string) slog.Handler            { return r }
func (r *attrRecorder) Handle(_ context.Context, rec slog.Record) error {
	said := rec.Message
	rec.Attrs(func(a slog.Attr) bool {
		said += " " + a.String()
		return true
	})
	select {
	case r.lines <- said:
	default:
	}
	return nil
}

// promise L3: who listens from the moment of an answer on misses no line, and hears none twice
func TestLinesJoin(t *testing.T) {
	var mu sync.Mutex
	var heard []uint64
	listening := false
	w := newWorld(t, supervise.Options{Line: func(l *supervise.Line) {
		mu.Lock()
		defer mu.Unlock()
		if listening {
			heard = append(heard, l.N)
		}
	}})
	w.apply(w.program("a", `seq 20000; `+announce+hold))
	last := uint64(0)
	for last == 0 {
		for _, l := range w.set.Lines(all, 5, 1000, func() {
			mu.Lock()
			defer mu.Unlock()
			listening, heard = true, nil
		}) {
			last = l.N
		}
	}
	w.expect("a")
	for end := false; !end; time.Sleep(time.Millisecond) {
		got := w.lines(1)
		end = len(got) == 1 && got[0] == "a out 20000"
	}
	mu.Lock()
	defer mu.Unlock()
	for i, n := range heard {
		if n != last+uint64(i)+1 {
			t.Fatalf("line %d follows after %d, at %d", n, last, i)
		}
	}
}
