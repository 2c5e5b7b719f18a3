package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

// clash tells that the pidfile or the log is a file that is there for something else. Whatever is in a pidfile is
// replaced, and who has written -p or -g for -f is to keep the configuration.
func (o *options) clash(c *settings.Config) error {
	pidfile, log := c.PIDFile != "none", filepath.IsAbs(c.Log.To)
	key, why := "pidfile "+c.PIDFile, ""
	for _, file := range c.Files {
		switch {
		case pidfile && same(c.PIDFile, file):
			why = "it is a file of the configuration, and would be replaced: name that with -f, and the pidfile with -p"
		case log && same(c.Log.To, file):
			key, why = "log.to "+c.Log.To, "it is a file of the configuration, and would be written to: give it another path"
		}
	}
	switch {
	case why != "" || !pidfile:
	case filepath.Ext(c.PIDFile) == ".toml":
		why = "it is called as a configuration is, which would be replaced: name that with -f, and the pidfile with -p"
	case log && same(c.PIDFile, c.Log.To):
		why = "it is the log file too, and would be replaced: give it another path"
	}
	if why == "" {
		return nil
	}
	return brief{settings.Errors{{Mistake: settings.Mistake{File: o.file, Key: key, Err: errors.New(why)}}}}
}

// same tells whether two paths are those of one file, or would be.
func same(a, b string) bool {
	is, err := os.Stat(a)
	other, err2 := os.Stat(b)
	return filepath.Clean(a) == filepath.Clean(b) || err == nil && err2 == nil && os.SameFile(is, other)
}
