//go:build linux

package pidfile

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/cut"
)

// A witness is an abstract unix socket, bound for the owner's life and named after the pidfile's directory (device and
// inode) and name. A lock goes with the file when the file is deleted; this does not, and the kernel frees it at the
// owner's death. It lives in a network namespace, and anybody can squat its name: it can only add to the lock, never
// replace it, and is believed only when SO_PEERCRED says root or ourselves. It answers nobody: who connects learns from
// the kernel whose it is, and is hung up on.
type witness struct {
	fd   int      // -1: none
	file *os.File // once it is drained
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
		if errors.Is(e, unix.EAGAIN) {
			if pid := holder(path); pid != 0 {
				unix.Close(fd)
				return none, &HeldError{Path: path, PID: pid}
			}
			err = errors.New("its name is taken, and so many have asked for it that nobody can")
		} else if !errors.Is(e, unix.ECONNREFUSED) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	unix.Close(fd)
	slog.Warn("no second witness for the pidfile: a start right after its deletion could not be refused",
		"path", path, "err", err)
	return none, nil
}

// errBlinded says that the witness cannot be asked: somebody keeps its queue full.
var errBlinded = errors.New("so many connect to its witness that nobody can tell whether it has an owner")

// askWitness returns the PID of the owner that the witness of path tells of; 0 where there is none, or it is out of
// sight, in another PID namespace.
func askWitness(path string) (pid int, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return 0, nil
	}
	name, err := witnessName(path)
	if err != nil {
		return 0, nil
	}
	for range 20 {
		var cred *unix.Ucred
		switch cred, err = peer(name); {
		case err == nil && believed(cred) && lives(cred):
			return int(cred.Pid), nil
		case !errors.Is(err, unix.EAGAIN):
			return 0, nil
		}
		if pid := holder(path); pid != 0 {
			return pid, nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, fmt.Errorf("pidfile %s: %w", path, errBlinded)
}

// peer connects to a witness and tells who it is. EAGAIN: its queue is full.
func peer(name string) (*unix.Ucred, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	unix.Shutdown(fd, unix.SHUT_RD) // whoever has the name may send what takes him to close as long as he likes
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		return nil, err
	}
	return unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
}

func believed(cred *unix.Ucred) bool { return cred.Uid == 0 || int(cred.Uid) == unix.Geteuid() }

// lives says whether the process that the witness tells of is still there; one out of sight, in another PID
// namespace, is taken for alive.
func lives(cred *unix.Ucred) bool { return cred.Pid == 0 || alive(int(cred.Pid)) }

// adopt makes this process the one that SO_PEERCRED names: listen(2) notes its caller each time. One that was named
// already may have given up its privileges since, and would not be believed any more.
func (w *witness) adopt() {
	if w.fd < 0 {
		return
	}
	cred, err := unix.GetsockoptUcred(w.fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err == nil && int(cred.Pid) == unix.Getpid() {
		return
	}
	unix.Listen(w.fd, unix.SOMAXCONN)
}

// drain hangs up on those who have looked, until close: a socket that nobody accepts from is full one day. It sleeps in
// the poller, and in a flood most of the time: who finds the queue full then asks /proc instead, see holder. It hangs
// up outside the poller, as close waits for what is at work in there: what strangers have sent may take them long.
func (w *witness) drain() {
	if w.fd < 0 {
		return
	}
	w.file = os.NewFile(uintptr(w.fd), "witness")
	raw, err := w.file.SyscallConn()
	if err != nil {
		return
	}
	go func() {
		const batch, pause = 64, 200 * time.Millisecond
		for {
			var looked []int
			err := raw.Read(func(fd uintptr) bool {
				for range batch {
					c, _, err := syscall.Accept4(int(fd), unix.SOCK_CLOEXEC)
					if errors.Is(err, unix.EAGAIN) {
						return len(looked) > 0
					}
					if err != nil && !errors.Is(err, unix.ECONNABORTED) && !errors.Is(err, unix.EINTR) {
						return true // a shortage
					}
					if err == nil {
						looked = append(looked, c)
					}
				}
				return true
			})
			if len(looked) > 0 {
				cut.Short(func() {
					for _, c := range looked {
						unix.Close(c)
					}
				})
			}
			if err != nil {
				return // it was closed
			}
			if n := len(looked); n == 0 || n == batch {
				time.Sleep(pause)
			}
		}
	}()
}

// close lets go of the socket. What is in its queue may take long to be closed, see package cut, which costs a few
// hundredths of a millisecond.
func (w *witness) close() {
	if w.fd < 0 {
		return
	}
	shut := func() { unix.Close(w.fd) }
	if w.file != nil {
		shut = func() { w.file.Close() }
	}
	if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}, 0); n != 0 {
		cut.Short(shut)
	} else {
		shut()
	}
	w.fd, w.file = -1, nil
}
