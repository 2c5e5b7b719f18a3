//go:build linux

package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/daemontest"
)

func TestMain(m *testing.M) { daemontest.Main(m, main) }

func TestCronlock(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	first := daemontest.Command(t, lock, "sh", "-c", "echo runs; read line; exit 3")
	in, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "runs\n" {
		t.Fatalf("%q, %v", line, err)
	}
	status, stdout, stderr := daemontest.Do(t, lock, "echo", "hello")
	if status != 100 || stdout != "" || !strings.Contains(stderr, "already running") {
		t.Errorf("while it runs: %d, %q, %q", status, stdout, stderr)
	}
	in.Close()
	first.Wait()
	if status := first.ProcessState.ExitCode(); status != 3 {
		t.Errorf("the status of the command is 3, and it left with %d", status)
	}
	if _, err := os.Lstat(lock); err == nil {
		t.Error("the pidfile is left")
	}
	if status, stdout, stderr := daemontest.Do(t, lock, "echo", "hello"); status != 0 || stdout != "hello\n" {
		t.Errorf("afterwards: %d, %q, %q", status, stdout, stderr)
	}
	if status, _, _ := daemontest.Do(t, lock); status != 2 {
		t.Errorf("without a command: %d", status)
	}
}
