package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// promise A1: what one begins with builds and passes its tests, and has nothing of the example's name left
func TestNew(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles a module")
	}
	if strings.Contains(os.Getenv("GOFLAGS"), "-mod=vendor") {
		t.Skip("needs modules, and there are packages only")
	}
	dir := filepath.Join(t.TempDir(), "made")
	run := func(dir, command string, args ...string) {
		t.Helper()
		c := exec.Command(command, args...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, out)
		}
	}
	run(".", "./new", "spool-watch", dir)
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```sh\n")
	if len(blocks) != 3 {
		t.Fatalf("its README has %d blocks for the shell", len(blocks)-1)
	}
	for _, block := range blocks[1:] {
		script, _, _ := strings.Cut(block, "```\n")
		run(dir, "sh", "-ec", script)
	}
	run(dir, "sh", "-n", "packaging/spool-watch.init")
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "spool-watch" {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(strings.ToLower(string(b)+d.Name()), "httpd") {
			t.Errorf("%s speaks of httpd", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for name, args := range map[string][]string{
		"no name": {}, "a name that is none": {"Spool", dir + "2"}, "a directory that is there": {"spool", dir},
		"a name in use": {"packaging", dir + "2"},
	} {
		if out, err := exec.Command("./new", args...).CombinedOutput(); err == nil {
			t.Errorf("%s: it is made: %s", name, out)
		}
	}
}
