package supervise_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

func TestListenPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, supervise.Options{Helper: true})
	path := filepath.Join(t.TempDir(), "s")
	s := supervise.Socket{Address: "unix:" + path, Mode: 0o622}
	if os.Geteuid() == 0 {
		s.Owner, s.Group = &supervise.User{Name: "x", UID: 65534, GID: 65534}, "65533"
	}
	w.apply(w.listening("web", s))
	pid := w.expect("web/web")
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil || st.Mode != unix.S_IFSOCK|0o622 ||
		s.Owner != nil && (st.Uid != 65534 || st.Gid != 65533) {
		t.Errorf("mode %o, owner %d, group %d, %v", st.Mode, st.Uid, st.Gid, err)
	}
	next := s
	next.Mode, next.Owner, next.Group = 0, nil, ""
	update(t, w, w.listening("web", next))
	gone(t, pid)
	pid = w.expect("web/web")
	was := st.Ino
	if err := unix.Lstat(path, &st); err != nil || st.Mode != unix.S_IFSOCK|0o660 || int(st.Uid) != os.Geteuid() ||
		st.Ino != was {
		t.Errorf("mode %o, owner %d, %v; number %d, was %d", st.Mode, st.Uid, err, st.Ino, was)
	}
	os.Remove(path)
	unix.Kill(pid, unix.SIGKILL)
	pid = w.expect("web/web")
	answer(t, "unix:"+path)
	os.Remove(path)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	update(t, w)
	gone(t, pid)
	w.is("web", "gone")
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("what is not ours was removed: %v", err)
	}
	os.Remove(path)
	w.apply(w.listening("web", s))
	w.expect("web/web")
	if err := w.stop(time.Minute); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the name is left: %v", err)
	}
}

func TestListenPathInTheWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		put  func(t *testing.T, path string)
		want string // "": it is replaced
	}{
		"stale": {func(t *testing.T, path string) {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
		}, ""},
		"live": {func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, fmt.Sprintf("(pid %d)", os.Getpid())},
		"file":      {func(t *testing.T, path string) { os.WriteFile(path, nil, 0o600) }, "what is there is not a socket"},
		"directory": {func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, "what is there is not a socket"},
		"link":      {func(t *testing.T, path string) { os.Symlink(path+".other", path) }, "what is there is not a socket"},
		"link to a stale one": {func(t *testing.T, path string) {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path + ".other", Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
			os.Symlink(path+".other", path)
		}, "what is there is not a socket"},
		"of another user": {func(t *testing.T, path string) {
			if os.Geteuid() != 0 {
				t.Skip("needs root: it gives a socket to another user")
			}
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
			os.Chown(path, 65534, 65534)
		}, "belongs to uid 65534"},
		"one whose owner is not known": {func(*testing.T, string) {}, "there is no such user"},
		"no directory":                 {func(t *testing.T, path string) { os.Remove(filepath.Dir(path)) }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, supervise.Options{Helper: true})
			path := filepath.Join(t.TempDir(), "s")
			c.put(t, path)
			before, _ := os.Lstat(path)
			s := supervise.Socket{Address: "unix:" + path}
			if name == "one whose owner is not known" {
				s.Owner = &supervise.User{Name: "x",
					Find: func() (*supervise.User, error) { return nil, errors.New("there is no such user") }}
			}
			p := w.listening("web", s)
			p.Backoff = &supervise.Backoff{Min: time.Hour, Max: time.Hour}
			changes := update(t, w, p)
			if c.want == "" {
				w.expect("web/web")
				answer(t, "unix:"+path)
				return
			}
			if len(changes.Failed) != 1 ||
				!strings.Contains(changes.Failed[0].Error(), "program web: listen: unix:"+path+": ") ||
				!strings.Contains(changes.Failed[0].Error(), c.want) {
				t.Errorf("got %v, want %s", changes.Failed, c.want)
			}
			w.until("nothing is tried any more", func() bool { // which has the name for a moment
				st := w.set.Status()[0]
				return st.State == "backoff" && st.Failures == 2
			})
			if after, err := os.Lstat(path); before != nil &&
				(err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode()) {
				t.Errorf("it was %v, and is %v, %v", before, after, err)
			} else if before == nil && err == nil {
				t.Errorf("what could not be given away is left: %v", after)
			}
		})
	}
}
