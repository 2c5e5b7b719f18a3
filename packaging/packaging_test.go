// Package packaging_test holds the files of packaging to the program that they
// are for.
package packaging_test

import (
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tracked makes go test aware of what others read below dir, the compiler and the
// scripts: it believes a result for as long as what the test itself has opened is
// the same.
func tracked(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// program builds keepalivedd as it is shipped, without cgo: the test root has
// another libc.
func program(t *testing.T) string {
	t.Helper()
	tracked(t, "..")
	binary := filepath.Join(t.TempDir(), "keepalivedd")
	cmd := exec.Command("go", "build", "-o", binary, "../cmd/keepalivedd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// commented is what the samples show and do not do: a "#" directly before a key,
// a table or a variable. Prose has a blank between.
var commented = regexp.MustCompile(`(?m)^#([a-z[])`)

func TestSampleConfiguration(t *testing.T) {
	binary := program(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	sample := read(t, "conf/keepalivedd.toml")
	// The example's paths and user are not on this machine.
	full := strings.NewReplacer(
		"/usr/sbin/webd", "/bin/sh", "www-data", me.Username, "/srv/web", "/",
	).Replace(commented.ReplaceAllString(sample, "$1"))
	if !strings.Contains(full, "\n[program.web]\n") {
		t.Fatal("the example program was not found")
	}
	for name, text := range map[string]string{"as installed": sample, "with everything in force": full} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "keepalivedd.toml")
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(binary, "-t", "-f", file).CombinedOutput(); err != nil {
				t.Errorf("-t: %v\n%s", err, out)
			}
		})
	}
}

func TestDefaultsFile(t *testing.T) {
	file := read(t, "default/keepalivedd")
	for _, line := range strings.Split(file, "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			t.Errorf("%q is in force", line)
		}
	}
	file = regexp.MustCompile(`(?m)^#([A-Z_]+=)`).ReplaceAllString(file, "$1")
	out, err := exec.Command("sh", "-euc", file+"\n"+`printf %s "$DAEMON_OPTS"`).CombinedOutput()
	if err != nil || len(out) == 0 {
		t.Errorf("with everything in force: %v, DAEMON_OPTS %q", err, out)
	}
}

// promise I1: the header that update-rc.d, insserv and chkconfig read.
func TestInitScriptHeader(t *testing.T) {
	script := read(t, "init.d/keepalivedd")
	_, rest, begins := strings.Cut(script, "\n### BEGIN INIT INFO\n")
	header, _, ends := strings.Cut(rest, "\n### END INIT INFO\n")
	if !begins || !ends {
		t.Fatal("no LSB header")
	}
	for _, key := range []string{
		"Provides", "Required-Start", "Required-Stop", "Should-Start", "Should-Stop",
		"Default-Start", "Default-Stop", "Short-Description", "Description",
	} {
		if n := len(regexp.MustCompile(`(?m)^# `+key+`: +\S`).FindAllString(header, -1)); n != 1 {
			t.Errorf("%s stands there %d times", key, n)
		}
	}
	for _, line := range []string{"# chkconfig: 2345 90 10", "# description: "} {
		if !strings.Contains(script, "\n"+line) {
			t.Errorf("chkconfig's %q is missing", line)
		}
	}
}

func TestScripts(t *testing.T) {
	tracked(t, ".")
	out, err := exec.Command("test/lint.sh").CombinedOutput()
	if err != nil {
		t.Errorf("lint.sh: %v\n%s", err, out)
		return
	}
	t.Logf("%s", out)
}

// promise I1, and S, P, R and T as an init script meets them: a boot with
// sysvinit as PID 1. It takes half a minute, and as much again for its first root.
func TestSysvinit(t *testing.T) {
	if os.Getenv("KEEPALIVEDD_SYSVINIT") != "1" {
		t.Skip("boots a system; asked for with KEEPALIVEDD_SYSVINIT=1")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root, for its namespaces")
	}
	out, err := exec.Command("test/sysvinit.sh", program(t)).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("sysvinit.sh: %v", err)
	}
}

// Every file that nfpm.yaml names is there, but for what package.sh makes.
func TestPackagedFiles(t *testing.T) {
	made := regexp.MustCompile(`^packaging/(keepalivedd|changelog\.gz|deb/changelog\.gz|man/.*\.gz)$`)
	name := regexp.MustCompile(`(?m)^ +(?:- )?(?:src|\w+(?:install|remove|upgrade)): (packaging/\S+)$`)
	named := name.FindAllStringSubmatch(read(t, "nfpm.yaml"), -1)
	if len(named) < 20 {
		t.Fatalf("found %d files only", len(named))
	}
	for _, file := range named {
		path := file[1]
		if made.MatchString(path) {
			if path = strings.TrimSuffix(path, ".gz"); !strings.Contains(path, "/man/") {
				continue
			}
		}
		if info, err := os.Stat(filepath.Join("..", path)); err != nil {
			t.Error(err)
		} else if !info.Mode().IsRegular() {
			t.Errorf("%s is no file", path)
		}
	}
}

// docs/PACKAGING.md tells where what the packages have of each folder goes, and of each kind of document.
func TestFilesAreTold(t *testing.T) {
	page := read(t, "../docs/PACKAGING.md")
	source := regexp.MustCompile(`(?m)^ +- src: (?:(packaging/\w+/)|docs/(\*\.\w+)$)`)
	for _, named := range source.FindAllStringSubmatch(read(t, "nfpm.yaml"), -1) {
		begins := regexp.MustCompile("`(docs/)?" + regexp.QuoteMeta(named[1]+named[2]))
		if named[1] != "packaging/deb/" && !begins.MatchString(page) {
			t.Errorf("docs/PACKAGING.md does not tell of %s%s", named[1], named[2])
		}
	}
}

// Every document is in the packages, with what it shows and names, for as long as that is one of docs.
func TestPackagedDocuments(t *testing.T) {
	packaged := map[string]bool{}
	for _, named := range regexp.MustCompile(`(?m)^ +- src: (docs/\S+)$`).FindAllStringSubmatch(read(t, "nfpm.yaml"), -1) {
		files, err := filepath.Glob(filepath.Join("..", named[1]))
		if err != nil || len(files) == 0 {
			t.Errorf("%s is nothing: %v", named[1], err)
		}
		for _, file := range files {
			if packaged[file] {
				t.Errorf("%s is named twice", file)
			}
			packaged[file] = true
		}
	}
	link := regexp.MustCompile(`\]\(([^):#]+)[^):]*\)`)
	err := filepath.WalkDir("../docs", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".go" {
			return err
		}
		if !packaged[path] {
			t.Errorf("%s is in no package", path)
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		for _, to := range link.FindAllStringSubmatch(read(t, path), -1) {
			target := filepath.Join(filepath.Dir(path), to[1])
			info, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			} else if strings.HasPrefix(target, "../docs/") && !info.IsDir() && !packaged[target] {
				t.Errorf("%s names %s, which is in no package", path, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !packaged["../docs/configuration.md"] {
		t.Error("no document was found")
	}
}

// Whoever gives away the program gives away the modules in it, whose licences want to
// be told.
func TestCopyright(t *testing.T) {
	tracked(t, "..")
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}",
		"../cmd/keepalivedd").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	linked := map[string]bool{}
	for _, module := range strings.Fields(string(out)) {
		linked[module] = true
	}
	for _, stanza := range regexp.MustCompile(`(?m)^Files: (.+)/\*$`).FindAllStringSubmatch(read(t, "deb/copyright"), -1) {
		if !linked[stanza[1]] {
			t.Errorf("%s is in deb/copyright and not in the program", stanza[1])
		}
		delete(linked, stanza[1])
	}
	for module := range linked {
		t.Errorf("%s is in the program and not in deb/copyright", module)
	}
}

// issue 7.C: make install takes what was built, and builds nothing: root's PATH has no Go.
func TestMakeInstall(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip(err)
	}
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	tracked(t, ".")
	tree, root := t.TempDir(), t.TempDir()
	for _, name := range []string{"Makefile", "packaging"} {
		if err := os.Symlink(filepath.Join(top, name), filepath.Join(tree, name)); err != nil {
			t.Fatal(err)
		}
	}
	install := func() (string, error) {
		cmd := exec.Command("make", "-C", tree, "install", "DESTDIR="+root, "PREFIX=/usr")
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := install(); err == nil || !strings.Contains(out, "there is no bin/keepalivedd: run make build first") {
		t.Errorf("with nothing built: %v\n%s", err, out)
	}
	if err := os.Mkdir(filepath.Join(tree, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "bin/keepalivedd"), []byte("built"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := install(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	if got := read(t, filepath.Join(root, "usr/sbin/keepalivedd")); got != "built" {
		t.Errorf("it installed %q", got)
	}
	for _, file := range []string{
		"etc/keepalivedd/keepalivedd.toml", "etc/init.d/keepalivedd", "usr/share/man/man8/keepalivedd.8",
	} {
		if _, err := os.Stat(filepath.Join(root, file)); err != nil {
			t.Error(err)
		}
	}
}

// The packages, whole: built twice, checked, installed, upgraded, removed. It takes
// two minutes.
func TestPackages(t *testing.T) {
	if os.Getenv("KEEPALIVEDD_PACKAGES") != "1" {
		t.Skip("builds and installs packages in roots of their own; asked for with KEEPALIVEDD_PACKAGES=1")
	}
	tracked(t, "..")
	out, err := exec.Command("test/packages.sh").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("packages.sh: %v", err)
	}
}
