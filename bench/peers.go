//go:build linux

package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A peer is something that is a daemon, or keeps programs running, or both.
type peer struct {
	name, dir string   // all its files are there
	argv      []string // the command that starts it in the background, if it has one; the first is an absolute path
	pidfile   string
	slow      bool // it is started in every eighth round only, and not in storms

	keep       func(job) ([]string, error) // writes a configuration, and returns the command; nil: it keeps nothing
	background bool                        // that command returns when it is up, and the pidfile names it
	end        unix.Signal                 // what stops it, and them
	// change has one of the programs get the name n in place of p, and returns what tells it so; nil: it cannot.
	change func(j job, i int) (tell func(pid int), err error)
	verb   func(string) []string // a command of ours; nil: of others
}

//go:embed floor/c/floor.c
var floorC string

// known are all peers, in the order of the table.
var known = []struct {
	name string
	make func(*peer) error
}{
	{"go-floor", func(p *peer) error { return p.floor(build(p, "bench/floor")) }},
	{"c-floor", func(p *peer) error { return p.floor(compile(p)) }},
	{"keepalivedd", func(p *peer) error { return p.ours("", "log") }},
	{"keepalivedd-bare", func(p *peer) error {
		err := p.ours(`cgroups = "off"`, "null")
		p.argv = nil // it differs only in what it keeps
		return err
	}},
	{"keepalived", keepalived},
	{"go-daemon", func(p *peer) error {
		p.argv = []string{filepath.Join(p.dir, "bin"), p.pidfile}
		return build(p, "bench/godaemon")
	}},
	{"runit", runit},
	{"s6", s6},
	{"supervisord", supervisord},
}

func names() (all []string) {
	for _, k := range known {
		all = append(all, k.name)
	}
	return all
}

// findPeers gets those ready that are asked for, and says why some are left out.
func findPeers(dir string, only []string, w io.Writer) (peers []*peer) {
	for _, name := range only {
		p, err := newPeer(dir, name)
		if err == nil && p.argv != nil {
			err = p.works()
		}
		if err != nil {
			fmt.Fprintf(w, "%s is left out: %v\n", name, err)
		} else {
			peers = append(peers, p)
		}
		endAll()
	}
	return peers
}

// works starts it a first time, which is not measured. One start that fails is for the figures to tell of, and some
// peers have one now and then: Reborn of go-daemon returns an error when its copy is quick. Three show that it cannot.
func (p *peer) works() (err error) {
	for range 3 {
		if _, err = p.begin(); err == nil {
			return nil
		}
		endAll()
	}
	return err
}

func newPeer(dir, name string) (*peer, error) {
	p := &peer{name: name, dir: filepath.Join(dir, name), end: unix.SIGTERM}
	p.pidfile = filepath.Join(p.dir, "pid")
	for _, k := range known {
		if k.name == name {
			return p, errors.Join(os.MkdirAll(p.dir, 0o755), k.make(p))
		}
	}
	return nil, errors.New("there is none of that name")
}

// makeChild makes the program that is kept running, in C if it can.
func makeChild(dir string, w io.Writer) error {
	p := &peer{dir: filepath.Join(dir, "child")}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		return err
	}
	err := compile(p)
	if err != nil {
		fmt.Fprintf(w, "programs are in Go: %v\n", err)
		err = build(p, "bench/floor")
	}
	return err
}

// build makes a command of ours, as p.dir/bin.
func build(p *peer, pkg string) error {
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
		"-o", filepath.Join(p.dir, "bin"), "github.com/keepalivedd/keepalivedd/"+pkg)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

func compile(p *peer) error {
	if _, err := exec.LookPath("cc"); err != nil {
		return errors.New("there is no C compiler, cc")
	}
	c := exec.Command("cc", "-O2", "-static", "-w", "-x", "c", "-o", filepath.Join(p.dir, "bin"), "-")
	c.Stdin = strings.NewReader(floorC)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("cc: %w\n%s", err, out)
	}
	return nil
}

// floor goes by what it is called.
func (p *peer) floor(err error) error {
	as := func(name string) string {
		path := filepath.Join(p.dir, name)
		err = errors.Join(err, os.Symlink("bin", path))
		return path
	}
	p.argv = []string{as("start"), p.pidfile}
	keep := as("keep")
	p.keep = func(j job) ([]string, error) {
		argv := []string{keep, fmt.Sprint(j.n), j.child}
		if j.log != "" {
			argv = append(argv, j.log)
		}
		return argv, nil
	}
	return err
}

// ours has the settings of head, and of its programs that output.
func (p *peer) ours(head, output string) error {
	in := func(file string) string { return filepath.Join(p.dir, file) }
	args := []string{"-f", in("conf"), "-p", p.pidfile}
	write := func(j job) error {
		err := os.WriteFile(in("conf"), fmt.Appendf(nil, "include = [\"conf.*.toml\"]\n%s\n[log]\nto = %q\n", head,
			in("log")), 0o600)
		for first := 0; first < j.n; first += 1000 { // a file of tens of thousands takes long to read
			var b strings.Builder
			for i := first; i < min(first+1000, j.n); i++ {
				to := output
				if j.log != "" {
					to = filepath.Join(j.log, j.program(i))
				}
				fmt.Fprintf(&b, "[program.p%d]\ncommand = [%q, %q]\noutput = %q\n", i, j.child, j.program(i), to)
			}
			err = errors.Join(err, os.WriteFile(in(fmt.Sprintf("conf.%d.toml", first/1000)), []byte(b.String()), 0o600))
		}
		return err
	}
	argv := append([]string{in("bin")}, args...)
	p.argv = argv
	p.background = true
	p.keep = func(j job) ([]string, error) {
		old, _ := filepath.Glob(in("conf.*.toml"))
		for _, file := range old {
			os.Remove(file)
		}
		return argv, write(j)
	}
	p.change = func(j job, i int) (func(int), error) {
		j.changed = map[int]bool{i: true}
		return func(pid int) { unix.Kill(pid, unix.SIGHUP) }, write(j)
	}
	p.verb = func(verb string) []string { return append([]string{in("bin"), verb}, args...) }
	return errors.Join(build(p, "cmd/keepalivedd"), write(job{}))
}

func keepalived(p *peer) error {
	path, err := installed("keepalived")
	in := func(file string) string { return filepath.Join(p.dir, file) }
	p.argv = []string{path, "-G", "-f", in("conf"), "-p", p.pidfile, "-r", in("vrrp"), "-c", in("check"), "-b", in("bfd")}
	return errors.Join(err, os.WriteFile(in("conf"), []byte("global_defs {\n  router_id bench\n}\n"), 0o600))
}

func installed(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed", name)
	}
	return filepath.Abs(path)
}
