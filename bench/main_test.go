//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// issue 12.6: all of it works, on whatever is installed. The figures are not looked at.
func TestEverythingOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs daemons")
	}
	o := options{only: "go-floor,c-floor,keepalivedd,keepalived,go-daemon,runit,s6",
		out: filepath.Join(t.TempDir(), "benchmarks.md")}
	o.quicken()
	o.idle, o.talk = 10*time.Millisecond, 200*time.Millisecond
	var said strings.Builder
	if err := o.measure(t.Context(), &said); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	page, err := os.ReadFile(o.out)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(append([]figure{}, ratios...), sums...) {
		row := (&table{options: o}).name(f)
		if !strings.Contains(string(page), "| "+row+" |") || !strings.Contains(said.String(), row) {
			t.Errorf("there is no row %q", row)
		}
	}
	for _, name := range []string{"go-floor", "keepalivedd", "go-daemon"} {
		if strings.Contains(said.String(), name+" is left out") {
			t.Error(name + " is built here, and left out")
		}
	}
	chart, err := os.Open(strings.TrimSuffix(o.out, ".md") + ".svg")
	if err != nil {
		t.Fatal(err)
	}
	defer chart.Close()
	for d := xml.NewDecoder(chart); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if t.Failed() {
		t.Logf("%s\n%s", &said, page)
	}
}

// Who fails once in a while is measured, and the failures counted; who always does is left out.
func TestWorks(t *testing.T) {
	dir := t.TempDir()
	often := func(n int) *peer {
		count := filepath.Join(dir, strconv.Itoa(n))
		return &peer{pidfile: filepath.Join(dir, "pid"), argv: []string{"/bin/sh", "-c",
			`echo >>` + count + `; [ $(wc -l <` + count + `) -gt ` + strconv.Itoa(n) + ` ] || exit 7; sleep 60 & echo $! >` +
				filepath.Join(dir, "pid")}}
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	defer endAll()
	if err := often(2).works(); err != nil {
		t.Errorf("after two that failed: %v", err)
	}
	endAll()
	if err := often(3).works(); err == nil || !strings.Contains(err.Error(), "status 7") {
		t.Errorf("after three: %v, want status 7", err)
	}
}

// A peer without a figure leaves its field empty, and the first that has it is 1.
func TestText(t *testing.T) {
	a, b, c := &peer{name: "a"}, &peer{name: "b"}, &peer{name: "c"}
	tab := &table{peers: []*peer{a, b, c}}
	for _, v := range []float64{20, 10, 30} {
		tab.add(respawn, b, v)
		tab.add(respawn, c, 10*v)
	}
	tab.add(linesLost, a, 2)
	tab.add(linesLost, a, 3)
	for want, got := range map[string]string{
		"":                    tab.text(respawn, a),
		"1 (0.50-1.50)":       tab.text(respawn, b),
		"10 (5-15)":           tab.text(respawn, c),
		"5":                   tab.text(linesLost, a),
		"20 ms":               tab.unit(respawn),
		"respawn of one of 0": tab.name(respawn),
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
