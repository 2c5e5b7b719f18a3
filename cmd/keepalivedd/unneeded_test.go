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

// promise C8: pages that are not as in the file are never dropped; they would come back as they were there
func TestWrittenPagesStay(t *testing.T) {
	const smaps = `00400000-00600000 r-xp 00000000 fe:01 123 /usr/sbin/keepalivedd
Rss:                1000 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00600000-00700000 r--p 00200000 fe:01 123 /usr/sbin/keepalivedd
Anonymous:             4 kB
00700000-00800000 rw-p 00300000 fe:01 123 /usr/sbin/keepalivedd
Anonymous:             0 kB
c000000000-c000400000 r--p 00000000 00:00 0
Anonymous:             0 kB
`
	if got := asInFiles(smaps); len(got) != 1 || got[0] != (mapping{0x400000, 0x600000}) {
		t.Errorf("%x", got)
	}
}
