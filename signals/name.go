package signals

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Parse returns the signal that name stands for: TERM, SIGTERM or 15, in any case; or a meaning, as in keepalived's
// --signum: STOP (TERM, not SIGSTOP), RELOAD (HUP), DATA (USR1), STATS (USR2).
func Parse(name string) (syscall.Signal, error) {
	upper := strings.ToUpper(name)
	switch upper {
	case "STOP":
		return unix.SIGTERM, nil
	case "RELOAD":
		return unix.SIGHUP, nil
	case "DATA":
		return unix.SIGUSR1, nil
	case "STATS":
		return unix.SIGUSR2, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= 64 {
		return syscall.Signal(n), nil
	}
	if sig := unix.SignalNum("SIG" + strings.TrimPrefix(upper, "SIG")); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("unknown signal %q: use STOP, RELOAD, DATA, STATS, a name such as TERM, or a number", name)
}

// Name returns the name of sig without SIG, as kill(1) takes it; its number where it has none.
func Name(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	return strconv.Itoa(int(sig))
}
