package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/internal/fdtest"
)

// The first of many mistakes are told, and their number. // issue 7.C
func TestManyMistakes(t *testing.T) {
	t.Parallel()
	var all settings.Errors
	for i := range 23 {
		all = append(all,
			&settings.Error{Mistake: settings.Mistake{File: "/x", Line: i + 1, Column: 3, Err: fmt.Errorf("mistake %d", i),
				Text: "a = b"}})
	}
	said := brief{all}.Error()
	if n := strings.Count(said, "mistake "); n != 20 || !strings.HasSuffix(said, "mistake 19\nand 3 more") {
		t.Errorf("got %s", said)
	}
	if said := (brief{all[:20]}).Error(); strings.Contains(said, "more") {
		t.Errorf("got %s", said)
	}
	var whole settings.Errors
	if !errors.As(fmt.Errorf("x: %w", brief{all}), &whole) || len(whole) != 23 {
		t.Errorf("%d are left", len(whole))
	}
	var b strings.Builder
	brief{all}.tell(&b, 80)
	want := "keepalivedd: /x:20:3: mistake 19\n    a = b\n      ^\nkeepalivedd: and 3 more\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got %s", b.String())
	}
}

// Whoever sits at a terminal is shown the line. // issue 7.C
func TestOnTerminal(t *testing.T) {
	t.Parallel()
	master, slave := fdtest.PTY(t)
	defer master.Close()
	defer slave.Close()
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte("[program.web]\n\tcommand = [\"/no/such/webd\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(name, "-t", "-f", file)
	c.Stderr = slave
	if c.Run(); c.ProcessState.ExitCode() != misconfigured {
		t.Fatalf("status %v", c.ProcessState)
	}
	fmt.Fprintln(slave, "end")
	want := "keepalivedd: " + file + ":2:13: program.web.command: /no/such/webd: no such file or directory\r\n" +
		"            command = [\"/no/such/webd\"]\r\n" +
		"                       ^\r\nend"
	got := ""
	for buf := make([]byte, 4096); !strings.Contains(got, "\r\nend"); {
		n, err := master.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got += string(buf[:n])
	}
	if !strings.HasPrefix(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
