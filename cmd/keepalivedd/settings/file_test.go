package settings_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

func program(name string) string {
	return fmt.Sprintf("[program.%s]\ncommand = [\"/bin/true\"]\n", name)
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func names(c *settings.Config) string {
	var all []string
	for _, p := range c.Programs {
		all = append(all, p.Name)
	}
	return strings.Join(all, " ")
}

// What is no regular file gets an error at once, named directly or by an include. // promise S5
func TestNotAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo.toml")
	if err := unix.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.toml")
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo:        "it is a FIFO, not a regular file",
		link:        "it is a FIFO, not a regular file",
		dir:         "it is a directory, not a regular file",
		"/dev/null": "it is a device, not a regular file",
		"/dev/tty":  ": cannot read",
	} {
		if _, err := settings.Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", path, err)
		}
		main := write(t, filepath.Join(t.TempDir(), "main.toml"), fmt.Sprintf("include = [%q]\n", path))
		if _, err := settings.Load(main); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(want, ": ")) {
			t.Errorf("include of %s: got %v", path, err)
		}
	}
	// A FIFO where the pattern wants a directory is passed over, not waited for.
	main := write(t, filepath.Join(dir, "main.toml"), `include = ["*/x.toml"]`)
	if _, err := settings.Load(main); err != nil {
		t.Error(err)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	file := write(t, filepath.Join(t.TempDir(), "large.toml"), "")
	if err := os.Truncate(file, 1<<40); err != nil {
		t.Skip(err)
	}
	if _, err := settings.Load(file); err == nil || !strings.Contains(err.Error(), "it is larger than 16 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{
		"a.toml~", ".a.toml", "a.dpkg-old", "a.dpkg-dist", "a.rpmnew", "a.rpmsave", "a.rpmorig", "a.ucf-dist",
		".a.swp", "a.swp", "a.bak", "a.orig", "#a.toml#",
	} {
		write(t, filepath.Join(dir, "conf.d", name), "not TOML")
	}
	write(t, filepath.Join(dir, "conf.d", "a"), program("a"))
	c, err := settings.Load(write(t, filepath.Join(dir, "main.toml"), `include = ["conf.d/*"]`))
	if err != nil {
		t.Fatal(err)
	}
	if got := names(c); got != "a" {
		t.Errorf("got programs %q", got)
	}
}

// The directory of the configuration is meant literally, whatever characters it has.
func TestGlobCharactersInDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a[1]*")
	write(t, filepath.Join(dir, "conf.d", "a.toml"), program("a"))
	c, err := settings.Load(write(t, filepath.Join(dir, "main.toml"), `include = ["conf.d/*.toml"]`))
	if err != nil || names(c) != "a" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// A file that several patterns match, or that has several names, is read once.
func TestIncludedTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := write(t, filepath.Join(dir, "conf.d", "a.toml"), program("a"))
	if err := os.Symlink(a, filepath.Join(dir, "conf.d", "b.toml")); err != nil {
		t.Fatal(err)
	}
	c, err := settings.Load(write(t, filepath.Join(dir, "main.toml"), `include = ["conf.d/*.toml", "conf.d/a.toml"]`))
	if err != nil || names(c) != "a" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// A directory link that leads back does not make an endless line of files.
func TestCycleThroughLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink(".", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	_, err := settings.Load(write(t, filepath.Join(dir, "main.toml"), `include = ["loop/main.toml"]`))
	if err == nil || !strings.Contains(err.Error(), "files include each other") {
		t.Errorf("got %v", err)
	}
}

// A directory that cannot be read is not an empty one: a reload would stop all its programs. // promise R1
func TestUnreadableDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root reads every directory")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "conf.d", "a.toml"), program("a"))
	if err := os.Chmod(filepath.Join(dir, "conf.d"), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "conf.d"), 0o755) })
	_, err := settings.Load(write(t, filepath.Join(dir, "main.toml"), `include = ["conf.d/*.toml"]`))
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

// A relative path is made absolute at once. // promise S7
func TestRelativePath(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.toml"), "colour = 1")
	t.Chdir(dir)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	_, err = settings.Load("bad.toml")
	if want := filepath.Join(wd, "bad.toml") + ":1:1: colour: unknown key"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	c, err := settings.Load(write(t, filepath.Join(t.TempDir(), "main.toml"), "\xef\xbb\xbf"+program("a")))
	if err != nil || names(c) != "a" {
		t.Errorf("got %+v, %v", c, err)
	}
}
