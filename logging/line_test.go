//go:build linux

package logging

import (
	"bytes"
	"log/slog"
	"log/syslog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLineLayouts(t *testing.T) {
	const text = "a\tb \x1b[1mbold\x1b[0m \xff\x00 c\r"
	for layout, want := range map[layout]string{
		bare:     "a\tb \\x1b[1mbold\\x1b[0m \\xff\\x00 c\\r",
		dated:    "2026-11-23T10:00:00.000+01:00 INFO a\tb \\x1b[1mbold\\x1b[0m \\xff\\x00 c\\r\n",
		console:  "10:00:00.000 info  a\tb \\x1b[1mbold\\x1b[0m \\xff\\x00 c\\r\n",
		coloured: "10:00:00.000 info  a\tb \\x1b[1mbold\\x1b[0m \\xff\\x00 c\\r\n",
		plain:    text + "\n",
	} {
		if got := string(layout.text(noon, slog.LevelInfo, []byte(text))); got != want {
			t.Errorf("%v: %q, want %q", layout, got, want)
		}
	}
}

// A line is a line, and its text belongs to the caller.
func TestLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, Options{To: path, Plain: true}, host())
	text := []byte("first\n")
	l.Line(slog.LevelInfo, text)
	copy(text, "FIRST\n")
	l.Line(slog.LevelDebug, []byte("below the level"))
	l.Line(slog.LevelError, []byte("two\nlines"))
	l.Line(slog.LevelInfo, nil)
	l.Line(slog.LevelInfo, []byte("\n"))
	l.Logger().Warn("a record\n", "k", 1)
	mustClose(t, l)
	l.Line(slog.LevelError, []byte("after the end"))
	b, err := os.ReadFile(path)
	if want := "first\ntwo\\nlines\n\n\na record\\n k=1\n"; err != nil || string(b) != want {
		t.Errorf("got %q, %v, want %q", b, err, want)
	}
}

func TestPlainLineIsCut(t *testing.T) {
	for _, c := range []string{"x", "日", "\x80", "\n"} {
		for _, n := range []int{maxPlain / len(c), maxPlain, 3 * maxPlain} {
			text := bytes.Repeat([]byte(c), n)
			text[len(text)-1] = 'x' // so that no newline ends it
			got := string(plain.text(noon, 0, text))
			line := strings.TrimSuffix(got, "\n")
			fits := len(text) <= maxPlain && c != "\n"
			if strings.Contains(line, "\n") || len(line) > maxPlain || fits != (line == string(text)) ||
				!fits && (len(line) < maxPlain-6 || !strings.HasSuffix(line, cutMark)) {
				t.Errorf("%d of %q: %d bytes, ending in %q", n, c, len(line), line[len(line)-12:])
			}
		}
	}
}

// promise L2
func TestLineToSyslog(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	o := toSyslog
	o.Plain = true // means nothing here
	l := mustOpen(t, o, f.system())
	for level, severity := range map[slog.Level]syslog.Priority{
		slog.LevelInfo: syslog.LOG_INFO, slog.LevelError: syslog.LOG_ERR,
	} {
		l.Line(level, []byte("a\tb\x1b\n"))
		pri, text := f.read()
		if want := int(syslog.LOG_DAEMON | severity); pri != want || text != "a\tb\\x1b" {
			t.Errorf("%v: <%d>%q, want <%d>", level, pri, text, want)
		}
	}
	mustClose(t, l)
}

// Going over to plain lines, or back, takes effect on standard error too.
func TestSwitchToPlain(t *testing.T) {
	r, w := pipe(t, 0)
	defer r.Close()
	sys := host()
	sys.stderr = w
	l := mustOpen(t, Options{}, sys)
	l.Line(slog.LevelInfo, []byte("dated"))
	old := l.output.Load().sink
	l.Switch(mustPrepare(t, l, Options{Plain: true}))
	<-old.done
	l.Line(slog.LevelInfo, []byte("\x1b[35mweb  \x1b[0m| plain"))
	mustClose(t, l)
	unix.Close(w)
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(b.String(), "\n")
	if !strings.HasSuffix(first, " INFO dated") || rest != "\x1b[35mweb  \x1b[0m| plain\n" {
		t.Errorf("got %q", b.String())
	}
}

func BenchmarkLine(b *testing.B) {
	l, err := Open(Options{To: "/dev/null", Plain: true})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	text := []byte(strings.Repeat("x", 80))
	b.ReportAllocs()
	for b.Loop() {
		l.Line(slog.LevelInfo, text)
	}
}
