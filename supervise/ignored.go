package supervise

import (
	"bytes"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

// catchIgnored has the signals that are ignored now, as nohup(1) and a shell's background jobs have set it for us,
// caught and dropped until the returned function is called: to this process it is the same, but a child is born with
// the default for what is caught, and would ignore what is ignored, fork and exec notwithstanding.
// No other signal is touched.
func catchIgnored() (end func()) {
	dropped := make(chan os.Signal, 1)
	for _, sig := range ignored() {
		signal.Notify(dropped, sig)
	}
	return func() { signal.Stop(dropped) }
}

// ignored are the signals that this process ignores, but for KILL, STOP and those that are the C library's. The runtime
// can tell of HUP and INT only.
func ignored() (signals []syscall.Signal) {
	status, err := os.ReadFile("/proc/self/status")
	_, rest, found := bytes.Cut(status, []byte("\nSigIgn:\t"))
	if err != nil || !found {
		return nil
	}
	word, _, _ := bytes.Cut(rest, []byte("\n"))
	mask, _ := strconv.ParseUint(string(word), 16, 64)
	for n := 1; n <= 64; n++ {
		if mask>>(n-1)&1 != 0 && (n < 32 || n > 34) {
			signals = append(signals, syscall.Signal(n))
		}
	}
	return signals
}
