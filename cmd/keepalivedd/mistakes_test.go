package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

// The caret stands below the byte that is meant, whatever characters are before it, and nothing of the file is obeyed by
// the terminal. // issue 7.C
func TestPicture(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100)
	for _, c := range []struct {
		text        string
		column      int
		line, caret string
	}{
		{"restart = always", 11, "restart = always", "          ^"},
		{"restart", 1, "restart", "^"},
		{"\trestart = x", 12, "        restart = x", "                  ^"},
		{"a\tb = x", 7, "a       b = x", "            ^"},
		{"é = x", 6, "é = x", "    ^"},
		{"\"日本\" = x", 12, "\"日本\" = x", "         ^"},
		{"e\u0301 = x", 7, "e\u0301 = x", "    ^"},
		{"a\x1b[2J\u202e = x", 12, "a\uFFFD[2J = x", "        ^"},
		{"\xff = x", 5, "\uFFFD = x", "    ^"},
		{"x =", 4, "x =", "   ^"},
		{"", 1, "", "^"},
		{long, 1, strings.Repeat("x", 40), "^"},
		{long + "y" + long, 101, strings.Repeat("x", 20) + "y" + strings.Repeat("x", 19), strings.Repeat(" ", 20) + "^"},
		{long + "日", 101, strings.Repeat("x", 20) + "日", strings.Repeat(" ", 20) + "^"},
	} {
		if line, caret := picture(c.text, c.column, 40); line != c.line || caret != c.caret {
			t.Errorf("%q, %d:\ngot  %q %q\nwant %q %q", c.text, c.column, line, caret, c.line, c.caret)
		}
	}
}

// The first of many mistakes are told, and their number. // issue 7.C
func TestManyMistakes(t *testing.T) {
	t.Parallel()
	var all settings.Errors
	for i := range 23 {
		all = append(all, &settings.Error{Mistake: settings.Mistake{File: "/x", Line: i + 1, Column: 3, Err: fmt.Errorf("mistake %d", i), Text: "a = b"}})
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
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
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
