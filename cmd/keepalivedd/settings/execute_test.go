package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise S9: a test looks into what is to be executed: without its interpreter a script is never run, and for what a
// handler of binfmt_misc may know there is a warning; whoever does not test looks into nothing
func TestContents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	foreign := append([]byte{}, own[:64]...)
	foreign[18], foreign[19] = 0xf7, 0xf7
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	const text, emulator = "it is text, and does not begin with #!, as a script does: #!/bin/sh, say",
		"it is for another kind of processor, and runs with an emulator only"
	for name, test := range map[string]struct{ begins, lacking, warning string }{
		"sh":       {"#!/bin/sh\necho\n", "", ""},
		"env":      {"#! /usr/bin/env no-such-program\n", "", ""},
		"own":      {string(own[:512]), "", ""},
		"foreign":  {string(foreign), "", emulator},
		"short":    {"\x7fELF", "", "it is cut short"},
		"empty":    {"", "", ""},
		"jar":      {"PK\x03\x04\x14\x00", "", ""},
		"gone":     {"#!/no/such/sh -e\n", "its interpreter /no/such/sh: no such file or directory", ""},
		"dos":      {"#!/bin/sh\r\necho\r\n", `carriage return, which makes "/bin/sh\r" of its interpreter`, ""},
		"plain":    {"#!" + filepath.Join(dir, "plain") + "\n", "it is not executable (chmod +x)", ""},
		"bell":     {"#!/no/\a\n", "", ""},
		"relative": {"#!sh\n", "", ""},
		"endless":  {"#!/" + strings.Repeat("x", 300), "", ""},
		"no line":  {"echo\n", "", text},
		"marked":   {"\ufeff#!/bin/sh\n", "", text},
	} {
		path := filepath.Join(dir, "run "+name)
		if err := os.WriteFile(path, []byte(test.begins), 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "conf.toml")
		config := fmt.Sprintf("[program.a]\ncommand = [%q]\ninstances = 3\n", path)
		if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, look := range []bool{true, false} {
			c, err := LoadOn(Machine{Contents: look}, file)
			if err != nil {
				t.Fatal(err)
			}
			lacking, warning := "", ""
			if look {
				lacking, warning = test.lacking, test.warning
			}
			for what, all := range map[string]struct {
				got  Errors
				want string
			}{"lacking": {c.Lacking, lacking}, "warning": {c.Warnings, warning}} {
				if len(all.got) > 1 || (len(all.got) == 1) != (all.want != "") ||
					len(all.got) == 1 && !strings.Contains(all.got.Error(), all.want) {
					t.Errorf("%s, looked into: %v: %s %q, want %q", name, look, what, all.got.Error(), all.want)
				}
			}
		}
	}
}

// promise S9: of a machine that executes what is for another nobody is warned, whatever the order of its bytes
func TestMachinesThatAreAkin(t *testing.T) {
	t.Parallel()
	little := func(machine byte) []byte {
		return append([]byte("\x7fELF\x02\x01"), append(make([]byte, 12), machine, 0)...)
	}
	big := func(machine byte) []byte {
		return append([]byte("\x7fELF\x02\x02"), append(make([]byte, 12), 0, machine)...)
	}
	const i386, x86, arm, aarch64, ppc, ppc64 = 3, 62, 40, 183, 20, 21
	for name, test := range map[string]struct {
		head, ours []byte
		akin       bool
	}{
		"386 on x86-64":           {little(i386), little(x86), true},
		"arm on aarch64":          {little(arm), little(aarch64), true},
		"ppc on ppc64":            {big(ppc), big(ppc64), true},
		"arm on x86-64":           {little(arm), little(x86), false},
		"ppc64, the other endian": {big(ppc64), little(x86), false},
	} {
		if err := unlikely(test.head, test.ours); (err == nil) != test.akin {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// promise S5: what has become a FIFO since it was looked at holds up nobody who looks into it
func TestBeginsOfFIFO(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o700); err != nil {
		t.Fatal(err)
	}
	head := make(chan []byte, 1)
	go func() { head <- disk{}.begins(fifo) }()
	select {
	case head := <-head:
		if len(head) > 0 {
			t.Errorf("it begins with %q", head)
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits for who writes there")
	}
}

// promise S9: what execve(2) takes of nobody is refused
func TestTooLongToPassOn(t *testing.T) {
	t.Parallel()
	most := longestString() - 1
	x := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	for text, want := range map[string]string{
		`command = ["/bin/true", ` + x(most) + `]`: "",
		`command = ["/bin/true", ` + x(most+1) + `]`: "" +
			`main.toml:2:11: program.a.command: "xxxxxxxxxxxxxxxxxxxx"… has `,
		"command = [\"/bin/true\"]\nenvironment = { N = " + x(most-2) + " }": "",
		"command = [\"/bin/true\"]\nenvironment = { N = " + x(most-1) + ", M = " + x(most) + " }": "" +
			"main.toml:3:15: program.a.environment: M has ",
		"command = [\"/bin/true\"" + strings.Repeat(", "+x(most), mostStrings/most+1) + "]": "main.toml:2:11: " +
			"program.a.command: with the environment it has ",
	} {
		_, err := load("/main.toml", memory{main: "[program.a]\n" + text + "\n"})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}
