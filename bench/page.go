//go:build linux

package main

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed method.md
var method string

// page writes the table with its method, the machine and the versions, and the chart beside it.
func (t *table) page(path string) error {
	base, is := strings.CutSuffix(path, ".md")
	if !is {
		return fmt.Errorf("%s: the name of a page ends in .md", path)
	}
	chart := base + ".svg"
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks\n\n<!-- written by make bench OUT=docs/%s -->\n", filepath.Base(path))
	fmt.Fprintf(&b, "`make bench` does this again, on your machine, with those of the others that it finds there; "+
		"`make bench OUT=FILE.md` writes this\npage. It needs Go, and root for some.\n\n"+
		"![What it costs, as ratios](%s)\n\n", filepath.Base(chart))
	for _, half := range [][]figure{ratios, sums} {
		rows := t.rows(half)
		rows = slices.Insert(rows, 1, slices.Repeat([]string{"---"}, len(rows[0])))
		for _, row := range rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "## How it is measured\n\n%s\n## Where\n\n| | |\n| --- | --- |\n", method)
	for _, fact := range append(machine(), t.versions()...) {
		fmt.Fprintf(&b, "| %s | %s |\n", fact[0], fact[1])
	}
	fmt.Fprintf(&b, "| load before it | %s; at 1 and above, not even the ratios mean much |\n", short(t.load))
	fmt.Fprintf(&b, "| rounds | %d, and %d with many programs; on %s |\n", t.options.rounds, t.options.keeps,
		time.Now().UTC().Format("2 January 2006"))
	return errors.Join(os.WriteFile(path, []byte(b.String()), 0o644), os.WriteFile(chart, []byte(t.chart()), 0o644))
}

type fact [2]string

// machine is what the figures depend on, and nothing that tells whose machine it is.
func machine() []fact {
	model, memory := runtime.GOARCH, 0.0
	if file, err := os.Open("/proc/cpuinfo"); err == nil {
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), ":")
			switch strings.TrimSpace(key) {
			case "model name":
				model = strings.TrimSpace(value)
			case "flags":
				if slices.Contains(strings.Fields(value), "hypervisor") && !strings.HasSuffix(model, "virtual machine") {
					model += ", in a virtual machine"
				}
			}
		}
	}
	memory = number("/proc/meminfo", "MemTotal:") / (1 << 20)
	var name unix.Utsname
	unix.Uname(&name)
	kernel := regexp.MustCompile(`^[0-9.]*[0-9]`).FindString(unix.ByteSliceToString(name.Release[:]))
	return []fact{
		{"processor", model},
		{"cores, memory", fmt.Sprintf("%d, %.0f GiB", runtime.NumCPU(), memory)},
		{"kernel", "Linux " + kernel},
		{"Go", strings.TrimPrefix(runtime.Version(), "go") + ", " + runtime.GOARCH},
	}
}

// versions are those of the peers, as far as they can be had.
func (t *table) versions() (all []fact) {
	commands := map[string]string{
		"c-floor":     "cc --version",
		"keepalivedd": "git describe --always --tags",
		"go-daemon":   "go list -m -f {{.Version}} github.com/sevlyar/go-daemon",
		"keepalived":  "dpkg-query -W -f ${Version} keepalived",
		"runit":       "dpkg-query -W -f ${Version} runit",
		"s6":          "dpkg-query -W -f ${Version} s6",
		"supervisord": "dpkg-query -W -f ${Version} supervisor",
	}
	for _, p := range t.peers {
		words := strings.Fields(commands[p.name])
		if len(words) == 0 {
			continue
		}
		out, err := exec.Command(words[0], words[1:]...).Output()
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		if err == nil && line != "" {
			all = append(all, fact{p.name, line})
		}
	}
	return all
}
