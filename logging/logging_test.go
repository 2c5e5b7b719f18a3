package logging

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func mustOpen(t *testing.T, o Options, sys system) *Log {
	t.Helper()
	l, err := open(o, sys)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustPrepare(t *testing.T, l *Log, o Options) *Destination {
	t.Helper()
	d, err := l.Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustClose(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// lines returns the lines of a file, each without its time.
func lines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		out = append(out, rest)
	}
	return out
}

func wantLines(t *testing.T, path string, want ...string) {
	t.Helper()
	if got := lines(t, path); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got %q\nwant %q", filepath.Base(path), got, want)
	}
}

func TestCloseWritesAllInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, Options{To: path}, host())
	logger := l.Logger()
	var want []string
	for i := range 500 {
		logger.Info("line", "n", i)
		want = append(want, fmt.Sprintf("INFO line n=%d", i))
	}
	mustClose(t, l)
	wantLines(t, path, want...)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v, %v; want at most 0640", st.Mode(), err)
	}
}

func TestLoggersFollowSwitch(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	l := mustOpen(t, Options{To: a, Level: slog.LevelWarn}, host())
	logger := l.Logger()
	child := logger.With("k", 1).WithGroup("g")
	child.Info("below the level")
	child.Warn("one", "x", 2)
	l.Switch(mustPrepare(t, l, Options{To: b, Level: slog.LevelDebug}))
	child.Debug("two", "x", 3)
	logger.Info("three")
	mustClose(t, l)
	wantLines(t, a, "WARN one k=1 g.x=2")
	wantLines(t, b, "DEBUG two k=1 g.x=3", "INFO three")
}

func TestLoggerOutlivesClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, Options{To: path}, host())
	logger := l.Logger()
	mustClose(t, l)
	logger.Error("after the end")
	l.Switch(mustPrepare(t, l, Options{To: path}))
	logger.Error("after a late switch")
	mustClose(t, l)
	wantLines(t, path)
}

// promise R3
func TestSwitchToSamePathReopens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	o := Options{To: path}
	l := mustOpen(t, o, host())
	logger := l.Logger()
	logger.Info("old")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	l.Switch(mustPrepare(t, l, o))
	logger.Info("new")
	mustClose(t, l)
	wantLines(t, path+".1", "INFO old")
	wantLines(t, path, "INFO new")
}

func TestPrepareChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	l := mustOpen(t, Options{To: path}, host())
	if _, err := l.Prepare(Options{To: filepath.Join(dir, "missing", "log")}); err == nil {
		t.Error("a file in a missing directory was opened")
	}
	d := mustPrepare(t, l, Options{To: filepath.Join(dir, "other")})
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	l.Switch(d) // closed: no effect
	l.Logger().Info("still here")
	mustClose(t, l)
	wantLines(t, path, "INFO still here")
}

func TestSwitchWhileLogging(t *testing.T) {
	dir := t.TempDir()
	path := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	const files, loggers, records = 20, 4, 50
	l := mustOpen(t, Options{To: path(0)}, host())
	var wg sync.WaitGroup
	for range loggers {
		wg.Go(func() {
			logger := l.Logger().With("a", 1)
			for i := range records {
				logger.Info("m", "i", i)
			}
		})
	}
	for i := 1; i < files; i++ {
		l.Switch(mustPrepare(t, l, Options{To: path(i)}))
	}
	wg.Wait()
	mustClose(t, l)
	n := 0
	for i := range files {
		n += len(lines(t, path(i)))
	}
	if n != loggers*records {
		t.Errorf("%d lines in all files, want %d", n, loggers*records)
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []Options{{To: "relative/log"}, {To: "Syslog"}, {To: "syslog", Facility: 3},
		{To: "syslog", Facility: 24 << 3}} {
		if l, err := Open(o); err == nil {
			l.Close()
			t.Errorf("%+v: no error", o)
		}
	}
}
