package settings

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/config"
)

// memory is a main file, /main.toml, and one more that it may include, /conf.d/more.toml, or take as an
// environment_file, /more.env.
type memory struct{ main, more string }

// load is Load, from files that are not the machine's.
func load(path string, files files) (*Config, error) { return loadOn(Machine{}, path, files) }

func (m memory) Read(path string) ([]byte, config.ID, error) {
	switch path {
	case "/main.toml":
		return []byte(m.main), 1, nil
	case "/conf.d/more.toml":
		return []byte(m.more), 2, nil
	case "/more.env":
		return []byte(m.more), 3, nil
	}
	return nil, nil, fs.ErrNotExist
}

// stat gives an executable, but for some paths.
func (m memory) stat(path string, _ bool) (fs.FileMode, error) {
	switch {
	case strings.Contains(path, "none"):
		return 0, fs.ErrNotExist
	case strings.HasSuffix(path, "b"), path == "/":
		return fs.ModeDir | 0o755, nil
	}
	return 0o755, nil
}

func (memory) may(string, uint32) error { return nil }

func (memory) begins(string) []byte { return nil }

func (memory) lets(*User, string) (string, bool) { return "", true }

func (m memory) List(dir string) ([]string, error) {
	switch dir {
	case "/":
		return []string{"main.toml", "conf.d"}, nil
	case "/conf.d":
		return []string{"more.toml", "more.toml~"}, nil
	}
	return nil, fs.ErrNotExist
}

// Whatever the files hold: no panic; every mistake has a place that exists; and what loads dumps,
// and loads from the dump as the same configuration.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.toml", "testdata/bad/*.toml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(data), "[program.more]\ncommand = [\"/bin/true\"]\n")
			f.Add("include = [\"conf.d/*.toml\"]\n[program.main]\ncommand = [\"/bin/true\"]\n", string(data))
		}
	}
	for _, file := range []string{"testdata/good/settings.env", "testdata/bad/environment-file.env"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add("[program.main]\ncommand = [\"/bin/true\"]\nenvironment_file = \"/more.env\"\nenvironment = { A = \"b\" }\n",
			string(data))
		for line := range strings.Lines(string(data)) {
			f.Add("program.a = { command = [\"/bin/true\"], environment_file = \"/more.env\" }", line)
		}
	}
	f.Fuzz(func(t *testing.T, main, more string) {
		m := memory{main, more}
		c, err := load("/main.toml", m)
		if err != nil {
			for _, e := range err.(Errors) {
				checkPlace(t, m, e)
			}
			return
		}
		var dump bytes.Buffer
		if err := c.Dump(&dump); err != nil {
			t.Fatal(err)
		}
		again, err := load("/main.toml", memory{dump.String(), more}) // an environment_file of instances is not in the dump
		if err != nil {
			t.Fatalf("the dump does not load: %v\n%s", err, dump.String())
		}
		for _, e := range c.Lacking {
			checkPlace(t, m, e)
		}
		if !reflect.DeepEqual(dumped(c), dumped(again)) {
			t.Fatalf("the dump loads as another configuration\nfirst %+v\nthen  %+v\n%s", c, again, dump.String())
		}
	})
}

// dumped leaves out what a dump cannot have: places, and an environment_file that is not there.
func dumped(c *Config) *Config {
	c.Files, c.EnvironmentFiles, c.Lacking = nil, nil, nil
	for i := range c.Programs {
		c.Programs[i].ReadEnvironment = nil
	}
	return c
}

func checkPlace(t *testing.T, m memory, e *Error) {
	t.Helper()
	if strings.Contains(e.Error(), "\n") {
		t.Errorf("more than one line: %v", e)
	}
	data, _, err := m.Read(e.File)
	if err != nil {
		t.Fatalf("no such file: %v", e)
	}
	data, _ = bytes.CutPrefix(data, []byte("\xef\xbb\xbf"))
	lines := strings.Split(string(data), "\n")
	if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > len(lines[e.Line-1])+1 {
		t.Errorf("no such place: %v", e)
	} else if line := strings.TrimSuffix(lines[e.Line-1], "\r"); e.Text != line && len(line) <= 4096 {
		t.Errorf("the line is %q, not %q", line, e.Text)
	}
}
