package main

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// issue 12.5: a daemon that waits has mapped little of its program, and works as before.
func TestUnneededIsDropped(t *testing.T) {
	w := newWorld(t, oneProgram)
	d := w.up()
	mapped := regexp.MustCompile(`RssFile:\s+(\d+) kB`)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		m := mapped.FindStringSubmatch(w.read("/proc/" + itoa(d.pid) + "/status"))
		if m == nil {
			t.Skip("the kernel does not tell what is mapped")
		}
		// An idle one needs 1.4 MiB of 5.7, and one that was built with the race detector more.
		st, err := os.Stat(w.binary)
		if err != nil {
			t.Fatal(err)
		}
		if kb, _ := strconv.ParseInt(m[1], 10, 64); kb<<10 < st.Size()/2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s kB of it are mapped", m[1])
		}
	}
	if status, stderr := w.run("reload"); status != 0 {
		t.Errorf("reload: %d, %q", status, stderr)
	}
	w.down(d)
}
