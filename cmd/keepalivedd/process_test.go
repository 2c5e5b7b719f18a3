package main

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// process is one that is held by a pidfd.
type process struct {
	pid, pidfd int
}

// hold fails for a process that has ended, reaped or not.
func hold(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	p := &process{pid, fd}
	if p.ends(0) {
		p.close()
		return nil, unix.ESRCH
	}
	return p, nil
}

func (p *process) close() {
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
	}
	p.pidfd = -1
}

func (p *process) String() string {
	cmdline, _ := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/cmdline")
	return string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '}))
}

// ends waits for the end of the process, for at most d.
func (p *process) ends(d time.Duration) bool {
	n, _ := poll(p.pidfd, d)
	return n > 0
}

func poll(fd int, d time.Duration) (n int, err error) {
	deadline := time.Now().Add(d)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}},
			int(max(0, time.Until(deadline)).Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// wait returns the status with which the process ended, -1 when it is not our child.
func (p *process) wait(t testing.TB) int {
	t.Helper()
	if !p.ends(patience) {
		t.Fatalf("process %d has not ended: %s", p.pid, p)
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(p.pid, &ws, 0, nil); err != nil {
		return -1
	}
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

func (p *process) signal(t testing.TB, sig unix.Signal) {
	t.Helper()
	if err := unix.PidfdSendSignal(p.pidfd, sig, nil, 0); err != nil {
		t.Fatalf("signal process %d: %v", p.pid, err)
	}
}
