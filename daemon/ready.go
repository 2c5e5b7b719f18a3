package daemon

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// systemd is where sd_notify(3) messages go; empty: nowhere.
type systemd string

// systemdSocket reads NOTIFY_SOCKET and removes it from the environment: it is meant for this process, not for children.
func systemdSocket() systemd {
	s := os.Getenv("NOTIFY_SOCKET")
	os.Unsetenv("NOTIFY_SOCKET")
	if !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "@") {
		return ""
	}
	return systemd(s)
}

// notify sends a state to systemd; it neither waits nor fails the daemon.
func (r *run) notify(state string) {
	if r.systemd == "" {
		return
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		err = unix.Sendto(fd, []byte(state), unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: string(r.systemd)})
	}
	if err != nil {
		r.log().Warn("systemd was not told", "state", state, "err", err)
	}
}

// reloading is the message for Type=notify-reload, which wants the time at which the reload began.
func reloading() string {
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000)
}
