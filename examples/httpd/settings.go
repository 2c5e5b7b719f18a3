package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/daemon"
)

// settings are what the configuration says. What each key may be is said here and nowhere else: see package config.
type settings struct {
	Listen string `toml:"listen" default:":80" reload:"no" doc:"address to serve"`
	Files  string `toml:"files" is:"required /" doc:"directory that is served"`
	User   string `toml:"user" reload:"no" doc:"whom it runs as; whoever has started it when not set"`
	Log    string `toml:"log" default:"syslog" is:"syslog stderr /" reload:"no" doc:"where its messages go"`
}

// Validate is called by config.Load, for what the tags cannot say. An init script's restart stops nothing before -t has
// found that what comes can start.
func (s *settings) Validate(t *config.Table) {
	if st, err := os.Stat(s.Files); t.Has("files") && (err != nil || !st.IsDir()) {
		t.Wrong("files", "%q is not a directory", s.Files)
	}
	if _, err := net.ResolveTCPAddr("tcp", s.Listen); err != nil {
		t.Wrong("listen", "%v", err)
	}
	if err := daemon.CheckUser(s.User); err != nil {
		t.Wrong("user", "%v", err)
	}
	if st, err := os.Stat(filepath.Dir(s.Log)); filepath.IsAbs(s.Log) && (err != nil || !st.IsDir()) {
		t.Wrong("log", "there is no directory %s", filepath.Dir(s.Log))
	}
}

// load reads and checks the configuration. Its error has every mistake, with its place.
func load(path string) (*settings, error) {
	s := new(settings)
	if err := config.Load(path, s); err != nil {
		return nil, err
	}
	return s, nil
}

// mayBecome tells whether a reload can take next on.
func (s *settings) mayBecome(next *settings) error {
	if _, fixed := config.Differ(s, next); fixed != nil {
		return fmt.Errorf("%s cannot change while it runs: restart it", strings.Join(fixed, ", "))
	}
	return nil
}
