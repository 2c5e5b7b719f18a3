//go:build linux

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The readers of these tests, a group and another that nobody else is in.
const readers, others = 424242, 424243

// as calls f as uid 65534 with these groups.
func as(t *testing.T, gid int, groups []uint32, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it asks as another user")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and ends with the thread; package unix's calls would change all threads
		set := func(n uintptr, args ...uintptr) error {
			if _, _, errno := syscall.RawSyscall(n, args[0], args[1], args[2]); errno != 0 {
				return errno
			}
			return nil
		}
		id := uintptr(gid)
		list := append(groups, 0)
		err := set(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&list[0])), 0)
		err = errors.Join(err, set(unix.SYS_SETRESGID, id, id, id), set(unix.SYS_SETRESUID, 65534, 65534, 65534))
		defer func() { done <- err }() // though f may have failed the test
		if err == nil {
			f()
		}
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func asMember(t *testing.T, f func()) { t.Helper(); as(t, 65534, []uint32{1, readers, others + 1}, f) }

// readable serves, for members of a group too, until the test ends.
func readable(t *testing.T, gid int) (s *Server, path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it gives the socket to another group")
	}
	path = filepath.Join(sharedDir(t), "test.sock")
	s, err := Listen(path, testMethods, Options{
		Log:     slog.New(slog.DiscardHandler),
		Readers: &gid,
		Reads:   map[string]Method{"read": testMethods["none"]},
		Streams: map[string]Stream{"follow": func(ctx context.Context, _ json.RawMessage, to *Follower) error {
			to.Send([]int{1})
			<-ctx.Done()
			return nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, path
}

func is(t *testing.T, path string, mode os.FileMode, gid int) {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := int(st.Sys().(*syscall.Stat_t).Gid); st.Mode() != os.ModeSocket|mode || mode == 0o660 && got != gid {
		t.Errorf("mode %v, group %d; want %v, %d", st.Mode(), got, mode, gid)
	}
}

// issue 9, promise Q2: members of the group may ask what reads, by their own group or a supplementary one, and nothing
// else; nobody else may ask anything.
func TestReaders(t *testing.T) {
	_, path := readable(t, readers)
	is(t, path, 0o660, readers)
	mayRead := func() {
		t.Helper()
		if _, err := ask(t, path, "read"); err != nil {
			t.Error(err)
		}
		var told *Error
		if _, err := ask(t, path, "none"); !errors.As(err, &told) || told.Code != CodeForbidden ||
			!strings.Contains(err.Error(), "none: only root and uid 0 may, ") || !errors.As(err, new(*UnreachableError)) {
			t.Errorf("work: %v", err)
		}
		if err := Follow(t.Context(), path, 0, "follow", nil,
			func(json.RawMessage, int) error { return io.EOF }); err != io.EOF {
			t.Errorf("a stream: %v", err)
		}
	}
	asMember(t, mayRead)
	as(t, readers, nil, mayRead)
	many := make([]uint32, 1000)
	for i := range many {
		many[i] = uint32(readers + 1 + i)
	}
	many[900] = readers
	as(t, 65534, many, mayRead)
	for _, method := range []string{"read", "none"} {
		if _, err := ask(t, path, method); err != nil {
			t.Errorf("root, %s: %v", method, err)
		}
	}
	stranger := func() {
		t.Helper()
		if _, err := ask(t, path, "read"); !errors.Is(err, unix.EACCES) {
			t.Error(err)
		}
	}
	as(t, 65534, []uint32{others}, stranger)
	as(t, 65534, nil, stranger)
}

// Whom the mode did not keep out is asked who it is.
func TestStrangerBesideReaders(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it asks as another user")
	}
	path := filepath.Join(sharedDir(t), "test.sock")
	b, err := tryBind(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	os.Chmod(path, 0o666)
	gid := readers
	s := &Server{path: path, calls: testCalls, log: slog.New(slog.DiscardHandler), ending: make(chan struct{}),
		readers: &gid, ctx: t.Context()}
	s.accept(b)
	as(t, 65534, []uint32{others}, func() {
		if _, err := ask(t, path, "read"); err == nil ||
			!strings.Contains(err.Error(), fmt.Sprintf("only root, uid 0 and gid %d may ask", readers)) {
			t.Error(err)
		}
	})
}

// issue 9: the mode and the group are right from the start, over what was left there, and after whatever was done to
// the socket.
func TestReadersPutBack(t *testing.T) {
	path := filepath.Join(sharedDir(t), "test.sock")
	stale(t, path)
	gid := readers
	if os.Geteuid() != 0 {
		t.Skip("needs root: it gives the socket to another group")
	}
	s, err := Listen(path, testMethods, Options{Log: slog.New(slog.DiscardHandler), Readers: &gid,
		Reads: map[string]Method{"echo": testMethods["echo"]}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	is(t, path, 0o660, readers)
	for name, damage := range map[string]func() error{
		"deleted":   func() error { return os.Remove(path) },
		"moved":     func() error { return os.Rename(path, path+".moved") },
		"replaced":  func() error { stale(t, path+".new"); return os.Rename(path+".new", path) },
		"opened":    func() error { return os.Chmod(path, 0o666) },
		"closed":    func() error { return os.Chmod(path, 0o600) },
		"given on":  func() error { return os.Chown(path, 0, others) },
		"all of it": func() error { return errors.Join(os.Chown(path, 0, others), os.Chmod(path, 0o777)) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				until(t, path, 0o660, readers, damage)
			}
		})
	}
	asMember(t, func() {
		if _, err := ask(t, path, "none"); err == nil { // a method of Listen's
			t.Error("it was carried out")
		}
	})
}

// until waits until the socket is there, is answered on, and has this mode and group.
func until(t *testing.T, path string, mode os.FileMode, gid int, change func() error) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path),
		unix.IN_CREATE|unix.IN_ATTRIB|unix.IN_DELETE|unix.IN_MOVE); err != nil {
		t.Fatal(err)
	}
	if err := change(); err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 4096); ; unix.Read(fd, buf) {
		st, err := os.Lstat(path)
		if err == nil && st.Mode() == os.ModeSocket|mode && (mode == 0o600 || int(st.Sys().(*syscall.Stat_t).Gid) == gid) {
			if _, err = ask(t, path, "echo"); err == nil {
				return
			}
		}
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patience.Milliseconds())); n == 0 {
			t.Fatalf("not put right: %v, %v", st, err)
		}
	}
}

// Another group takes the place of the first, and nobody's at all: the members of the old one are cut off.
func TestSetReaders(t *testing.T) {
	s, path := readable(t, readers)
	set := func(gid int, mode os.FileMode) {
		t.Helper()
		until(t, path, mode, gid, func() error {
			if gid == 0 {
				s.SetReaders(nil)
			} else {
				s.SetReaders(&gid)
			}
			return nil
		})
	}
	begun, ended := make(chan bool, 1), make(chan bool)
	go func() {
		defer close(ended)
		asMember(t, func() {
			err := Follow(t.Context(), path, 0, "follow", nil, func(json.RawMessage, int) error { begun <- true; return nil })
			if !errors.As(err, new(*UnreachableError)) {
				t.Error(err)
			}
		})
	}()
	<-begun
	set(readers, 0o660) // the same
	select {
	case <-ended:
		t.Fatal("it was cut off for nothing")
	default:
	}
	set(others, 0o660)
	<-ended
	asMember(t, func() {
		if _, err := ask(t, path, "read"); !errors.Is(err, unix.EACCES) {
			t.Error(err)
		}
	})
	set(0, 0o600)
	as(t, others, nil, func() {
		if _, err := ask(t, path, "read"); !errors.Is(err, unix.EACCES) {
			t.Error(err)
		}
	})
	set(readers, 0o660)
	until(t, path, 0o660, readers, func() error { return os.Remove(path) })
	asMember(t, func() {
		if _, err := ask(t, path, "read"); err != nil {
			t.Error(err)
		}
	})
}

// A group that the socket cannot be given keeps the daemon from nothing, and is said; the socket stays closed.
func TestReadersThatCannotBe(t *testing.T) {
	told := make(chan string, 10)
	path := socket(t)
	gid := -2 // the highest, which nobody is in
	if os.Geteuid() == 0 {
		gid = -1 // which is no group
	}
	s, err := Listen(path, testMethods, Options{Readers: &gid, Log: slog.New(slog.NewTextHandler(lines(told), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	is(t, path, 0o600, 0)
	if _, err := ask(t, path, "none"); err != nil {
		t.Error(err)
	}
	select {
	case line := <-told:
		if !strings.Contains(line, "its members cannot ask") {
			t.Error(line)
		}
	default:
		t.Error("nothing was said")
	}
}
