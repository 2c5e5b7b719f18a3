//go:build linux

package daemon

import (
	"os"
	"strconv"
	"time"
)

// watchdogTime reads how often systemd wants to hear that the daemon lives, sd_watchdog_enabled(3), and removes that
// from the environment; 0: not at all.
func (d *Daemon) watchdogTime() time.Duration {
	usec, err := strconv.ParseUint(os.Getenv("WATCHDOG_USEC"), 10, 62)
	pid := os.Getenv("WATCHDOG_PID")
	os.Unsetenv("WATCHDOG_USEC")
	os.Unsetenv("WATCHDOG_PID")
	ours := pid == "" || pid == strconv.Itoa(os.Getpid()) || d.copy != nil && pid == strconv.Itoa(os.Getppid())
	if err != nil || !ours {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// watchdog says twice in each period that the daemon lives, as long as Alive says so;
// end does not wait for one that hangs.
func (r *run) watchdog() (end func()) {
	if r.Alive == nil || r.period/2 <= 0 || r.systemd == "" {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		ticks := time.NewTicker(max(r.period/2, time.Millisecond)) // for less there is no reason but a mistake
		defer ticks.Stop()
		well := true
		for {
			err := r.Alive()
			if err == nil {
				r.notify("WATCHDOG=1")
			} else if well {
				r.log().Error("it is not well: systemd's watchdog is not told that it lives", "err", err)
			}
			well = err == nil
			select {
			case <-ticks.C:
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}
