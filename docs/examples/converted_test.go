package examples_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What was converted from another supervisor passes keepalivedd -t, where there is what it asks for.
func TestConverted(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadDir("../../cmd/keepalivedd"); err != nil { // it is the compiler that reads it: go test is to know
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "keepalivedd")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/keepalivedd").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for file, want := range map[string]string{
		"from-supervisord.toml": "ok: 4 programs in 1 file\n",
		"from-runit.toml":       "ok: 2 programs in 1 file\n",
		"from-systemd.toml":     "ok: 3 programs in 1 file\n",
	} {
		t.Run(file, func(t *testing.T) {
			// A path of the example becomes one of a tree that has it.
			root := t.TempDir()
			text := regexp.MustCompile(`"(/[^"]*)"`).ReplaceAllStringFunc(read(t, file), func(quoted string) string {
				path := filepath.Join(root, strings.Trim(quoted, `"`))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				switch filepath.Base(filepath.Dir(path)) {
				case "srv":
					err = os.MkdirAll(path, 0o755)
				case "bin":
					err = os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755)
				case "shop":
					err = os.WriteFile(path, []byte("LANG=C.UTF-8\n"), 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
				return `"` + path + `"`
			})
			text = regexp.MustCompile(`(?m)^user = .*`).ReplaceAllString(text, `user = "`+me.Uid+":"+me.Gid+`"`)
			text = regexp.MustCompile(`(?m)^group = ".*?"`).ReplaceAllString(text, `group = "`+me.Gid+`"`)
			here := filepath.Join(root, file)
			if err := os.WriteFile(here, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(binary, "-t", "-f", here, "-p", filepath.Join(root, "pid")).CombinedOutput()
			if err != nil || string(out) != want {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
