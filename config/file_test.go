//go:build linux

package config

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// promise S5: what is no file is an error at once, and nothing waits for it
func TestFIFO(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo.toml")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo: "it is a FIFO, not a regular file", dir: "it is a directory, not a regular file",
	} {
		if err := Load(path, new(every)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if _, err := (Disk{}).List(fifo); err == nil {
		t.Error("a FIFO was taken for a directory")
	}
}
