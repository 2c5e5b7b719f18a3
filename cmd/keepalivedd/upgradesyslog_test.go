package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// promises U1, L2: what waits for a syslogd that is not there holds up no upgrade: it is counted, and told of by the
// one that goes on
func TestUpgradeWithoutSyslogd(t *testing.T) {
	if _, err := os.Stat("/dev/log"); err == nil {
		t.Skip("needs a system without a syslogd: there is /dev/log")
	}
	w := newWorld(t, `
[program.one]
command = ["/bin/sh", "-c", "echo one; echo two; echo three; exec sleep 1000"]
output = "syslog"
`)
	p := w.up()
	for {
		status, text := w.say("logs", "one")
		if status != 0 {
			t.Fatalf("logs: %d, %q", status, text)
		}
		if strings.Contains(text, "three") {
			break
		}
	}
	w.upgrade(newer(t))
	w.await(w.log, "3 log messages lost")
	if _, text := w.say("metrics"); !strings.Contains(text, "\nkeepalivedd_log_dropped_total 3\n") {
		t.Errorf("metrics:\n%s", text)
	}
	w.down(p)
}

// promises U1, U2: what a file has not taken, for a disk that hangs, is not thrown away by an upgrade, be it a
// program's or the daemon's own log: that is refused, and says so
func TestUpgradeWithAFileThatHangs(t *testing.T) {
	const prints = `
[program.one]
command = ["/bin/sh", "-c", "seq 20000; echo up >>$DIR/up; exec sleep 1000"]
`
	for whose, want := range map[string]string{"log": "the log is not written: ",
		"program": "program one: its output is not written: "} {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()
			reader, terminal := openPTY(t)
			defer reader.Close()
			defer terminal.Close()
			hangs := terminal.Name()
			w := newWorld(t, prints)
			if whose == "log" {
				text := strings.Replace(w.read(w.conf), w.log, hangs, 1)
				if err := os.WriteFile(w.conf, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			} else {
				w.configure(prints + "output = \"" + hangs + "\"\n")
			}
			p := w.up()
			if whose == "log" {
				w.await(w.dir+"/up", "up")
			}
			status, stderr := w.run("upgrade", "--binary", newer(t))
			if status == 0 || !strings.Contains(stderr, want) {
				t.Errorf("status %d, %q", status, stderr)
			}
			go io.Copy(io.Discard, reader)
			w.down(p)
		})
	}
}
