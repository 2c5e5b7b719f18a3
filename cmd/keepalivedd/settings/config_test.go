package settings_test

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

var update = flag.Bool("update", false, "write the .want and .dump files; then read every line that changed")

// Every good configuration gives the dump beside it, and the dump loads as the same configuration.
func TestGood(t *testing.T) {
	t.Parallel()
	for _, file := range testdata(t, "good") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			c, err := settings.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			dump := dumpOf(t, c)
			golden(t, strings.TrimSuffix(file, ".toml")+".dump", dump)

			again := filepath.Join(t.TempDir(), "dump.toml")
			if err := os.WriteFile(again, []byte(dump), 0o644); err != nil {
				t.Fatal(err)
			}
			c2, err := settings.Load(again)
			if err != nil {
				t.Fatalf("the dump does not load: %v\n%s", err, dump)
			}
			c.Files, c.Lacking, c2.Files, c2.Lacking = nil, nil, nil, nil // they have places
			c.EnvironmentFiles, c2.EnvironmentFiles = nil, nil
			if !reflect.DeepEqual(c, c2) {
				t.Errorf("the dump loads as another configuration\nfirst %+v\nthen  %+v", c, c2)
			}
		})
	}
}

// Every bad configuration gives exactly the message beside it. // promise S2
func TestBad(t *testing.T) {
	t.Parallel()
	for _, file := range testdata(t, "bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			c, err := settings.Load(file)
			if c != nil {
				t.Error("a configuration was returned")
			}
			errs, ok := err.(settings.Errors)
			if !ok {
				t.Fatalf("the error is %T, not settings.Errors: %v", err, err)
			}
			for _, e := range errs {
				if e.Line == 0 || e.Column == 0 {
					t.Errorf("no position: %v", e)
				}
			}
			message := strings.ReplaceAll(err.Error(), filepath.Dir(file), "$DIR")
			golden(t, strings.TrimSuffix(file, ".toml")+".want", message+"\n")
		})
	}
}

// What the system does not have is no mistake of the configuration's: it loads, and tells all of it with its place.
// promise S8, S9; issue 7.A4, 7.A5
func TestLacking(t *testing.T) {
	t.Parallel()
	for _, file := range testdata(t, "lacking") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			c, err := settings.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range c.Lacking {
				if e.Line == 0 || e.Column == 0 || e.Text == "" {
					t.Errorf("no position: %v", e)
				}
				section, _, _ := strings.Cut(e.Program, ":")
				if name, ok := strings.CutPrefix(e.Key, "program."); ok && !strings.HasPrefix(name, section+".") ||
					!ok && e.Program != "" {
					t.Errorf("%v: it is of program %q", e, e.Program)
				}
			}
			message := strings.ReplaceAll(c.Lacking.Error(), filepath.Dir(file), "$DIR")
			golden(t, strings.TrimSuffix(file, ".toml")+".want", message+"\n")
		})
	}
}

func testdata(t *testing.T, dir string) []string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("testdata", dir))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.toml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data in %s: %v", dir, err)
	}
	return files
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", filepath.Base(file), got, want)
	}
}

func dumpOf(t *testing.T, c *settings.Config) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Dump(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "none.toml")
	_, err := settings.Load(file)
	var e *settings.Error
	if !errors.As(err, &e) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	if e.File != file || e.Line != 0 {
		t.Errorf("got %q, line %d", e.File, e.Line)
	}
	if got, want := err.Error(), file+": cannot read the configuration: no such file or directory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNeedsRestart(t *testing.T) {
	t.Parallel()
	a := settings.Config{PIDFile: "/run/a.pid"}
	b := settings.Config{PIDFile: "/run/a.pid", Log: settings.Log{Level: "debug"}, Programs: make([]settings.Program, 1)}
	if keys := a.NeedsRestart(&b); keys != nil {
		t.Errorf("got %q", keys)
	}
	b.PIDFile = "none"
	if keys := a.NeedsRestart(&b); !reflect.DeepEqual(keys, []string{"pidfile"}) {
		t.Errorf("got %q", keys)
	}
}

// promise R5: what is not a program's and has changed can be named
func TestDiffering(t *testing.T) {
	t.Parallel()
	a := settings.Config{PIDFile: "/run/a.pid", Shutdown: &settings.Hook{Timeout: 1},
		Programs: make([]settings.Program, 1)}
	b := a
	b.Shutdown, b.Programs, b.Files = &settings.Hook{Timeout: 1}, nil, []string{"/b"}
	if keys := a.Differing(&b); keys != nil {
		t.Errorf("got %q", keys)
	}
	b.MetricsFile, b.Log.Level, b.Shutdown.Timeout, b.Events = "/x.prom", "debug", 2, &settings.Events{}
	for _, keys := range [][]string{a.Differing(&b), b.Differing(&a)} {
		if !reflect.DeepEqual(keys, []string{"metrics_file", "log.level", "events", "shutdown.timeout"}) {
			t.Errorf("got %q", keys)
		}
	}
}

func TestSignalText(t *testing.T) {
	t.Parallel()
	for n := settings.Signal(1); n < 32; n++ {
		text, err := n.MarshalText()
		if err != nil {
			t.Fatalf("signal %d: %v", int(n), err)
		}
		for _, spelling := range []string{string(text), "SIG" + string(text), strings.ToLower(string(text))} {
			var got settings.Signal
			if err := got.UnmarshalText([]byte(spelling)); err != nil || got != n {
				t.Errorf("%s: got %d, %v, want %d", spelling, int(got), err, int(n))
			}
		}
	}
	if _, err := settings.Signal(0).MarshalText(); err == nil {
		t.Error("signal 0 has a name")
	}
}

// promise T1: a broken configuration does not keep a running daemon from being found and stopped
func TestSalvage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.toml")
	for name, c := range map[string]struct{ text, pidfile string }{
		"whole":                {"pidfile = '/run/x.pid'", "/run/x.pid"},
		"mistake elsewhere":    {"pidfile = '/run/x.pid'\nnope = 1", "/run/x.pid"},
		"mistake in the value": {"pidfile = 'x.pid'", "/run/keepalivedd.pid"},
		"no TOML":              {"[[", "/run/keepalivedd.pid"},
		"missing":              {"", "/run/keepalivedd.pid"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if name == "missing" {
			os.Remove(path)
		}
		got := settings.Salvage(path)
		if got.PIDFile != c.pidfile || got.ShutdownTimeout != 30*time.Second {
			t.Errorf("%s: pidfile %q, shutdown_timeout %v", name, got.PIDFile, got.ShutdownTimeout)
		}
	}
}
