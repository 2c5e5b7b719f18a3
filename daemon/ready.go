//go:build linux

package daemon

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// systemd is where sd_notify(3) messages go; empty: nowhere.
type systemd string

// systemdSocket reads NOTIFY_SOCKET and removes it from the environment: it is meant for this process,
// not for children.
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

// readyState says that the daemon serves, and how it is.
func (r *run) readyState() string {
	if r.Status == nil || r.systemd == "" {
		return "READY=1"
	}
	return "READY=1\n" + statusState(r.status())
}

// slowestStatus is how long a call of Status is waited for, and mostStatuses how many there are at the same time.
const slowestStatus, mostStatuses = time.Second, 8

// status is what Status says. It may hang, which is to hold up neither the loop nor whoever else asks.
func (r *run) status() string {
	const silent = "it has not said how it is"
	patience := time.NewTimer(slowestStatus)
	defer patience.Stop()
	select {
	case r.statuses <- struct{}{}:
	case <-patience.C:
		return silent
	}
	said := make(chan string, 1)
	go func() {
		said <- r.Status()
		<-r.statuses
	}()
	select {
	case text := <-said:
		return text
	case <-patience.C:
		return silent
	}
}

func statusState(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", " ") }

// ready tells everybody who waits that the daemon serves, unless its end has come already.
func (r *run) ready() error {
	if r.life.Err() != nil {
		return nil
	}
	r.enter(Running, false)
	if r.copy != nil {
		if err := r.copy.ready(); err != nil {
			return err
		}
	}
	if r.copy != nil { // what systemd has started is the launcher
		r.notify(fmt.Sprintf("MAINPID=%d\n%s", os.Getpid(), r.readyState()))
	} else {
		r.notify(r.readyState())
	}
	if r.ReadyFD > 0 && r.Inherited == nil { // else it has been told, and the number may be another's
		unix.Write(r.ReadyFD, []byte("\n"))
		unix.Close(r.ReadyFD)
	}
	if r.Inherited != nil {
		r.Inherited.tellReady(r)
	}
	about := []any{"pid", os.Getpid()}
	if r.About != nil {
		var more []any
		if err := r.hook(func(context.Context) error { more = r.About(); return nil }); err != nil {
			return err
		}
		about = append(about, more...)
	}
	r.log().Info("ready", about...)
	if r.Ready != nil {
		return r.hook(func(context.Context) error { r.Ready(); return nil })
	}
	return nil
}
