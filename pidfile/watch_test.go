//go:build linux

package pidfile_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// untilRestored waits, by inotify on the directory, until path says what it must; its own end is the test's time limit.
func untilRestored(t *testing.T, path, want string, damage func()) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path),
		unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ATTRIB|unix.IN_DELETE); err != nil {
		t.Fatal(err)
	}
	damage()
	buf := make([]byte, 4096)
	for {
		b, err := os.ReadFile(path)
		st, e := os.Lstat(path)
		if err == nil && string(b) == want && e == nil && st.Mode() == 0o644 {
			return
		}
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000); n == 0 {
			t.Fatalf("not put right: the file says %q (%v)", b, err)
		}
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0); n == 1 {
			unix.Read(fd, buf)
		}
	}
}

// promise P3
func TestWatchPutsTheFileBack(t *testing.T) {
	for name, damage := range map[string]func(p string) error{
		"deleted":     os.Remove,
		"truncated":   func(p string) error { return os.Truncate(p, 0) },
		"overwritten": func(p string) error { return os.WriteFile(p, []byte("1\n"), 0o644) },
		"appended": func(p string) error {
			f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("x")
				f.Close()
			}
			return err
		},
		"replaced": func(p string) error {
			if err := os.WriteFile(p+".x", []byte("1\n"), 0o644); err != nil {
				return err
			}
			return os.Rename(p+".x", p)
		},
		"moved away": func(p string) error { return os.Rename(p, p+".moved") },
		"made a link": func(p string) error {
			os.WriteFile(p+".precious", []byte("precious"), 0o644)
			os.Symlink(p+".precious", p+".link")
			return os.Rename(p+".link", p)
		},
		"unreadable": func(p string) error { return os.Chmod(p, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			p := path(t)
			owner := start(t, p)
			owner.must("acquire")
			owner.must("watch")
			for range 3 { // the file that was put back is watched in its turn
				untilRestored(t, p, fmt.Sprintln(owner.pid()), func() {
					if err := damage(p); err != nil {
						t.Fatal(err)
					}
				})
			}
			if b, err := os.ReadFile(p + ".precious"); err == nil && string(b) != "precious" {
				t.Error("the target of the link was clobbered")
			}
			if got := start(t, p).do("acquire"); !strings.Contains(got, fmt.Sprintf("already running, pid %d", owner.pid())) {
				t.Errorf("a second start: %s", got)
			}
			owner.must("release")
			if _, err := os.Lstat(p); err == nil {
				t.Error("the file is still there after Release")
			}
		})
	}
}

// promise P3: rm and start, again and again, while the owner puts the file back
func TestSecondStartAfterRemoveIsRefused(t *testing.T) {
	p := path(t)
	owner, second := start(t, p), start(t, p)
	owner.must("acquire")
	owner.must("watch")
	for round := range 100 {
		os.Remove(p)
		if got := second.do("acquire"); !strings.Contains(got, "already running") && !strings.Contains(got, "is starting") {
			t.Fatalf("round %d: a second start: %s", round, got)
		}
		if got := second.do("look"); !strings.HasPrefix(got, "3") && !strings.HasPrefix(got, "2") {
			t.Fatalf("round %d: Look: %s", round, got)
		}
	}
	untilRestored(t, p, fmt.Sprintln(owner.pid()), func() {})
}

// promise P3: also of an owner that is stopped, and can put nothing back
func TestSecondStartAfterRemoveFromAStoppedOwner(t *testing.T) {
	p := path(t)
	owner := start(t, p)
	owner.must("acquire")
	owner.must("watch")
	owner.pause()
	os.Remove(p)
	second := start(t, p)
	for range 3 {
		if got := second.do("acquire"); !strings.Contains(got, fmt.Sprintf("already running, pid %d", owner.pid())) {
			t.Errorf("a second start: %s", got)
		}
	}
	untilRestored(t, p, fmt.Sprintln(owner.pid()), func() { unix.Kill(owner.pid(), unix.SIGCONT) })
}

// promise P3: whatever is in the way, the file comes back when it has gone
func TestWatchTriesAgain(t *testing.T) {
	p := path(t)
	owner := start(t, p)
	owner.must("acquire")
	owner.must("watch")
	dir := filepath.Dir(p)
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir+".gone", "test.pid")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	untilRestored(t, p, fmt.Sprintln(owner.pid()), func() {})
}

// promise P3: also when the directory was moved away with the file in it: the path has to say who holds it
func TestWatchOfADirectoryThatIsMoved(t *testing.T) {
	p := path(t)
	owner := start(t, p)
	owner.must("acquire")
	owner.must("watch")
	dir := filepath.Dir(p)
	for i := range 3 {
		if err := os.Rename(dir, fmt.Sprint(dir, ".gone.", i)); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		untilRestored(t, p, fmt.Sprintln(owner.pid()), func() {})
		if got := start(t, p).do("acquire"); !strings.Contains(got, fmt.Sprintf("already running, pid %d", owner.pid())) {
			t.Errorf("a second start: %s", got)
		}
	}
	owner.must("release")
	if _, err := os.Lstat(p); err == nil {
		t.Error("the file is still there after Release")
	}
}

// The witness's name can be squatted by anybody; that must not keep the owner out.
func TestSquattedWitness(t *testing.T) {
	asNobody := asUser(t, 65534)
	p := filepath.Join(sharedDir(t, 0o755), "test.pid")
	start(t, p, asNobody).must("squat")
	acquire(t, p)
}

// promise P3, Q2: a stranger who keeps the queue of the witness full hides no owner from a start, though the owner is
// stopped and can neither hang up nor put its file back; and the verbs do not take that owner for gone.
func TestFloodedWitness(t *testing.T) {
	asNobody := asUser(t, 65534)
	p := filepath.Join(sharedDir(t, 0o755), "test.pid")
	owner := start(t, p)
	owner.must("acquire")
	owner.must("watch")
	owner.pause()
	stranger := start(t, p, asNobody)
	stranger.must("flood")
	os.Remove(p)
	for range 3 {
		if got := start(t, p).do("acquire"); !strings.Contains(got, fmt.Sprintf("already running, pid %d", owner.pid())) {
			t.Fatalf("a second start: %s", got)
		}
		if got := start(t, p).do("look"); got != fmt.Sprint(pidfile.Held, owner.pid()) {
			t.Errorf("Look: %s", got)
		}
	}
	// Another user cannot see whose it is, and is told so.
	if got := start(t, p, asNobody).do("look"); !strings.Contains(got, "nobody can tell whether it has an owner") {
		t.Errorf("Look as a stranger: %s", got)
	}
	untilRestored(t, p, fmt.Sprintln(owner.pid()), func() { unix.Kill(owner.pid(), unix.SIGCONT) })
}

// issue 7.A3: looks do not fill the queue of the witness for good; the owner hangs up on them. In a flood it does so
// slowly.
func TestWitnessIsDrained(t *testing.T) {
	p := path(t)
	owner := start(t, p)
	owner.must("acquire")
	owner.must("watch")
	looker := start(t, p)
	looker.must("flood")
	looker.kill()
	addr, err := witnessAt(p)
	if err != nil {
		t.Fatal(err)
	}
	// A connection that waits for room in the queue gets some.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, addr); err != nil {
		t.Error(err)
	}
}

// promise P1: a descriptor that a child of a dead owner has inherited keeps nobody out.
func TestWitnessKeptByAChildOfADeadOwner(t *testing.T) {
	p := path(t)
	owner := start(t, p)
	child, err := strconv.Atoi(owner.do("squat, for a child to keep"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Kill(child, unix.SIGKILL)
	if _, err := pidfile.Acquire(p); !errors.Is(err, pidfile.ErrHeld) {
		t.Errorf("while it lives: %v", err)
	}
	owner.kill()
	acquire(t, p)
}

// ... nor does the lock itself, in a child that has not come to its exec: it ends with its parent, a moment later. One
// that stays is told of, after a while.
func TestLockKeptByAChildOfADeadOwner(t *testing.T) {
	for _, dies := range []bool{true, false} {
		p := path(t)
		owner := start(t, p)
		child, err := strconv.Atoi(owner.do("acquire, for a child to keep"))
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Kill(child, unix.SIGKILL)
		owner.kill()
		if dies {
			time.AfterFunc(50*time.Millisecond, func() { unix.Kill(child, unix.SIGKILL) })
			acquire(t, p)
		} else if _, err := pidfile.Acquire(p); !errors.Is(err, pidfile.ErrHeld) {
			t.Error(err)
		}
	}
}

// promise P3, issue 10: a watch that was ended has another close what is left of it, and can be begun anew
func TestEndWatch(t *testing.T) {
	p := path(t)
	f, err := pidfile.Acquire(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	log := slog.New(slog.DiscardHandler)
	if err := f.Watch(log); err != nil {
		t.Fatal(err)
	}
	fd := f.EndWatch()
	if err := unix.Close(fd); err != nil {
		t.Errorf("descriptor %d: %v", fd, err)
	}
	if fd := f.EndWatch(); fd != -1 {
		t.Errorf("there is another, %d", fd)
	}
	os.Remove(p)
	untilRestored(t, p, fmt.Sprintln(os.Getpid()), func() {
		if err := f.Watch(log); err != nil {
			t.Error(err)
		}
	})
}
