//go:build linux

package logging

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// offer waits for room.
func offer(l *Log, text []byte, ended bool) {
	for room := l.Offer(slog.LevelInfo, text, ended); room != nil; room = l.Offer(slog.LevelInfo, text, ended) {
		<-room
	}
}

// slowDisk is a system whose writes take what is sent to turns one by one, and any number once turns is closed.
func slowDisk() (sys system, turns chan struct{}) {
	sys, turns = host(), make(chan struct{})
	sys.put = func(fd int, p []byte) (int, error) {
		<-turns
		return unix.Write(fd, p)
	}
	return sys, turns
}

// issue 7.A10: 2,500 lines of 4 kB, and a line of 10 MB, arrive as they were written
func TestOfferLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, Options{To: path, Plain: true}, host())
	var want bytes.Buffer
	for i := range 2500 {
		line := fmt.Appendf(nil, "%04000d", i)
		offer(l, line, true)
		want.Write(append(line, '\n'))
	}
	piece := bytes.Repeat([]byte("\x1b[1m x\xff\x00"), 1000)
	for range 10_000_000/len(piece) + 1 {
		offer(l, piece, false)
		want.Write(piece)
	}
	offer(l, nil, true)
	want.WriteByte('\n')
	mustClose(t, l)
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes, want %d; %v", len(got), want.Len(), err)
	}
}

// issue 7.A10, promise L1: a disk that hangs has whoever offers wait, with a bound on what is held; nobody who logs
// waits
func TestOfferToASlowDisk(t *testing.T) {
	for _, size := range []int{10, 1000, maxPlain} {
		path := filepath.Join(t.TempDir(), "log")
		sys, turns := slowDisk()
		l := mustOpen(t, Options{To: path, Plain: true}, sys)
		held := 0
		var room <-chan struct{}
		var want bytes.Buffer
		for i := 0; room == nil; i++ {
			line := fmt.Appendf(nil, "%0*d", size-1, i)
			if room = l.Offer(slog.LevelInfo, line, true); room == nil {
				held += size + recordCost
				want.Write(append(line, '\n'))
			}
		}
		if held > maxWaiting+size+recordCost {
			t.Errorf("lines of %d: %d bytes are held", size, held)
		}
		l.Line(slog.LevelInfo, []byte("the daemon's own does not wait"))
		select {
		case <-room:
			t.Errorf("lines of %d: there is room, though nothing was written", size)
		default:
		}
		close(turns)
		<-room
		offer(l, []byte("last"), true)
		mustClose(t, l)
		want.WriteString("the daemon's own does not wait\nlast\n")
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("lines of %d: %d bytes, want %d; %v", size, len(got), want.Len(), err)
		}
	}
}

// issue 7.A10: whoever waits follows a Switch, and what the old file has taken still arrives there
func TestOfferFollowsSwitch(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	sys, turns := slowDisk()
	sys.flush = 0
	l := mustOpen(t, Options{To: a, Plain: true}, sys)
	line := bytes.Repeat([]byte("x"), 1000)
	n := 0
	room := l.Offer(slog.LevelInfo, line, true)
	for ; room == nil; n++ {
		room = l.Offer(slog.LevelInfo, line, true)
	}
	old := l.output.Load().sink
	l.Switch(mustPrepare(t, l, Options{To: b, Plain: true}))
	<-room
	offer(l, []byte("in the new one"), true)
	close(turns)
	<-old.done
	if err := l.CloseContext(t.Context()); err != nil {
		t.Error(err)
	}
	if got := lines(t, a); len(got) != n {
		t.Errorf("%d lines in the old file, want %d", len(got), n)
	}
	if got, _ := os.ReadFile(b); string(got) != "in the new one\n" {
		t.Errorf("%q in the new file", got)
	}
}

// issue 7.B4: at the end whoever waits is let go, and what was not written is counted
func TestHurry(t *testing.T) {
	sys, turns := slowDisk()
	l := mustOpen(t, Options{To: filepath.Join(t.TempDir(), "log"), Plain: true}, sys)
	s := l.output.Load().sink
	line := bytes.Repeat([]byte("x"), 1000)
	n := 1
	room := l.Offer(slog.LevelInfo, line, true)
	for ; room == nil; n++ {
		room = l.Offer(slog.LevelInfo, line, true)
	}
	l.Hurry()
	<-room
	for range 5000 {
		if l.Offer(slog.LevelInfo, line, true) != nil {
			t.Fatal("somebody still waits")
		}
		n++
	}
	n-- // the one that was refused
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.CloseContext(now); err == nil || err.Error() != fmt.Sprintf("%d log messages lost", n) {
		t.Errorf("%v, want %d", err, n)
	}
	close(turns)
	<-s.done
}

// issue 7.A10: what a full disk costs is told, on a line of its own and by name, once there is room
func TestOfferToAFullDisk(t *testing.T) {
	var got strings.Builder
	puts, tried := 0, make(chan struct{}, 10)
	sys := host()
	sys.put = func(_ int, p []byte) (int, error) {
		defer func() { tried <- struct{}{} }()
		if puts++; puts == 2 {
			return 0, unix.ENOSPC
		}
		return got.Write(p)
	}
	l := mustOpen(t, Options{To: "/dev/null", Plain: true, Whose: "program a: "}, sys)
	for _, text := range []string{"begun", "lost"} {
		offer(l, []byte(text), false)
		<-tried
	}
	offer(l, []byte("whole"), true)
	mustClose(t, l)
	if want := "begun\nprogram a: 1 log messages lost\nwhole\n"; got.String() != want {
		t.Errorf("%q, want %q", got.String(), want)
	}
}

// promise L1: no loss, and no bound passed, whatever comes together; every loss told
func TestOfferAndLineTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	sys := host()
	sys.flush = time.Hour
	l := mustOpen(t, Options{To: path, Plain: true}, sys)
	done := make(chan struct{})
	const total = 3000
	for range 2 {
		go func() {
			for range total {
				offer(l, []byte("o"), true)
			}
			done <- struct{}{}
		}()
	}
	for i := range 10 {
		l.Switch(mustPrepare(t, l, Options{To: path, Plain: true}))
		l.Line(slog.LevelInfo, fmt.Append(nil, i))
	}
	<-done
	<-done
	mustClose(t, l)
	b, _ := os.ReadFile(path)
	if n := strings.Count(string(b), "o\n"); n != 2*total {
		t.Errorf("%d lines, want %d", n, 2*total)
	}
}

// issue 7.A10, 8.3: a disk that hangs takes one thread, not one for each log; and a log that shares nothing goes on
func TestHungDiskTakesOneThread(t *testing.T) {
	dir := t.TempDir()
	var disks Disks
	hung := make(chan struct{})
	entered := make(chan struct{}, 1000)
	sys := host()
	sys.put = func(fd int, p []byte) (int, error) {
		entered <- struct{}{}
		<-hung
		return unix.Write(fd, p)
	}
	var logs []*Log
	for i := range 10 {
		l := mustOpen(t, Options{To: filepath.Join(dir, fmt.Sprint(i)), Plain: true, Disks: &disks}, sys)
		logs = append(logs, l)
		offer(l, []byte("x"), true)
	}
	<-entered
	own := mustOpen(t, Options{To: filepath.Join(dir, "own")}, host())
	own.Logger().Info("goes on")
	mustClose(t, own)
	if n := len(entered); n > 0 {
		t.Errorf("%d more write at once", n)
	}
	close(hung)
	for _, l := range logs {
		if err := l.CloseContext(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// issue 8.3: who has a disk's turn may find the log closed that a file was opened for
func TestOpenedForAClosedLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var disks Disks
	o := Options{To: path, Disks: &disks}
	l := mustOpen(t, o, host())
	mustClose(t, l)
	disks.Open(path, func() { l.Switch(mustPrepare(t, l, o)) })
}

// issue 8.3: whatever hangs, there are no more than so many in a call, and up to that number one disk does not wait for
// another
func TestHungDisksTakeFewThreads(t *testing.T) {
	var disks Disks
	hung := make(chan struct{})
	entered := make(chan string, 100)
	var calls sync.WaitGroup
	for i := range 3 * MostHanging {
		for range 3 {
			disk := fmt.Sprint(i)
			calls.Go(func() {
				disks.turn(disk).take(func() {
					entered <- disk
					<-hung
				})
			})
		}
	}
	seen := map[string]bool{}
	for range MostHanging {
		seen[<-entered] = true
	}
	if len(seen) != MostHanging || len(entered) > 0 {
		t.Errorf("in a call: %v, and %d more", seen, len(entered))
	}
	close(hung)
	calls.Wait()
}

// A backslash that was written as one begins nothing.
func TestMountedPathIsUnescaped(t *testing.T) {
	if got, want := unescaped(`/a\040b\011\012\134\134040\x`), "/a b\t\n\\\\040\\x"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// issue 8.3: which disk a path leads to is found out without a look at it
func TestMounted(t *testing.T) {
	if mounted("/") == "" {
		t.Skip("the root is on no mount that is shown here, as in a chroot")
	}
	if mounted("/proc/self/nowhere/x") == mounted("/") {
		t.Errorf("/proc is on %q, / on %q", mounted("/proc/x"), mounted("/"))
	}
	if mounted("/procession") != mounted("/") {
		t.Error("/procession is taken for /proc")
	}
	if os.Geteuid() != 0 {
		return
	}
	dir := filepath.Join(t.TempDir(), "a b")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	before := mounted(dir + "/log")
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Skipf("cannot mount a tmpfs: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)))
	if got := mounted(dir + "/log"); got != want || got == before {
		t.Errorf("%s, want %s; before %s", got, want, before)
	}
}
