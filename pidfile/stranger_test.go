//go:build linux

package pidfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

const nobody, somebody = 65534, 1234

// strangersFile is a file that uid can write at any time: f is what that user has open.
func strangersFile(t *testing.T, dir string, uid int, text string) (path string, f *os.File) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes files of another user")
	}
	path = filepath.Join(dir, "x")
	put(t, path, text)
	if err := os.Chown(path, uid, uid); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return path, f
}

func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Uid
}

// lock is what only an owner does.
func lock(t *testing.T, f *os.File) {
	t.Helper()
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
}

// promise P2, issue 7.B3: its owner could rewrite it under us
func TestStrangersFileIsReplaced(t *testing.T) {
	us := strconv.Itoa(os.Getpid()) + "\n"
	for name, dir := range map[string]struct {
		owner int
		mode  uint32
	}{"in the stranger's directory": {somebody, 0o755}, "in anybody's directory": {0, 0o777}, "in ours": {0, 0o755}} {
		t.Run(name, func(t *testing.T) {
			d := sharedDir(t, dir.mode)
			p, theirs := strangersFile(t, d, somebody, us)
			if err := os.Chown(d, dir.owner, -1); err != nil {
				t.Fatal(err)
			}
			acquire(t, p)
			if _, err := theirs.WriteAt([]byte("1\n"), 0); err != nil {
				t.Fatal(err)
			}
			if uid, got := ownerOf(t, p), read(t, p); uid != 0 || got != us {
				t.Errorf("it belongs to uid %d and says %q", uid, got)
			}
		})
	}
	t.Run("by an ordinary user", func(t *testing.T) {
		d := sharedDir(t, 0o755)
		p, _ := strangersFile(t, d, somebody, us)
		if err := os.Chown(d, nobody, -1); err != nil {
			t.Fatal(err)
		}
		start(t, p, asUser(t, nobody)).must("acquire")
		if uid := ownerOf(t, p); uid != nobody {
			t.Errorf("it belongs to uid %d", uid)
		}
	})
}

// promise P2: what cannot be replaced is refused
func TestStrangersFileThatStays(t *testing.T) {
	p, _ := strangersFile(t, sharedDir(t, 0o755), somebody, "precious")
	if err := os.Chmod(p, 0o666); err != nil {
		t.Fatal(err)
	}
	got := start(t, p, asUser(t, nobody)).do("acquire")
	if !strings.Contains(got, "it belongs to uid 1234, and it cannot be replaced: permission denied") {
		t.Error(got)
	}
	if read(t, p) != "precious" {
		t.Error("clobbered")
	}
}

// promise S3: it may be a daemon of that user's, which lives
func TestStrangersFileWithAnOwner(t *testing.T) {
	p := filepath.Join(sharedDir(t, 0o777), "x")
	owner := start(t, p, asUser(t, nobody))
	owner.must("acquire")
	var held *pidfile.HeldError
	if _, err := pidfile.Acquire(p); !errors.As(err, &held) || held.PID != owner.pid() {
		t.Errorf("Acquire: %v, want held by %d", err, owner.pid())
	}
	if st, err := pidfile.Look(p); err != nil || st != (pidfile.Status{State: pidfile.Held, PID: owner.pid()}) {
		t.Errorf("Look: %v, %v, want held by %d", st, err, owner.pid())
	}
	if pid := pidfile.Proven(p); pid != 0 {
		t.Errorf("a stranger's word is taken for proof of pid %d", pid)
	}
	own := path(t)
	ours := start(t, own)
	ours.must("acquire")
	if pid := pidfile.Proven(own); pid != ours.pid() {
		t.Errorf("Proven: %d, want %d", pid, ours.pid())
	}
}

// issue 7.B3: a stranger's file speaks for the stranger's own processes, and for nobody else's, whatever these run: its
// word would be a kill for hire.
func TestStrangersFileNamesAVictim(t *testing.T) {
	for name, locked := range map[string]bool{"locked": true, "not locked": false} {
		t.Run(name, func(t *testing.T) {
			victim := start(t, path(t)) // it runs our executable
			victim.must("acquire")
			p, theirs := strangersFile(t, sharedDir(t, 0o777), somebody, fmt.Sprintln(victim.pid()))
			if locked {
				lock(t, theirs)
			}
			if found, err := pidfile.Find(p); err == nil {
				t.Errorf("Find: process %d, the victim is %d", found.PID, victim.pid())
				found.Close()
			}
			if st, err := pidfile.Look(p); err != nil || st.PID != 0 {
				t.Errorf("Look: %v, %v", st, err)
			}
		})
	}
}

// promise P3: whoever owns the directory can put a file there, and lock it; that hides nothing and does not last
func TestStrangersFileInPlaceOfOurs(t *testing.T) {
	d := sharedDir(t, 0o777)
	p := filepath.Join(d, "pid")
	owner := start(t, p)
	owner.must("acquire")
	pid := bystander(t)
	put2 := func() {
		theirs, f := strangersFile(t, d, somebody, fmt.Sprintln(pid))
		lock(t, f)
		if err := os.Rename(theirs, p); err != nil {
			t.Fatal(err)
		}
	}
	put2()
	if st, err := pidfile.Look(p); err != nil || st != (pidfile.Status{State: pidfile.Held, PID: owner.pid()}) {
		t.Errorf("Look: %v, %v, want held by %d", st, err, owner.pid())
	}
	found, err := pidfile.Find(p)
	if err != nil || found.PID != owner.pid() {
		t.Errorf("Find: %v, %v, want %d", found, err, owner.pid())
	} else {
		found.Close()
	}
	owner.must("watch") // which finds it as it is
	untilRestored(t, p, fmt.Sprintln(owner.pid()), func() {})
	untilRestored(t, p, fmt.Sprintln(owner.pid()), put2)
}

// promise P3, issue 11.2: an owner that has given up its privileges, and has become another program since, is proven by
// its witness as before: so it is refused a second time, and can be asked, though its file was deleted
func TestWitnessOutlivesPrivileges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it becomes somebody else")
	}
	path := filepath.Join(t.TempDir(), "pid")
	f, err := pidfile.Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	fds, done, err := f.Handover()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if err := syscall.Setreuid(-1, nobody); err != nil {
		t.Fatal(err)
	}
	_, err = pidfile.Adopt(path, fds, false)
	if e := syscall.Setreuid(-1, 0); e != nil {
		t.Fatal(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	if pid := pidfile.Proven(path); pid != os.Getpid() {
		t.Errorf("Proven: %d, want %d", pid, os.Getpid())
	}
	if _, err := pidfile.Lock(path); !errors.Is(err, pidfile.ErrHeld) {
		t.Errorf("a second owner: %v", err)
	}
}
