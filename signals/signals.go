// Package signals says what each signal asks of a daemon.
//
// HUP asks for a reload, TERM and INT for a stop, USR1 for the state and USR2 for the counters; every other signal that
// would end a process without meaning it ill is taken and dropped, but for 32 and 34, which the Go runtime leaves
// alone. QUIT, ABRT, SEGV and their like end it with a dump by the runtime. There is a channel for each meaning, and it
// holds one request: five HUPs in a row are one reload, and a TERM is never lost behind them. Linux only.
package signals

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Requests are what the world asks of the daemon. A request waits in its channel until it is received; the same one
// again meanwhile is the same request.
type Requests struct {
	Stop   <-chan os.Signal // TERM, INT, and HUP when it came because the terminal has gone
	Reload <-chan os.Signal // any other HUP
	Dump   <-chan os.Signal // USR1
	Stats  <-chan os.Signal // USR2
}

// Notify takes the signals, from now until the returned function is called, once; call it before anything slow. A
// signal that the caller of this process had set to be ignored (nohup(1) does with HUP) or had blocked is taken all the
// same. Afterwards each does what it did before, and what has come before that is in its channel.
//
// A HUP means a reload, but for a process that has a controlling terminal when Notify is called and has lost it when
// the HUP comes: the terminal was closed, and there is nobody left to run in the foreground for.
func Notify() (Requests, func()) {
	requests, others, release := NotifyFirst()
	others()
	return requests, release
}

// NotifyFirst is Notify in two steps, for who is waited for: each signal takes a while. It takes those that ask for a
// stop or a reload, has PIPE ignored, and others takes that and the rest: call it before the first child is started,
// which would inherit what is ignored. Until then a USR1 or USR2 does nothing, and one of job control what it does to
// any process. Both functions are called at most once, by one goroutine.
func NotifyFirst() (requests Requests, others, release func()) {
	stop, reload := make(chan os.Signal, 1), make(chan os.Signal, 1)
	dump, stats := make(chan os.Signal, 1), make(chan os.Signal, 1)
	hangup, dropped := make(chan os.Signal, 1), make(chan os.Signal, 1)
	sorted := make(chan struct{})
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT)
	signal.Ignore(unix.SIGPIPE) // of standard error, which is deadly; it takes a hundredth of the time of Notify
	attached := hasTerminal()
	if !attached { // the usual daemon: no goroutine between the signal and the loop
		signal.Notify(reload, unix.SIGHUP)
		close(sorted)
	} else {
		signal.Notify(hangup, unix.SIGHUP)
		go func() {
			defer close(sorted)
			sort(hangup, stop, reload)
		}()
	}
	all := false
	others = func() {
		all = true
		signal.Notify(dump, unix.SIGUSR1)
		signal.Notify(stats, unix.SIGUSR2)
		// The runtime catches ALRM, WINCH, XFSZ and the like by itself, and nothing comes of them. Not PIPE and this one, or
		// not everywhere. And not signal.Ignore, which children would inherit.
		signal.Notify(dropped, unix.SIGPIPE, unix.SIGCONT)
		if !attached {
			// Job control has no meaning here, and children would inherit it from a caller who ignored it.
			signal.Notify(dropped, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU)
		}
	}
	return Requests{stop, reload, dump, stats}, others, func() {
		if !all {
			others() // only what was taken can be given back
		}
		for _, c := range []chan os.Signal{stop, reload, dump, stats, hangup, dropped} {
			signal.Stop(c)
		}
		close(hangup)
		<-sorted
	}
}

// sort passes each HUP on as what it means, until hangup is closed.
func sort(hangup <-chan os.Signal, stop, reload chan<- os.Signal) {
	for sig := range hangup {
		to := reload
		if !hasTerminal() {
			to = stop
		}
		select {
		case to <- sig:
		default: // asked for already
		}
	}
}

// hasTerminal reports whether this process has a controlling terminal that is still there: tty(4), a hung up one cannot
// be opened any more.
func hasTerminal() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}
