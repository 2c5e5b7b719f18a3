package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dump writes the state of every program, for SIGUSR1.
func (s *service) dump(context.Context) error {
	return s.writeJSON("state", s.set.Status())
}

// stats writes counters, for SIGUSR2.
func (s *service) stats(context.Context) error {
	var c struct {
		Time     time.Time      `json:"time"`
		Programs int            `json:"programs"`
		States   map[string]int `json:"states"`
		Starts   int            `json:"starts"`
	}
	c.Time, c.States = time.Now(), map[string]int{}
	for _, p := range s.set.Status() {
		c.Programs++
		c.States[p.State]++
		c.Starts += p.Starts
	}
	return s.writeJSON("stats", c)
}

func (s *service) jsonPath(what string) string {
	return strings.TrimSuffix(s.pidfile(), ".pid") + "." + what + ".json"
}

// removeJSON is for the end: a daemon leaves no trace.
func (s *service) removeJSON() {
	if s.pidfile() != "" {
		os.Remove(s.jsonPath("state"))
		os.Remove(s.jsonPath("stats"))
	}
}

// writeJSON puts v beside the pidfile, /run/keepalivedd.state.json.
func (s *service) writeJSON(what string, v any) error {
	if s.pidfile() == "" {
		return errors.New("there is no pidfile to write it beside")
	}
	path := s.jsonPath(what)
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	if err := putInPlace(path, append(b, '\n'), 0o644); err != nil {
		return err
	}
	s.daemon.Log.Info("written", "file", path)
	return nil
}

// putInPlace writes a file and renames it into place, so that nobody reads half of it; no link is followed.
func putInPlace(path string, b []byte, mode fs.FileMode) error {
	os.Remove(path + ".new")
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		os.Remove(path + ".new")
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
