package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// words tells how a process ended, and the status that a shell would give it.
func words(ws syscall.WaitStatus) (string, int) {
	switch {
	case ws.Signaled() && ws.CoreDump():
		return fmt.Sprintf("killed by %s, core dumped", signalName(ws.Signal())), 128 + int(ws.Signal())
	case ws.Signaled():
		return "killed by " + signalName(ws.Signal()), 128 + int(ws.Signal())
	}
	return fmt.Sprintf("exited with status %d", ws.ExitStatus()), ws.ExitStatus()
}

// signalName is the number of a signal that has no name, as those for real-time have none.
func signalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(sig))
}

// lifetime is d as it is told: to the millisecond, and to the microsecond what is less than one.
func lifetime(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d.Round(time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// debug does not format a line that nobody reads: there is one for each program at a start, and at a stop.
func (l *loop) debug(p *program, pid int, format string, args ...any) {
	if l.Log.Enabled(context.Background(), slog.LevelDebug) {
		l.Log.Debug(p.says(format, args...), "pid", pid)
	}
}

func (p *program) says(format string, args ...any) string {
	return "program " + p.spec.Name + ": " + fmt.Sprintf(format, args...)
}
