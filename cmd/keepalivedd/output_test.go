package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/logging"
)

// issue 7.A10: to a file nothing is lost, and no byte is changed
func TestOutputArrivesWhole(t *testing.T) {
	w := newWorld(t, `
[program.a]
type = "oneshot"
command = ["/bin/sh", "-c", "cat $DIR/data; echo done >$DIR/done"]
output = "$DIR/out"
`)
	var data bytes.Buffer
	for i := range 2500 {
		fmt.Fprintf(&data, "%04000d\n", i)
	}
	data.Write(bytes.Repeat([]byte("\x00 0123\x1b[1m\xff\r"), 1_000_000))
	data.WriteString("\n\nthe end\n")
	if err := os.WriteFile(filepath.Join(w.dir, "data"), data.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	d := w.up()
	w.await(filepath.Join(w.dir, "done"), "done")
	w.down(d)
	if got := w.read(filepath.Join(w.dir, "out")); got != data.String() {
		t.Errorf("%d bytes, want %d", len(got), data.Len())
	}
}

// issue 7.B4: the last output of a program is written at the stop, on a slow disk too
func TestSlowDiskAtTheStop(t *testing.T) {
	needStrace(t)
	w := newWorld(t, `
[program.a]
command = ["/bin/sh", "-c", "seq 5001; echo done >$DIR/done; exec tail -n 0 -f $DIR/done"]
output = "$DIR/out"
`)
	out := filepath.Join(w.dir, "out")
	if status, stderr := w.runWith(fault{background, "write", "delay_exit=400000", out}); status != 0 {
		t.Fatalf("start: %d, %s", status, stderr)
	}
	d := w.daemon()
	w.await(filepath.Join(w.dir, "done"), "done")
	w.down(d)
	if n := strings.Count(w.read(out), "\n"); n != 5001 {
		t.Errorf("%d lines of 5001; the log:\n%s", n, w.read(w.log))
	}
}

// issue 7.A10, 7.B4, promise C6: a disk that hangs has the one program wait, and delays nothing else; what is lost with
// it is counted and told by name
func TestHungDisk(t *testing.T) {
	needStrace(t)
	disk := mountTmpfs(t, "size=1m")
	w := newWorld(t, strings.ReplaceAll(`
shutdown_timeout = "5s"
[shutdown]
command = ["/bin/sh", "-c", ": >$DIR/shut"]
timeout = "4s"
[program.a]
command = ["/bin/sh", "-c", "while echo $DIR/; do :; done"]
output = "DISK/out"
[program.b]
command = ["/bin/sh", "-c", "echo line; echo $$ >>$DIR/b; exec tail -f $DIR/b"]
output = "$DIR/other"
`, "DISK", disk))
	text := strings.Replace(w.read(w.conf), "shutdown_timeout = \"20s\"\n", "", 1)
	if err := os.WriteFile(w.conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, b := filepath.Join(disk, "out"), filepath.Join(w.dir, "b")
	if status, stderr := w.runWith(fault{background, "write", "delay_enter=1000000000", out}); status != 0 {
		t.Fatalf("start: %d, %s", status, stderr)
	}
	d := w.daemon()
	for i := 1; i < 3; i++ { // a program ends, and is started again
		if err := await(b, regexp.MustCompile(`(?m)^\d+$`), i); err != nil {
			t.Fatal(err)
		}
		pids := strings.Fields(w.read(b))
		var pid int
		fmt.Sscan(pids[len(pids)-1], &pid)
		unix.Kill(pid, unix.SIGKILL)
		w.await(w.log, "program b: killed by SIGKILL")
	}
	if err := await(filepath.Join(w.dir, "other"), regexp.MustCompile("line\n"), 3); err != nil {
		t.Fatal(err)
	}
	if status, stderr := w.run("reload"); status != 0 {
		t.Errorf("reload: %d, %s", status, stderr)
	}
	if status, stderr := w.run("status"); status != 0 && status != statusPartly {
		t.Errorf("status: %d, %s", status, stderr)
	}
	d.signal(t, unix.SIGTERM)
	w.await(w.log, "INFO stopped")
	var tracer int // it would not let the thread go that waits for the disk
	fmt.Sscan(regexp.MustCompile(`TracerPid:\s+(\d+)`).
		FindStringSubmatch(w.read(fmt.Sprintf("/proc/%d/status", d.pid)))[1], &tracer)
	unix.Kill(tracer, unix.SIGKILL)
	if status := d.wait(t); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	w.empty()
	if _, err := os.Stat(filepath.Join(w.dir, "shut")); err != nil {
		t.Errorf("the shutdown command has not run: %v", err)
	}
	if !regexp.MustCompile(`program a: \d+ log messages lost`).MatchString(w.read(w.log)) {
		t.Errorf("the loss is not told; the log:\n%s", w.read(w.log))
	}
}

// says asks until the answer is as it is to be.
func (w *world) says(pattern string, verb ...string) {
	w.t.Helper()
	said := ""
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, said = w.say(verb...); regexp.MustCompile(pattern).MatchString(said) {
			return
		}
	}
	w.t.Fatalf("%v: %s, want %s; the log:\n%s", verb, said, pattern, w.read(w.log))
}

// promise C6, C8: a full disk neither ends nor hangs a program; what it costs is counted, shown while it is so, and
// told by name
func TestOutputToAFullDisk(t *testing.T) {
	w := newWorld(t, `
[program.a]
command = ["/bin/sh", "-c", "seq 100000; echo done >$DIR/done; exec tail -n 0 -f $DIR/done"]
output = "/dev/full"
`)
	d := w.up()
	w.await(filepath.Join(w.dir, "done"), "done")
	w.says(`100000 lines, 100000 of them dropped\n`, "status", "a")
	w.says(`\nkeepalivedd_program_output_dropped_total\{program="a"\} 100000\n`, "metrics")
	w.down(d)
	log := w.read(w.log)
	if !strings.Contains(log, "program a: 100000 log messages lost") {
		t.Errorf("the log:\n%s", log)
	}
	// while it is so, and not only behind it, in a file that nobody can read then
	if told := strings.Count(log, `program a: its output is lost err="/dev/full: no space left on device"`); told != 1 {
		t.Errorf("told %d times; the log:\n%s", told, log)
	}
}

// promise C6, U1: what a full disk has cost is counted through an upgrade, and after a reload that has the output go
// elsewhere; a log of the daemon's own that cannot be written is told of by status.
func TestLossesAreCounted(t *testing.T) {
	t.Parallel()
	const told = `\nkeepalivedd_program_output_dropped_total\{program="a"\} 1000\n`
	programs := `
[program.a]
command = ["/bin/sh", "-c", "test -e $DIR/done || seq 1000; : >$DIR/done; exec sleep 1000"]
output = "/dev/full"
`
	w := newWorld(t, programs)
	w.up()
	w.says(told, "metrics")
	w.upgrade(w.binary)
	w.says(told, "metrics")
	w.configure(strings.ReplaceAll(programs, "/dev/full", "$DIR/out"))
	if status, stderr := w.run("reload"); status != 0 {
		t.Fatalf("reload: %d, %s", status, stderr)
	}
	w.says(told, "metrics")
	if _, out := w.say("status"); strings.Contains(out, "lost") {
		t.Errorf("status, of a log that has lost nothing: %s", out)
	}

	conf := strings.ReplaceAll(w.read(w.conf), w.log, "/dev/full")
	if err := os.WriteFile(w.conf, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, stderr := w.run("reload"); status != 0 {
		t.Fatalf("reload: %d, %s", status, stderr)
	}
	w.says(`\nkeepalivedd_log_dropped_total [1-9]\d*\n`, "metrics")
	w.says(`^keepalivedd is running, pid \d+; programs up: 1 of 1\n[1-9]\d* lines of its log are lost\n`, "status")
	w.says(`"log_dropped": [1-9]`, "status", "--json")
}

// A program whose file cannot be opened runs; a reload tries again.
func TestOutputOpenedLater(t *testing.T) {
	w := newWorld(t, `
[program.a]
command = ["/bin/sh", "-c", "while read line; do echo $line; done <$DIR/fifo; exec tail -f $DIR/fifo"]
output = "$DIR/later/out"
`)
	fifo := filepath.Join(w.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	status, stderr := w.run()
	if want := "the program is started, and its output lost until a reload finds where it goes"; status != 0 ||
		!strings.Contains(stderr, want) {
		t.Fatalf("start: %d, %q, want %q", status, stderr, want)
	}
	d := w.daemon()
	w.await(w.log, `program a: its output is lost err="log file .*no such file or directory"`)
	if err := os.Mkdir(filepath.Join(w.dir, "later"), 0o755); err != nil {
		t.Fatal(err)
	}
	if status, stderr := w.run("reload"); status != 0 {
		t.Fatalf("reload: %d, %s", status, stderr)
	}
	fmt.Fprintln(f, "hello")
	w.await(filepath.Join(w.dir, "later", "out"), "hello")
	w.down(d)
}

// issue 7.A8: programs with output to syslog follow the facility at a reload
func TestFacilityReloaded(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a syslogd of its own, in a mount namespace")
	}
	if _, err := os.Stat("/dev/log"); err == nil {
		t.Skip("there is a /dev/log, which would be written to")
	}
	w := newWorld(t, `
log.facility = "local1"
[program.a]
command = ["/bin/sh", "-c", "while read line; do echo $line; done <$DIR/fifo"]
output = "syslog"
`)
	dir, err := os.MkdirTemp("", "run") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	fifo := filepath.Join(w.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syslogd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "log"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer syslogd.Close()
	syslogd.SetReadDeadline(time.Now().Add(patience))
	says := func(line, want string) {
		t.Helper()
		fmt.Fprintln(f, line)
		buf := make([]byte, 1024)
		for {
			n, err := syslogd.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(buf[:n]); strings.HasSuffix(got, ": "+line+"\n") {
				if !strings.HasPrefix(got, want) {
					t.Errorf("%q, want %s", got, want)
				}
				return
			}
		}
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("no unshare")
	}
	if out, err := exec.Command(unshare, "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace can be made, as in a chroot: %v, %s", err, out)
	}
	c := w.command()
	c.Path = unshare
	c.Args = append([]string{"unshare", "-m", "sh", "-c", `mount --bind "$0" /run && exec "$@"`, dir, w.binary},
		c.Args[1:]...)
	if status, stderr := w.finish(c); status != 0 {
		t.Fatalf("start: %d, %s", status, stderr)
	}
	d := w.daemon()
	says("one", "<142>") // local1.info
	w.configure(strings.Replace(`
log.facility = "local1"
[program.a]
command = ["/bin/sh", "-c", "while read line; do echo $line; done <$DIR/fifo"]
output = "syslog"
`, "local1", "local2", 1))
	if status, stderr := w.run("reload"); status != 0 {
		t.Fatalf("reload: %d, %s", status, stderr)
	}
	says("two", "<150>") // local2.info
	w.down(d)
}

// promise L2: a file that a reload opens anew, before it was opened at all or after it was closed, is not left open
func TestOutletIsOpenedOnce(t *testing.T) {
	var o outputs
	o.begin("", mustOpenLog(t))
	for what, do := range map[string]func(*outlet){
		"before": func(t *outlet) { t.reopen(""); t.open(); t.close() },
		"after":  func(t *outlet) { t.wait.Do(func() { close(t.opened) }); t.close(); t.reopen("") },
	} {
		path := filepath.Join(t.TempDir(), "out")
		do(&outlet{outputs: &o, program: "one", opened: make(chan struct{}), closed: make(chan struct{}),
			options: logging.Options{To: path, Plain: true}})
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); to == path {
				t.Errorf("%s: %s is open", what, path)
			}
		}
	}
}

func mustOpenLog(t *testing.T) *logging.Log {
	t.Helper()
	log, err := logging.Open(logging.Options{To: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}
