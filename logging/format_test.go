package logging

import (
	"errors"
	"log/slog"
	"log/syslog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
	"unicode/utf8"
)

func none(b []byte) []byte { return b }

var noon = time.Date(2026, 11, 23, 10, 0, 0, 0, time.FixedZone("", 3600))

// promise L2
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		layout layout
		level  slog.Level
		want   string
	}{
		{bare, slog.LevelInfo, "hello"},
		{dated, slog.LevelInfo, "2026-11-23T10:00:00.000+01:00 INFO hello\n"},
		{dated, slog.LevelError + 2, "2026-11-23T10:00:00.000+01:00 ERROR+2 hello\n"},
		{console, slog.LevelInfo, "10:00:00.000 info  hello\n"},
		{console, slog.LevelError, "10:00:00.000 error hello\n"},
		{coloured, slog.LevelInfo, "10:00:00.000 info  hello\n"},
		{coloured, slog.LevelDebug, "10:00:00.000 \x1b[2mdebug\x1b[0m hello\n"},
		{coloured, slog.LevelWarn, "10:00:00.000 \x1b[33mwarn\x1b[0m  hello\n"},
		{coloured, slog.LevelError, "10:00:00.000 \x1b[31merror\x1b[0m hello\n"},
	} {
		if got := string(c.layout.line(noon, c.level, "hello", none)); got != c.want {
			t.Errorf("%v %v: %q, want %q", c.layout, c.level, got, c.want)
		}
	}
}

func TestMessageIsOneLine(t *testing.T) {
	for message, want := range map[string]string{
		"plain text, \"quoted\" ÄÖ 日本": "plain text, \"quoted\" ÄÖ 日本",
		"a\nNov 23 su: root":           `a\nNov 23 su: root`,
		"\x1b[2Jtab\tbell\a\x7f":       `\x1b[2Jtab\tbell\a\x7f`,
		"\u0085\u2028\u202e":           `\u0085\u2028\u202e`,
		"bro\xffken\x00":               `bro\xffken\x00`,
	} {
		if got := string(bare.line(noon, 0, message, none)); got != want {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
}

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

func TestValues(t *testing.T) {
	for _, c := range []struct {
		attr slog.Attr
		want string
	}{
		{slog.String("k", "v"), " k=v"},
		{slog.String("k", ""), ` k=""`},
		{slog.String("k", "a b"), ` k="a b"`},
		{slog.String("k", "a=b"), ` k="a=b"`},
		{slog.String("k", `a"b`), ` k="a\"b"`},
		{slog.String("k", "a\nb"), ` k="a\nb"`},
		{slog.String("k", "/usr/sbin/ü"), " k=/usr/sbin/ü"},
		{slog.String("k k", "v"), ` "k k"=v`},
		{slog.Int("k", -3), " k=-3"},
		{slog.Uint64("k", 3), " k=3"},
		{slog.Float64("k", 0.5), " k=0.5"},
		{slog.Bool("k", true), " k=true"},
		{slog.Duration("k", 1500*time.Millisecond), " k=1.5s"},
		{slog.Time("k", noon), " k=2026-11-23T10:00:00+01:00"},
		{slog.Any("k", errors.New("no way")), ` k="no way"`},
		{slog.Any("k", (*nilError)(nil)), " k=<nil>"},
		{slog.Any("k", nil), " k=<nil>"},
		{slog.Any("k", []int{1, 2}), ` k="[1 2]"`},
		{slog.Any("k", struct{ A int }{1}), " k={A:1}"},
		{slog.Group("g", slog.Int("a", 1), slog.Group("h", slog.Int("b", 2))), " g.a=1 g.h.b=2"},
		{slog.Group("g"), ""},
		{slog.Attr{}, ""},
	} {
		if got := string(appendAttr(nil, "", c.attr)); got != c.want {
			t.Errorf("%v: %q, want %q", c.attr, got, c.want)
		}
	}
}

func TestLongLineIsCut(t *testing.T) {
	for _, c := range []string{"x", "é", "日", "\n"} {
		for n := range 4 {
			text := strings.Repeat("-", n) + strings.Repeat(c, 1<<16)
			for name, b := range map[string][]byte{
				"message": bare.line(noon, 0, text, none),
				"value": bare.line(noon, 0, "m", func(b []byte) []byte {
					return appendAttr(b, "", slog.String("k", text))
				}),
			} {
				if len(b) > maxLine || len(b) < maxLine-4 || !utf8.Valid(b) || !strings.HasSuffix(string(b), cutMark) {
					t.Errorf("%s of %q: %d bytes, valid %v, ends in %q", name, c, len(b), utf8.Valid(b), b[len(b)-12:])
				}
			}
		}
	}
	if b := bare.line(noon, 0, strings.Repeat("x", maxLine), none); strings.HasSuffix(string(b), cutMark) {
		t.Error("a line of just the right length was cut")
	}
}

func TestSlogRules(t *testing.T) {
	var l *Log
	var path string
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		path = filepath.Join(t.TempDir(), "log")
		l = mustOpen(t, Options{To: path}, host())
		return l.Logger().Handler()
	}, func(t *testing.T) map[string]any {
		mustClose(t, l)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return parse(t, string(b))
	})
}

var (
	lineForm = regexp.MustCompile(`^(?:(\d{4}-\S+) )?([A-Z]+) (\w+)(.*)\n$`)
	attrForm = regexp.MustCompile(` ([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)`)
)

// parse reads one dated line into nested maps, as slogtest wants it.
func parse(t *testing.T, line string) map[string]any {
	m := lineForm.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("cannot parse %q", line)
	}
	top := map[string]any{slog.LevelKey: m[2], slog.MessageKey: m[3]}
	if m[1] != "" {
		top[slog.TimeKey] = m[1]
	}
	for _, a := range attrForm.FindAllStringSubmatch(m[4], -1) {
		value := a[2]
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		in := top
		names := strings.Split(a[1], ".")
		for _, group := range names[:len(names)-1] {
			if in[group] == nil {
				in[group] = map[string]any{}
			}
			in = in[group].(map[string]any)
		}
		in[names[len(names)-1]] = value
	}
	return top
}

func TestParseFacility(t *testing.T) {
	for name, want := range map[string]syslog.Priority{
		"daemon": syslog.LOG_DAEMON,
		"user":   syslog.LOG_USER,
		"local0": syslog.LOG_LOCAL0,
		"local7": syslog.LOG_LOCAL7,
		"0":      syslog.LOG_LOCAL0,
		"5":      syslog.LOG_LOCAL5,
	} {
		if got, err := ParseFacility(name); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "kern", "8", "-1", "local8", "LOCAL0", "local", "01"} {
		if _, err := ParseFacility(name); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}
