package supervise

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// message is what a datagram of sd_notify(3) says. A line that is unknown or cannot be understood says nothing, and of
// two that say the same the first counts, as with systemd. BARRIER=1 and FDSTORE=1 are about descriptors, see receive.
type message struct {
	ready, reloading, stopping bool
	alive, trigger             bool           // WATCHDOG=1, WATCHDOG=trigger
	watchdog                   *time.Duration // WATCHDOG_USEC; zero: none from now on
	extend                     time.Duration  // EXTEND_TIMEOUT_USEC; zero: not asked for
	text                       *string        // STATUS, fit to be shown
	main                       int            // MAINPID; zero: not told
}

// Bounds of a message.
const (
	longestMessage = 4 << 10 // bytes, as with systemd; a longer one is dropped
	longestText    = 256     // characters
	longestTime    = 365 * 24 * time.Hour
)

// parseMessage reads a datagram, the senders of which may write what they like. One with a NUL in it says nothing.
func parseMessage(datagram []byte) (m message) {
	datagram = bytes.TrimSuffix(datagram, []byte{0})
	if bytes.IndexByte(datagram, 0) >= 0 {
		return message{}
	}
	for line := range strings.Lines(string(datagram)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch key {
		case "READY":
			m.ready = m.ready || value == "1"
		case "RELOADING":
			m.reloading = m.reloading || value == "1"
		case "STOPPING":
			m.stopping = m.stopping || value == "1"
		case "WATCHDOG":
			m.alive = m.alive || value == "1"
			m.trigger = m.trigger || value == "trigger"
		case "WATCHDOG_USEC":
			if d, ok := microseconds(value); ok && m.watchdog == nil {
				m.watchdog = &d
			}
		case "EXTEND_TIMEOUT_USEC":
			if d, ok := microseconds(value); ok && m.extend == 0 {
				m.extend = d
			}
		case "STATUS":
			if m.text == nil {
				text := showable(value)
				m.text = &text
			}
		case "MAINPID":
			if pid, err := strconv.ParseInt(value, 10, 32); err == nil && pid > 1 && m.main == 0 {
				m.main = int(pid)
			}
		}
	}
	return m
}

// microseconds reads a time. What is without end, or no number, is none.
func microseconds(value string) (d time.Duration, ok bool) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n == 1<<64-1 {
		return 0, false
	}
	return time.Duration(min(n, uint64(longestTime/time.Microsecond))) * time.Microsecond, true
}

// showable is text without what a terminal might obey, and not too long for a line.
func showable(text string) string {
	n := 0
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		n++
		switch {
		case n > longestText:
			return -1
		case r == '\t':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, text))
}

// openNotify makes a socket for sd_notify(3) with an abstract name. Anybody may send to it; only those of the program's
// session, and its main process, are listened to, whoever they have become: many are started as root and say that they
// are ready as another user. A sender who has gone already, as systemd-notify(1) has, cannot be asked for its session:
// it has to be root or the program's user.
func (l *loop) openNotify(p *program, c *command, r *Ready) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("notify socket: %w", err)
	}
	fd = high(fd)
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{}) // unix(7), autobind: the kernel finds a name
	}
	var own syscall.Sockaddr
	if err == nil {
		own, err = syscall.Getsockname(fd)
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("notify socket: %w", err)
	}
	uid := unix.Geteuid()
	if u := c.user; u != nil {
		uid = int(u.UID)
	}
	s := &notifySocket{socket: fd, p: p, start: p.starts, uid: uid}
	if err = l.reader.add(s); err != nil {
		unix.Close(fd)
		return err
	}
	p.sources = append(p.sources, s)
	p.withFeatures().notified = &notifyState{}
	c.env = append(c.env, "NOTIFY_SOCKET="+own.(*syscall.SockaddrUnix).Name)
	if r.Watchdog > 0 {
		c.env = append(c.env, "WATCHDOG_USEC="+strconv.FormatInt(r.Watchdog.Microseconds(), 10))
	}
	return nil
}

// heard has the loop take a message, if its sender is the program's own; of one that has gone its user has to do.
func heard(m message, from int, trusted bool) func(l *loop, p *program) {
	sid, err := unix.Getsid(from)
	return func(l *loop, p *program) {
		if err != nil && trusted || sid > 0 && sid == p.pid || from == p.mainPID() { // 0: of another PID namespace
			l.onNotify(p, m)
		}
	}
}
