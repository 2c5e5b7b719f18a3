package pidfile

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A witness is an abstract unix socket, bound for the owner's life and named after the pidfile's directory (device and
// inode) and name. A lock goes with the file when the file is deleted; this does not, and the kernel frees it at the
// owner's death. It lives in a network namespace, and anybody can squat its name: it can only add to the lock, never
// replace it, and is believed only when SO_PEERCRED says root or ourselves.
type witness struct {
	fd   int      // -1: none
	file *os.File // once answering
}

// witnessName returns the address; "@" stands for the leading NUL.
func witnessName(path string) (string, error) {
	var st unix.Stat_t
	dir, base := filepath.Split(path)
	if err := unix.Stat(dir, &st); err != nil {
		return "", fmt.Errorf("pidfile %s: stat the directory: %w", path, err)
	}
	if len(base) > 60 { // sun_path has 108 bytes
		h := fnv.New64a()
		h.Write([]byte(base))
		base = fmt.Sprintf("%x", h.Sum64())
	}
	return fmt.Sprintf("@pidfile/%x/%x/%s", st.Dev, st.Ino, base), nil
}

// newWitness binds the witness of path. A live owner that has it already is a *[HeldError]; where it cannot be had for
// another reason there is none, and the lock stands alone.
func newWitness(path string) (witness, error) {
	none := witness{fd: -1}
	name, err := witnessName(path)
	if err != nil {
		return none, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return none, nil // a kernel or a sandbox without unix sockets
	}
	// Between an owner's bind and its listen nobody answers: that is two system calls long.
	for range 50 {
		if err = unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err == nil {
			err = unix.Listen(fd, unix.SOMAXCONN)
		}
		if err == nil {
			return witness{fd: fd}, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
		cred, e := peer(name)
		if e == nil && believed(cred) && !lives(cred) {
			time.Sleep(time.Millisecond) // a process that has inherited it, or the kernel, is about to let go
			continue
		}
		if e == nil && believed(cred) {
			unix.Close(fd)
			return none, &HeldError{Path: path, PID: int(cred.Pid)}
		}
		if e == nil {
			err = fmt.Errorf("uid %d has taken its name", cred.Uid)
			break
		}
		if !errors.Is(e, unix.ECONNREFUSED) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	unix.Close(fd)
	slog.Warn("no second witness for the pidfile: a start right after its deletion could not be refused", "path", path, "err", err)
	return none, nil
}

// askWitness returns the PID of the owner that the witness of path tells of; 0 where that process is out of sight, in
// another PID namespace.
func askWitness(path string) (pid int, ok bool) {
	path, err := filepath.Abs(path)
	if err != nil {
		return 0, false
	}
	name, err := witnessName(path)
	if err != nil {
		return 0, false
	}
	cred, err := peer(name)
	if err != nil || !believed(cred) || !lives(cred) {
		return 0, false
	}
	return int(cred.Pid), true
}

func peer(name string) (*unix.Ucred, error) {
	fd, cred, err := ask(name)
	if err == nil {
		unix.Close(fd)
	}
	return cred, err
}

// ask connects to a witness and tells who it is.
func ask(name string) (fd int, cred *unix.Ucred, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, err
	}
	if err = unix.Connect(fd, &unix.SockaddrUnix{Name: name}); err == nil {
		cred, err = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	}
	if err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	return fd, cred, nil
}

func believed(cred *unix.Ucred) bool { return cred.Uid == 0 || int(cred.Uid) == unix.Geteuid() }

// lives says whether the process that the witness tells of is still there; one out of sight, in another PID namespace, is
// taken for alive.
func lives(cred *unix.Ucred) bool { return cred.Pid == 0 || alive(int(cred.Pid)) }

// adopt makes this process the one that SO_PEERCRED names: listen(2) notes its caller each time.
func (w *witness) adopt() {
	if w.fd >= 0 {
		unix.Listen(w.fd, unix.SOMAXCONN)
	}
}

func (w *witness) close() {
	switch {
	case w.file != nil:
		w.file.Close()
	case w.fd >= 0:
		unix.Close(w.fd)
	}
	w.fd, w.file = -1, nil
}
