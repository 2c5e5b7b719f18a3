package config_test

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/config"
)

// panics returns what f panics with.
func panics(f func()) (said string) {
	defer func() { said = fmt.Sprint(recover()) }()
	f()
	return ""
}

// promise A1: what is wrong in the struct itself is told by the first Load, whatever the file says, and not by a reload
// with a file that sets the key
func TestStructsThatAreWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.toml")
	for _, c := range []struct {
		into any
		says string
	}{
		{new(struct {
			A string `toml:"a" is:"1..9"`
		}), `a of`},
		{new(struct {
			A uint `toml:"a" is:"positive"`
		}), `a of`},
		{new(struct {
			A *float64 `toml:"a" is:"positive"`
		}), `a of`},
		{new(struct {
			A int `toml:"a" is:"low high"`
		}), `a of`},
		{new(struct {
			A []string `toml:"a" is:"/"`
		}), `a of`},
		{new(struct {
			A bool `toml:"a" default:"yes"`
		}), `default of a of`},
		{new(struct {
			A int `toml:"a" default:"many"`
		}), `must be a whole number, not "many"`},
		{new(struct {
			A uint16 `toml:"a" default:"1.5"`
		}), `must be a whole number, not "1.5"`},
		{new(struct {
			A float64 `toml:"a" default:"half"`
		}), `must be a number, not "half"`},
		{new(struct {
			A []string `toml:"a" default:"x"`
		}), `can have no default`},
		{new(struct {
			A string `toml:"a" is:"low high" default:"middle"`
		}), `default of a of`},
		{new(struct {
			A []struct {
				B int `toml:"b" is:"1..9" default:"0"`
			} `toml:"a"`
		}), `default of b of`},
		{new(struct {
			A string `toml:"a" is:"required" default:"x"`
		}), `it is required, and has a default`},
		{new(struct {
			A string `toml:"a" reload:"never"`
		}), `reload:"no"`},
		{new(struct {
			a string `toml:"a"`
		}), `capital letter`},
		{struct{}{}, "a pointer to a struct"},
		{nil, "a pointer to a struct"},
		{new(int), "a pointer to a struct"},
		{(*struct{})(nil), "a pointer to a struct"},
	} {
		if said := panics(func() { config.Load(path, c.into) }); !strings.HasPrefix(said, "config: ") ||
			!strings.Contains(said, c.says) {
			t.Errorf("%T: %q, want %q", c.into, said, c.says)
		}
	}
	var one struct {
		A time.Duration `toml:"a" is:"positive" default:"1m"`
		B []uint8       `toml:"b" is:"1..9"`
		C *string       `toml:"c" is:"low /"`
	}
	for what, f := range map[string]func(){
		"Read":   func() { new(config.Document).Read(path, one) },
		"Dump":   func() { config.Dump(io.Discard, one) },
		"Table":  func() { config.DumpTable(io.Discard, "a", one) },
		"Keys":   func() { config.Keys(one) },
		"Differ": func() { config.Differ(&one, new(struct{})) },
		"now":    func() { config.Differ(one, &one) },
		"next":   func() { config.Differ(&one, nil) },
	} {
		if said := panics(f); !strings.HasPrefix(said, "config: ") {
			t.Errorf("%s: %q", what, said)
		}
	}
	if err := config.Load(path, &one); err == nil {
		t.Error("there is no such file")
	}
}
