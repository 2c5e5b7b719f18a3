package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/fdtest"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// issue 9.5, promise C6: ten readers, one of them stopped, hold up nobody who floods;
// each misses no more than it is told of
func TestReadersOfAFlood(t *testing.T) {
	mega := 4
	if long() {
		mega = 100
	}
	const size = 100 // of a line
	total := mega << 20 / size
	w := newWorld(t, `
[program.flood]
command = ["/bin/sh", "$DIR/flood.sh"]
[program.quiet]
command = ["/bin/sh", "-c", "while read word; do echo $word; done <$DIR/words"]
`)
	words := filepath.Join(w.dir, "words")
	script := fmt.Sprintf("cat %s/go\nseq -f %%0%d.0f %d\necho done >%[1]s/done\nwhile :; do echo end; sleep 0.1; done\n",
		w.dir, size-1, total)
	if err := os.WriteFile(filepath.Join(w.dir, "flood.sh"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{words, filepath.Join(w.dir, "go")} {
		if err := unix.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	quiet, err := os.OpenFile(words, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	fmt.Fprintln(quiet, "hello")
	d := w.up()
	w.await(w.log, `quiet\[\d+\]: hello`)

	readers := make([]*exec.Cmd, 10)
	heard := func(i int) string { return filepath.Join(w.dir, fmt.Sprint("heard.", i)) }
	for i := range readers {
		c := w.command("logs", "-f", "--json")
		out, err := os.Create(heard(i))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		c.Stdout = out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		readers[i] = c
		w.await(heard(i), `"text":"hello"`)
	}
	stopped := readers[9].Process
	stopped.Signal(unix.SIGSTOP)
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.await(filepath.Join(w.dir, "done"), "done") // and nobody has waited for the one that is stopped
	fmt.Fprintln(quiet, "bye")
	for i := range 9 {
		w.await(heard(i), `"text":"end"`)
	}
	if status, _ := w.say("status"); status != 0 {
		t.Errorf("status: %d", status)
	}
	stopped.Signal(unix.SIGCONT)
	w.await(heard(9), `"text":"end"`)
	w.down(d)
	for i, c := range readers {
		if err := c.Wait(); err != nil {
			t.Errorf("reader %d: %v", i, err)
		}
		lost := accountReader(t, w.read(heard(i)), total)
		t.Logf("reader %d has missed %d lines of %d", i, lost, total)
		if i == 9 && lost == 0 {
			t.Error("the one that was stopped has missed nothing: what is held for it has no bound")
		}
	}
}

// accountReader holds the lines of the flood that somebody has got, and those that he was told are missing,
// against their number.
func accountReader(t *testing.T, heard string, total int) (lost int) {
	t.Helper()
	next, gap := 1, 0
	for line := range strings.Lines(heard) {
		var l struct {
			logLine
			logLost
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		lost += l.Lost
		gap += l.Lost
		if l.Program != "flood" {
			continue
		}
		n, err := strconv.Atoi(l.Text)
		if err != nil { // the flood is over
			if missing := total + 1 - next; gap < missing {
				t.Errorf("%d lines are missing at the end, and %d are told of", missing, gap)
			}
			return lost
		}
		if missing := n - next; missing < 0 || gap < missing || gap > missing+1 { // the quiet one may be missing as well
			t.Errorf("before line %d are %d missing, and %d told of", n, missing, gap)
		}
		next, gap = n+1, 0
	}
	t.Error("the end was not heard")
	return lost
}

// promise L3: of what is kept nothing is missing for who reads it, however long the lines are
func TestLongLinesAreTold(t *testing.T) {
	t.Parallel()
	const lines = 150
	w := newWorld(t, `
[program.web]
command = ["/bin/sh", "-c", "seq -f %08000.0f 150; echo end; exec sleep 1000"]
`)
	d := w.up()
	w.await(w.log, `web\[\d+\]: end`)
	for _, args := range [][]string{{"logs", "-n", "all"}, {"logs", "-n", "all", "--json"}} {
		out, err := w.command(args...).Output()
		if err != nil {
			t.Error(err)
		}
		if n := strings.Count(string(out), "\n"); n != lines+1 || strings.Contains(string(out), "missing") {
			t.Errorf("%v: %d lines, want %d", args, n, lines+1)
		}
	}
	w.down(d)
}

// promise C6: what is held for one who listens is bounded, he is told of the rest, and nobody else is
func TestEarThatDoesNotListen(t *testing.T) {
	t.Parallel()
	h := newLines()
	ear := func(names ...string) *ear {
		e := &ear{names: names, known: map[string]bool{}, wake: newBell()}
		h.join(e)
		return e
	}
	deaf, other, quick := ear(), ear("other*"), ear()
	text := []byte(strings.Repeat("x", 1000))
	got, held := 0, 0
	for n := range 10_000 {
		h.heard(&supervise.Line{Program: "web", Text: text})
		held = max(held, deaf.held)
		if n%100 == 0 {
			queue, lost, _, _ := h.take(quick)
			got += len(queue)
			if lost > 0 {
				t.Fatalf("one who takes what there is has lost %d", lost)
			}
		}
	}
	if held > mostHeld+2000 {
		t.Errorf("%d bytes are held", held)
	}
	queue, lost, _, over := h.take(deaf)
	if len(queue)+lost != 10_000 || lost == 0 || over {
		t.Errorf("%d lines and %d lost", len(queue), lost)
	}
	if queue, lost, _, _ := h.take(other); len(queue)+lost > 0 {
		t.Errorf("%d lines, %d lost of a program that was not asked for", len(queue), lost)
	}
	h.heard(&supervise.Line{Program: "other:2", Text: text})
	if queue, _, _, _ := h.take(other); len(queue) != 1 || queue[0].line.Text != string(text) {
		t.Errorf("%d lines", len(queue))
	}
	for len(h.ears) > 0 {
		h.leave(h.ears[0])
	}
	if h.heard(&supervise.Line{Program: "web", Text: text}); h.listened.Load() {
		t.Error("somebody listens who has left")
	}
}

// What is kept is sent to many who do not read it within a bound.
func TestBacklogs(t *testing.T) {
	t.Parallel()
	h := newLines()
	granted, sum := []int{}, 0
	for range 32 {
		n := h.reserve(mostBacklogs / 2)
		granted = append(granted, n)
		sum += n
	}
	if granted[0] != mostBacklogs/2 || slices.Min(granted) < mostHeld || sum > mostBacklogs+32*mostHeld {
		t.Errorf("%v", granted)
	}
	for _, n := range granted {
		h.release(n)
	}
	if h.backlogs != 0 {
		t.Errorf("%d are left", h.backlogs)
	}
}

// issue 9.5: on a terminal the names are aligned, and nothing else of what a program writes gets there than text
func TestLogsOnATerminal(t *testing.T) {
	w := newWorld(t, `
[program.a]
command = ["/bin/sh", "-c", "printf '\\033[2Jred\\r\\tx\\n'; exec sleep 1000"]
[program.longer]
command = ["/bin/sh", "-c", "echo oh >&2; exec sleep 1000"]
`)
	d := w.up()
	w.await(w.log, `a\[\d+\]: `)
	w.await(w.log, `longer\[\d+\]: `)
	master, slave := fdtest.PTY(t)
	defer master.Close()
	for _, colour := range []string{"", "1"} {
		c := w.command("logs")
		c.Stdout = slave
		c.Env = append(os.Environ(), "NO_COLOR="+colour, "TERM=xterm")
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		const when = `\d\d:\d\d:\d\d\.\d\d\d `
		dim, name, reset := "\x1b\\[2m", "\x1b\\[3[1-6]m", "\x1b\\[0m"
		if colour != "" {
			dim, name, reset = "", "", ""
		}
		want := map[string]*regexp.Regexp{}
		for what, pattern := range map[string]string{
			"since": dim + `since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d` + reset,
			"a":     when + name + `a      \| ` + reset + `\\x1b\[2Jred\\r` + "\t" + `x`,
			"long":  when + name + `longer ! ` + reset + `oh`,
		} {
			want[what] = regexp.MustCompile("^" + pattern + "\r\n$")
		}
		in := bufio.NewReader(master)
		for range want {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for what, pattern := range want {
				if pattern.MatchString(line) {
					found = true
					delete(want, what)
				}
			}
			if !found {
				t.Errorf("%q", line)
			}
		}
	}
	w.down(d)
}
