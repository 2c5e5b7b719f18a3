//go:build linux

package control

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stale leaves a socket that nobody listens on.
func stale(t *testing.T, path string) {
	t.Helper()
	b, err := tryBind(path)
	if err != nil {
		t.Fatal(err)
	}
	b.close()
}

// issue 7.A3: a stale socket is put right like a pidfile
func TestStaleSocket(t *testing.T) {
	path := socket(t)
	stale(t, path)
	listen(t, path, testMethods)
	if _, err := ask(t, path, "none"); err != nil {
		t.Error(err)
	}
}

// What is not a socket is left alone, and so is one that somebody listens on.
func TestNotClobbered(t *testing.T) {
	for name, put := range map[string]func(t *testing.T, path string) error{
		"a file":      func(_ *testing.T, path string) error { return os.WriteFile(path, []byte("precious"), 0o644) },
		"a directory": func(_ *testing.T, path string) error { return os.Mkdir(path, 0o755) },
		"a link": func(t *testing.T, path string) error {
			stale(t, path+".other")
			return os.Symlink(path+".other", path)
		},
		"a FIFO": func(_ *testing.T, path string) error { return unix.Mkfifo(path, 0o600) },
		"a socket": func(t *testing.T, path string) error {
			listen(t, path, testMethods)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := socket(t)
			if err := put(t, path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(path)
			s, err := Listen(path, nil, Options{})
			if err == nil {
				s.Close()
				t.Fatal("it was taken")
			}
			if !strings.Contains(err.Error(), path) {
				t.Error(err)
			}
			Remove(path)
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("it is not there any more: %v", err)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	path := socket(t)
	stale(t, path)
	if err := Remove(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := Remove(path); err != nil {
		t.Error(err)
	}
}

// issue 7.A3: a path that does not fit sun_path
func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 200))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "test.sock")
	s := listen(t, path, testMethods)
	if _, err := ask(t, path, "none"); err != nil {
		t.Error(err)
	}
	untilBack(t, path, func() error { return os.Remove(path) })
	s.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Listen(filepath.Join(dir, strings.Repeat("n", 200)), nil, Options{}); err == nil ||
		!strings.Contains(err.Error(), "too long") {
		t.Error(err)
	}
}

// untilBack waits, by inotify on the directory, until somebody answers at path who did not before the damage.
func untilBack(t *testing.T, path string, damage func() error) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path),
		unix.IN_CREATE|unix.IN_ATTRIB|unix.IN_DELETE|unix.IN_MOVED_TO|unix.IN_MOVED_FROM); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Lstat(path)
	if err := damage(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for {
		st, err := os.Lstat(path)
		if err == nil && st.Mode() == os.ModeSocket|0o600 &&
			(!os.SameFile(st, before) || before.Mode() != st.Mode() || before.ModTime() == st.ModTime()) {
			if said, err := ask(t, path, "echo"); said == `{"n":1}` && err == nil {
				return
			}
		}
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patience.Milliseconds())); n == 0 {
			t.Fatalf("not put back: %v, %v", st, err)
		}
		unix.Read(fd, buf)
	}
}

// issue 7.A3: a socket that is deleted or replaced is put back, again and again; at the end it is gone.
func TestPutBack(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"deleted":  os.Remove,
		"moved":    func(path string) error { return os.Rename(path, path+".moved") },
		"replaced": func(path string) error { stale(t, path+".new"); return os.Rename(path+".new", path) },
		"opened":   func(path string) error { return os.Chmod(path, 0o666) },
	} {
		t.Run(name, func(t *testing.T) {
			path := socket(t)
			s := listen(t, path, testMethods)
			for range 3 {
				untilBack(t, path, func() error { return damage(path) })
			}
			s.Close()
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

// What has come to stand there in the meantime is not ours to remove; the socket comes back when it has gone.
func TestReplacedByAFile(t *testing.T) {
	path := socket(t)
	s := listen(t, path, testMethods)
	if err := os.WriteFile(path+".new", []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, path, "none"); err == nil {
		t.Error("somebody answers")
	}
	untilBack(t, path, func() error { return os.Remove(path) })
	if err := os.WriteFile(path+".new", []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if b, err := os.ReadFile(path); string(b) != "precious" {
		t.Error(err)
	}
}

// promise Q2: what has come to stand there between the two calls that bind a socket and take hold of its name is not
// taken for ours.
func TestReplacedAtOnce(t *testing.T) {
	for what, put := range map[string]func(path string) error{
		"a file": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a link": func(path string) error { return os.Symlink("/dev/log", path) },
		"a socket that is open to all": func(path string) error {
			stale(t, path)
			return os.Chmod(path, 0o666)
		},
	} {
		path := socket(t)
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path + ".ours"}); err != nil {
			t.Fatal(err)
		}
		if b, err := name(fd, path); err == nil {
			b.close()
			t.Errorf("%s is taken for our socket", what)
		} else {
			unix.Close(fd)
		}
	}
}

// promise Q2: a program of ours that takes the path for itself, as one may that has always had a socket of that name,
// is let have it; when it listens no more the socket comes back.
func TestTakenByOurselves(t *testing.T) {
	path := socket(t)
	told := make(chan string, 10)
	s, err := Listen(path, testMethods, Options{Log: slog.New(slog.NewTextHandler(lines(told), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := tryBind(path + ".new")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	select {
	case line := <-told:
		if !strings.Contains(line, errTaken.Error()) {
			t.Error(line)
		}
	case <-time.After(patience):
		t.Fatal("nothing was said")
	}
	if !b.names(path) {
		t.Error("it was taken back")
	}
	untilBack(t, path, func() error { b.close(); return nil })
}

// A shortage is not taken for nobody listening, and leaves no socket behind.
func TestShortOfDescriptors(t *testing.T) {
	path := socket(t)
	for spare := range uint64(5) {
		var other *bound
		var err error
		withDescriptors(t, spare, func() { other, err = tryBind(path + ".other") })
		if err == nil {
			other.close()
			unix.Unlink(path + ".other")
		} else if _, e := os.Lstat(path + ".other"); e == nil {
			t.Errorf("with %d descriptors: it failed, %v, and has left its socket", spare, err)
		}
	}
	listen(t, path, testMethods) // not before: it takes descriptors as it likes
	for spare := range uint64(5) {
		var taken error
		withDescriptors(t, spare, func() { taken = vacate(path) })
		if taken == nil {
			t.Fatalf("with %d descriptors: a socket that is listened on was cleared away", spare)
		}
	}
}

// withDescriptors calls do while so many can be had.
func withDescriptors(t *testing.T, spare uint64, do func()) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	free, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(free)
	few := unix.Rlimit{Cur: uint64(free) + spare, Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	do()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
}

type lines chan string

func (l lines) Write(b []byte) (int, error) { l <- string(b); return len(b), nil }

// issue 10: a watch that was ended has another close what is left of it, and whoever takes over watches again.
func TestEndWatch(t *testing.T) {
	path := socket(t)
	s := listen(t, path, testMethods)
	fd := s.EndWatch()
	if err := unix.Close(fd); err != nil {
		t.Errorf("descriptor %d: %v", fd, err)
	}
	if fd := s.EndWatch(); fd != -1 {
		t.Errorf("there is another, %d", fd)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	fds, err := s.Handover()
	if err != nil {
		t.Fatal(err)
	}
	untilBack(t, path, func() error {
		next := Take(path, fds, testMethods, Options{Log: slog.New(slog.DiscardHandler)})
		t.Cleanup(next.Close)
		return nil
	})
}

// promise Q2: a socket whose connections nobody would be told of is not gone on with, for another can be made.
func TestTakeWithoutPoller(t *testing.T) {
	path := socket(t)
	s := listen(t, path, testMethods)
	s.EndWatch()
	fds, err := s.Handover()
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fds[0])
	if fds[0], err = unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil { // what epoll refuses
		t.Fatal(err)
	}
	if Take(path, fds, testMethods, Options{Log: slog.New(slog.DiscardHandler)}) != nil {
		t.Error("it listens where nobody can connect")
	}
	listen(t, path, testMethods)
	if said, err := ask(t, path, "echo"); said != `{"n":1}` || err != nil {
		t.Errorf("%q, %v", said, err)
	}
}
