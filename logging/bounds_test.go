package logging

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise L1: after a write that has failed there is one line at a time, until one is written.
func TestOneByOneAfterAFailure(t *testing.T) {
	d := &stream{limit: fileBatch}
	lines := []record{{line: []byte("one\n")}, {line: []byte("two\n")}}
	if d.account(lines, 0, 5); d.batch() != 0 || !d.torn {
		t.Errorf("after a part: %d bytes at once, torn %v", d.batch(), d.torn)
	}
	if d.account(lines[1:], 1, 5); d.batch() != fileBatch || d.torn {
		t.Errorf("after the rest: %d bytes at once, torn %v", d.batch(), d.torn)
	}
}

// A descriptor that somebody has made non-blocking is waited for.
func TestNonBlockingDescriptor(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	tries := 0
	d := &stream{fd: int(w.Fd()), limit: pipeBatch, put: func(_ int, p []byte) (int, error) {
		if tries++; tries == 1 {
			return -1, unix.EAGAIN
		}
		return len(p), nil
	}}
	if n, err := d.write([]record{{line: []byte("line\n")}}); n != 1 || err != nil || tries != 2 {
		t.Errorf("%d written, %v, after %d tries", n, err, tries)
	}
}

// promise T1: nobody waits for a log any more that is hurried, whatever it is switched to; nor ever for a terminal.
func TestSwitchOfWhoIsNotWaitedFor(t *testing.T) {
	for name, how := range map[string]func(l *Log, d *Destination){
		"hurried":  func(l *Log, _ *Destination) { l.Hurry() },
		"terminal": func(_ *Log, d *Destination) { d.drops = true },
		"neither":  func(*Log, *Destination) {},
	} {
		o := Options{To: filepath.Join(t.TempDir(), "log")}
		l := mustOpen(t, o, host())
		d, err := l.Prepare(o)
		if err != nil {
			t.Fatal(err)
		}
		how(l, d)
		l.Switch(d)
		if l.output.Load().sink.queue.hurried != (name != "neither") {
			t.Errorf("%s: who offers waits, or does not", name)
		}
		mustClose(t, l)
	}
}

// promise L3: what is on its way to a file that was switched away from is not lost for being slow.
func TestSwitchFromASlowDisk(t *testing.T) {
	first, release := filepath.Join(t.TempDir(), "log"), make(chan struct{})
	sys := host()
	sys.flush, sys.linger = time.Millisecond, time.Hour
	slow := func(fd int, p []byte) (int, error) {
		<-release
		return unix.Write(fd, p)
	}
	sys.put = slow
	l := mustOpen(t, Options{To: first}, sys)
	old := l.output.Load().sink
	l.Line(slog.LevelInfo, []byte("one"))
	l.Line(slog.LevelInfo, []byte("two"))
	d, err := l.Prepare(Options{To: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	l.Switch(d)
	time.Sleep(20 * sys.flush)
	close(release)
	<-old.done
	text, err := os.ReadFile(first)
	if err != nil || strings.Count(string(text), "\n") != 2 || l.Dropped() != 0 {
		t.Errorf("%q, %v; %d lost", text, err, l.Dropped())
	}
	l.Close()
}
