//go:build linux

package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemontest"
)

func TestMain(m *testing.M) { daemontest.Main(m, main) }

// What dies is started again, all of it is stopped in order, and nothing is left.
func TestMiniInit(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]string{
		"dies":  "#!/bin/sh\necho dies",
		"stays": "#!/bin/sh\ntrap 'echo stops; exit' TERM\necho stays\nsleep 1000 & wait",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := daemontest.Command(t)
	c.Stdin = strings.NewReader(filepath.Join(dir, "stays") + "\n\n" + filepath.Join(dir, "dies") + "\n")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	asked := false
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		count[lines.Text()]++
		if !asked && count["dies"] > 1 && count["stays"] > 0 {
			asked = true
			c.Process.Signal(unix.SIGTERM)
		}
	}
	if err := c.Wait(); err != nil || count["stays"] != 1 || count["dies"] < 2 || count["stops"] != 1 {
		t.Errorf("%v: %v", err, count)
	}
}
