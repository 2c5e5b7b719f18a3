package supervise_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// promise G1: what has left the group of a gated program does not outlive its daemon, where a cgroup tells whose it is
func TestGateOfStrays(t *testing.T) {
	for name, end := range map[string]func(d *gatedDaemon){
		"daemon killed": func(d *gatedDaemon) { d.Process.Kill() },
		"daemon stopped, gate dead": func(d *gatedDaemon) {
			d.Process.Signal(unix.SIGSTOP)
			unix.Kill(d.gate, unix.SIGKILL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := startGated(t, cgroup(t))
			end(d)
			gone(t, d.pid)
			gone(t, d.child)
			gone(t, d.gate)
		})
	}
}

// promise G1: nor, without one, where the session tells, or, of a daemon that is killed, the environment
func TestGateOfStraysWithoutCgroup(t *testing.T) {
	environment := `(NAME=child-of-x setsid sh -c '` + announce + hold + `' &); `
	// timeout(1) has a group of its own
	session := `(env -i FIFO="$FIFO" NAME=child-of-x timeout 1000 sh -c '` + announce + hold + `' &); `
	for name, test := range map[string]struct {
		stray string
		sig   unix.Signal // to the daemon
	}{
		"environment": {environment, unix.SIGKILL}, "session": {session, unix.SIGKILL},
		"session, daemon stopped": {session, unix.SIGSTOP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startGated(t, "", "SUPERVISE_STRAY="+test.stray)
			guard := parent(d.gate)
			if d.Process.Signal(test.sig); test.sig == unix.SIGSTOP {
				unix.Kill(d.gate, unix.SIGKILL)
			}
			gone(t, d.pid)
			if gone(t, d.child); t.Failed() {
				unix.Kill(d.child, unix.SIGKILL)
			}
			gone(t, d.gate)
			if test.sig == unix.SIGKILL {
				gone(t, guard)
			}
		})
	}
	t.Run("session, gate lost before", func(t *testing.T) {
		t.Parallel()
		d := startGated(t, "", "SUPERVISE_STRAY=trap 'echo told 0 >\"$FIFO\"' TERM; "+session, "SUPERVISE_TIMEOUT=1h")
		unix.Kill(d.gate, unix.SIGKILL)
		d.expect("told")
		d.Process.Kill()
		gone(t, d.pid)
		if gone(t, d.child); t.Failed() {
			unix.Kill(d.child, unix.SIGKILL)
		}
	})
}
