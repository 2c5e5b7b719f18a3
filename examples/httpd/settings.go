package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/pelletier/go-toml/v2"
)

// settings are what the configuration says.
type settings struct {
	Listen string `toml:"listen"` // address to serve
	Files  string `toml:"files"`  // directory that is served
	User   string `toml:"user"`   // whom it runs as
	Log    string `toml:"log"`    // "syslog", "stderr", or the path of a file
}

// load reads and checks the configuration. What it does not know is an error: it may be a misspelt word.
func load(path string) (*settings, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &settings{Listen: ":80", Log: "syslog"}
	err = toml.NewDecoder(f).DisallowUnknownFields().Decode(s)
	var wrong *toml.DecodeError
	var unknown *toml.StrictMissingError
	switch {
	case errors.As(err, &unknown):
		row, column := unknown.Errors[0].Position()
		return nil, fmt.Errorf("%s:%d:%d: unknown key %q", path, row, column, unknown.Errors[0].Key())
	case errors.As(err, &wrong):
		row, column := wrong.Position()
		return nil, fmt.Errorf("%s:%d:%d: %w", path, row, column, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if st, err := os.Stat(s.Files); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("%s: files: %q is not a directory", path, s.Files)
	}
	return s, nil
}

// mayBecome tells whether a reload can take next on.
func (s *settings) mayBecome(next *settings) error {
	if s.Listen != next.Listen || s.User != next.User || s.Log != next.Log {
		return errors.New("listen, user and log cannot change while it runs: restart it")
	}
	return nil
}
