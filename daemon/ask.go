package daemon

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// What a daemon is asked through its pidfile, and what it says.
const (
	askReload = "reload"
	reloaded  = "reloaded"
	refused   = "refused\n" // and why
	stopping  = "stopping"
)

// A RefusedError says why a daemon has refused to reload; everything goes on there as before.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Reload asks the daemon that holds the pidfile path to reload, for which the caller must be allowed to signal it, and
// waits for its verdict: nil, or a *[RefusedError]. No daemon is [pidfile.ErrNotRunning]. Patience bounds the wait; zero:
// 90 s. A daemon that cannot be asked, because it does not use this package or lives in another network namespace, is
// sent SIGHUP, and nil means no more than that.
func Reload(path string, patience time.Duration) error {
	p, err := pidfile.Find(path)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Signal(0); err != nil {
		return err
	}
	patience = orDefault(patience, 90*time.Second)
	said, err := pidfile.Ask(path, askReload, patience)
	reason, no := strings.CutPrefix(said, refused)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("pid %d has been asked to reload and has not said within %v whether it did: see its log", p.PID, patience)
	case no:
		return &RefusedError{reason}
	case said == stopping:
		return fmt.Errorf("%w any more: pid %d is stopping", pidfile.ErrNotRunning, p.PID)
	case said == reloaded:
		return nil
	}
	return p.Signal(unix.SIGHUP)
}

// answer is what others are told; each call has a goroutine of its own. A reload is the loop's to do.
func (r *run) answer(question string) string {
	switch question {
	case askReload:
		verdict := make(chan error, 1)
		select {
		case r.asked <- verdict:
		case <-r.life.Done():
			return stopping
		}
		if err := <-verdict; err != nil {
			return refused + err.Error()
		}
		return reloaded
	case "":
		if r.Status != nil {
			return r.Status()
		}
	}
	return ""
}
