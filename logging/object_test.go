//go:build linux

package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"log/syslog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"golang.org/x/sys/unix"
)

// decoded are the objects of a text, each on a line of its own.
func decoded(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, one)
	}
	return all
}

func objectsOf(t *testing.T, path string) []map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, string(b))
}

// wantObjects compares all but the time, which has to be there.
func wantObjects(t *testing.T, got []map[string]any, want ...string) {
	t.Helper()
	var all []string
	for _, one := range got {
		if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(one["time"])); err != nil {
			t.Error(err)
		}
		delete(one, "time")
		b, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	if strings.Join(all, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(all, "\n"), strings.Join(want, "\n"))
	}
}

// issue 11.5
func TestObjectsBySlogsRules(t *testing.T) {
	var l *Log
	var path string
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		path = filepath.Join(t.TempDir(), "log")
		l = mustOpen(t, Options{To: path, JSON: true}, host())
		return l.Logger().Handler()
	}, func(t *testing.T) map[string]any {
		mustClose(t, l)
		return objectsOf(t, path)[0]
	})
}

type counter struct{ n int }

func (c *counter) LogValue() slog.Value { return slog.IntValue(c.n) }

// issue 11.5: a line is what slog makes of the record, whether its parts come with it or with the logger
func TestObjectsAreSlogsOwn(t *testing.T) {
	values := []slog.Attr{
		slog.String("s", "a \"b\" <&>\n日本"), slog.Int("i", -3), slog.Uint64("u", 3), slog.Float64("f", 0.5),
		slog.Bool("b", true),
		slog.Duration("d", time.Second), slog.Time("t", noon), slog.Any("e", errors.New("no way")), slog.Any("n", nil),
		slog.Any("nil error", (*nilError)(nil)), slog.Any("l", []int{1, 2}), slog.Any("m", map[string]int{"b": 1, "a": 2}),
		slog.Any("struct", struct{ A int }{1}), slog.Any("raw", json.RawMessage(`{"x":1}`)), slog.Any("no JSON", func() {}),
		slog.Any("source", &slog.Source{Function: "f", File: "g", Line: 1}), slog.Any("value", &counter{7}),
		slog.Group("g", slog.Int("a", 1), slog.Any("e", errors.New("x")), slog.Group("h", slog.Any("v", &counter{8}))),
		slog.Group("empty"), slog.Group("", slog.Int("inlined", 1)), {},
	}
	for name, add := range map[string]func(slog.Handler, *slog.Record) slog.Handler{
		"record": func(h slog.Handler, r *slog.Record) slog.Handler { r.AddAttrs(values...); return h },
		"logger": func(h slog.Handler, _ *slog.Record) slog.Handler {
			return h.WithAttrs(append([]slog.Attr{}, values...))
		},
		"groups": func(h slog.Handler, r *slog.Record) slog.Handler {
			r.AddAttrs(slog.Int("last", 1))
			return h.WithGroup("one").WithAttrs(append([]slog.Attr{}, values...)).WithGroup("two")
		},
		"empty group": func(h slog.Handler, _ *slog.Record) slog.Handler {
			return h.WithAttrs([]slog.Attr{slog.Int("a", 1)}).WithGroup("one").WithGroup("two")
		},
	} {
		path := filepath.Join(t.TempDir(), "log")
		l := mustOpen(t, Options{To: path, JSON: true}, host())
		var want bytes.Buffer
		for _, h := range []slog.Handler{slog.NewJSONHandler(&want, nil), l.Logger().Handler()} {
			r := slog.NewRecord(noon, slog.LevelWarn+1, "hello \x1b[1m\t\xff", 0)
			if err := add(h, &r).Handle(context.Background(), r); err != nil {
				t.Error(err)
			}
		}
		mustClose(t, l)
		if got, _ := os.ReadFile(path); string(got) != want.String() {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want.String())
		}
	}
}

// A logger's attributes are what they were when it was made.
func TestObjectsOfAttributesThatChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, Options{To: path, JSON: true}, host())
	c, list := &counter{1}, []int{1}
	log := l.Logger().With("c", c, "list", list, slog.Group("g", "list", list))
	c.n, list[0] = 2, 2
	log.Info("m")
	mustClose(t, l)
	wantObjects(t, objectsOf(t, path), `{"c":1,"g":{"list":[1]},"level":"INFO","list":[1],"msg":"m"}`)
}

// promise L3: what a program writes is in a string, and has no power over a terminal
func TestObjectsOfForgeries(t *testing.T) {
	for text := range forgeries {
		line := objects.said(noon, "web:1", 42, slog.LevelWarn, []byte(text))
		for _, r := range strings.TrimSuffix(string(line), "\n") {
			if !printable(r) {
				t.Errorf("%q has %q", line, r)
			}
		}
		one := decoded(t, string(line))[0]
		if one["msg"] != strings.ToValidUTF8(text, "\ufffd") || one["program"] != "web:1" || one["pid"] != 42.0 ||
			one["level"] != "WARN" {
			t.Errorf("%q: %v", text, one)
		}
	}
	const beyond = "tag \U000e0041 \u202e 𝄞"
	line := string(objects.text(noon, slog.LevelInfo, []byte(beyond)))
	want := `{"time":"2026-11-23T10:00:00+01:00","level":"INFO","msg":"tag \udb40\udc41 \u202e 𝄞"}` + "\n"
	if line != want {
		t.Errorf("%q, want %q", line, want)
	}
	if one := decoded(t, line)[0]; one["msg"] != beyond {
		t.Errorf("%q", one["msg"])
	}
}

// However much there is, a line is an object of a bounded length.
func TestLongObjects(t *testing.T) {
	for _, c := range []string{"x", "日", "\x00", "\xff", "\u202e"} {
		text := strings.Repeat(c, maxObject)
		r := slog.NewRecord(noon, slog.LevelInfo, "m", 0)
		r.AddAttrs(slog.Int("n", 1), slog.String("k", text))
		long := slog.NewRecord(noon, slog.LevelInfo, text, 0)
		long.AddAttrs(slog.Int("n", 1))
		for name, line := range map[string][]byte{
			"attribute": object(r, nil), "message": object(long, nil), "line": objects.text(noon, slog.LevelInfo, []byte(text)),
			"said": objects.said(noon, text, 1, slog.LevelInfo, []byte(text)),
		} {
			one := decoded(t, string(line))[0]
			if len(line) > maxObject {
				t.Errorf("%s of %q: %d bytes", name, c, len(line))
			}
			switch msg := one["msg"].(string); {
			case name == "attribute" && (msg != "m" || one["cut"] != true || len(one) != 4):
				t.Errorf("%s of %q: %.100q", name, c, line)
			case name == "attribute":
			case !strings.HasSuffix(msg, cutMark) || len(msg) < maxLine/2:
				t.Errorf("%s of %q: %d bytes of a message", name, c, len(msg))
			case name == "message" && one["n"] != 1.0:
				t.Errorf("%s of %q has lost its attribute", name, c)
			}
		}
	}
}

// issue 11.5: lines of others, and losses, are objects too
func TestObjectsOfLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, Options{To: "/dev/full", JSON: true}, host())
	l.Logger().Info("no room")
	old := l.output.Load().sink
	l.Switch(mustPrepare(t, l, Options{To: path, JSON: true}))
	<-old.done
	l.Line(slog.LevelInfo, []byte("a\tline\n"))
	l.Line(slog.LevelDebug, []byte("below the level"))
	l.Say("web", 7, slog.LevelWarn, []byte("said"))
	l.Offer(slog.LevelInfo, []byte("a piece, "), false)
	l.Offer(slog.LevelInfo, []byte("and its end"), true)
	mustClose(t, l)
	wantObjects(t, objectsOf(t, path),
		`{"level":"WARN","msg":"1 log messages lost"}`,
		`{"level":"INFO","msg":"a\tline"}`,
		`{"level":"WARN","msg":"said","pid":7,"program":"web"}`,
		`{"level":"INFO","msg":"a piece, "}`,
		`{"level":"INFO","msg":"and its end"}`)
}

// issue 11.5: syslog keeps its own form
func TestNoObjectsForSyslog(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	o := toSyslog
	o.JSON = true
	l := mustOpen(t, o, f.system())
	l.Logger().With("a", 1).Info("m", "b", 2)
	if pri, text := f.read(); pri != int(syslog.LOG_DAEMON|syslog.LOG_INFO) || text != "m a=1 b=2" {
		t.Errorf("<%d>%q", pri, text)
	}
	mustClose(t, l)
}

// promise R3: loggers follow to JSON and back, on standard error too, and a file that is opened anew stays what it was
func TestSwitchToObjects(t *testing.T) {
	r, w := pipe(t, 0)
	sys := host()
	sys.stderr = w
	l := mustOpen(t, Options{}, sys)
	log := l.Logger().With("a", 1).WithGroup("g").With("b", []int{2})
	log.Info("text")
	for _, o := range []Options{{JSON: true}, {}} {
		old := l.output.Load().sink
		l.Switch(mustPrepare(t, l, o))
		<-old.done
		log.Info("after", "c", 3)
	}
	path := filepath.Join(t.TempDir(), "log")
	l.Switch(mustPrepare(t, l, Options{To: path, JSON: true}))
	log.Info("before the rotation")
	if err := errors.Join(os.Rename(path, path+".1"), l.Reopen()); err != nil {
		t.Fatal(err)
	}
	log.Info("behind it")
	mustClose(t, l)
	unix.Close(w)
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	all := strings.SplitAfter(b.String(), "\n")
	if len(all) != 4 || !strings.HasSuffix(all[0], " INFO text a=1 g.b=[2]\n") ||
		!strings.HasSuffix(all[2], " INFO after a=1 g.b=[2] g.c=3\n") {
		t.Fatalf("%q", all)
	}
	wantObjects(t, decoded(t, all[1]), `{"a":1,"g":{"b":[2],"c":3},"level":"INFO","msg":"after"}`)
	wantObjects(t, objectsOf(t, path+".1"), `{"a":1,"g":{"b":[2]},"level":"INFO","msg":"before the rotation"}`)
	wantObjects(t, objectsOf(t, path), `{"a":1,"g":{"b":[2]},"level":"INFO","msg":"behind it"}`)
}

func TestPlainObjects(t *testing.T) {
	if _, err := Open(Options{Plain: true, JSON: true}); err == nil ||
		!strings.Contains(err.Error(), "either plain or JSON") {
		t.Errorf("Open: %v", err)
	}
}

func BenchmarkLogger(b *testing.B) {
	for name, o := range map[string]Options{"text": {To: "/dev/null"}, "JSON": {To: "/dev/null", JSON: true}} {
		b.Run(name, func(b *testing.B) {
			l, err := Open(o)
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			log := l.Logger().With("program", "web", "pid", 42)
			b.ReportAllocs()
			for b.Loop() {
				log.Info("up", "restarts", 3, "after", time.Second)
			}
		})
		b.Run(name+"/With", func(b *testing.B) {
			l, err := Open(o)
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			log := l.Logger()
			b.ReportAllocs()
			for b.Loop() {
				log.With("program", "web", "pid", 42)
			}
		})
	}
}
