//go:build linux

package logging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// promise R3
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	logger, closer, err := Options{To: path}.Logger()
	if err != nil {
		t.Fatal(err)
	}
	l := closer.(*Log)
	logger.Info("before")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Error(err)
	}
	logger.Info("after")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("onto a directory: %v", err)
	}
	if l.OnStderr() {
		t.Error("it is said to go to standard error")
	}
	mustClose(t, l)
	if b, _ := os.ReadFile(path + ".1"); !strings.Contains(string(b), "before") || strings.Contains(string(b), "after") {
		t.Errorf("the old file says %q", b)
	}
	if err := l.Reopen(); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

// A file that somebody may have had put there by another name is not given away.
func TestChown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, Options{To: path}, host())
	defer mustClose(t, l)
	if err := l.Chown(os.Getuid(), os.Getgid()); err != nil {
		t.Error(err)
	}
	if err := os.Link(path, path+".other"); err != nil {
		t.Fatal(err)
	}
	if err := l.Chown(os.Getuid(), os.Getgid()); err == nil {
		t.Error("a file with two names is given away")
	}
}
