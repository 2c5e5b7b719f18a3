package pidfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// An Answer is what an owner says when it is asked a question by [Ask]; "" asks how it is. It may take its time: each call
// has a goroutine of its own, several at once. Any user may ask how it is; every other question comes from root or from
// the owner's own user.
type Answer func(question string) string

// Ask asks the owner of path and returns what it says. An owner that takes longer than patience is an
// [os.ErrDeadlineExceeded]; one that cannot be asked, because it has no witness or is neither root nor the caller's own
// user, is another error.
func Ask(path, question string, patience time.Duration) (string, error) {
	f, err := dial(path)
	if err != nil {
		return "", fmt.Errorf("pidfile %s: ask its owner: %w", path, err)
	}
	defer f.Close()
	finish(f, question) // an owner that does not listen to us may have answered and left by now
	f.SetReadDeadline(time.Now().Add(patience))
	said, err := io.ReadAll(io.LimitReader(f, longestAnswer))
	if err != nil {
		return "", fmt.Errorf("pidfile %s: ask its owner: %w", path, err)
	}
	return string(said), nil
}

func dial(path string) (*os.File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name, err := witnessName(path)
	if err != nil {
		return nil, err
	}
	fd, cred, err := ask(name)
	if err != nil {
		return nil, err
	}
	if !believed(cred) {
		unix.Close(fd)
		return nil, fmt.Errorf("uid %d has taken the name of its witness", cred.Uid)
	}
	return os.NewFile(uintptr(fd), "witness"), nil
}

// finish sends text, and that nothing will follow.
func finish(f *os.File, text string) {
	f.WriteString(text)
	if raw, err := f.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_WR) })
	}
}

// Announce has whoever asks about path, by [Ask], be told what answer returns, until end is called. It holds nothing: where
// another process announces the same path it returns a *[HeldError], and nothing is announced.
func Announce(path string, answer Answer) (end func(), err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	w, err := newWitness(path)
	if err != nil {
		return nil, err
	}
	w.answer(answer)
	return w.close, nil
}

const (
	longestAnswer   = 64 << 10 // fits the buffer of a socket: a stranger is answered without waiting
	longestQuestion = 256
	slowestQuestion = time.Second
)

// answer tells those who ask, until close. It sleeps in the poller.
func (w *witness) answer(say Answer) {
	if w.fd < 0 {
		return
	}
	if say == nil {
		say = func(string) string { return "" }
	}
	w.file = os.NewFile(uintptr(w.fd), "witness")
	raw, err := w.file.SyscallConn()
	if err != nil {
		return
	}
	go raw.Read(func(fd uintptr) bool {
		for {
			c, _, err := unix.Accept4(int(fd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			switch {
			case err == nil:
				meet(c, say)
			case !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNABORTED):
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
}

// meet owns c, a new connection. A stranger is not listened to, so that thousands of them hold no descriptor of ours.
func meet(c int, say Answer) {
	cred, err := unix.GetsockoptUcred(c, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || !believed(cred) {
		unix.SendmsgN(c, cut(say("")), nil, nil, unix.MSG_NOSIGNAL)
		unix.Close(c)
		return
	}
	go converse(os.NewFile(uintptr(c), "asker"), say)
}

// converse ends with the answer, however long the question's takes; its asker may have left by then.
func converse(f *os.File, say Answer) {
	defer f.Close()
	f.SetReadDeadline(time.Now().Add(slowestQuestion))
	question, err := io.ReadAll(io.LimitReader(f, longestQuestion))
	if err != nil {
		return
	}
	said := cut(say(string(question)))
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { unix.SendmsgN(int(fd), said, nil, nil, unix.MSG_NOSIGNAL) })
}

func cut(text string) []byte { return []byte(text[:min(len(text), longestAnswer)]) }
