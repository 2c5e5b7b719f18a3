package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// AskUpgrade asks the daemon that holds the pidfile path to upgrade itself, see [Daemon.Upgrade], for which the caller
// must be allowed to signal it, and waits for what comes of it: the answer is the new program's, or why the one before
// goes on, an *[UpgradeError]. binary is an absolute path, or "". No daemon, or one that stops, is
// [pidfile.ErrNotRunning], one that is still starting a *[pidfile.HeldError], and one that could not be asked an
// *[UnaskedError]. Patience bounds the wait; zero: 90 s. Any other error says that what came of it is not known, or
// that the daemon has died of it.
func AskUpgrade(path, binary string, dryRun bool, patience time.Duration) (Upgraded, error) {
	p, err := pidfile.Find(path)
	if err != nil {
		return Upgraded{}, err
	}
	defer p.Close()
	if err := p.May(unix.SIGHUP); err != nil {
		return Upgraded{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), orDefault(patience, 90*time.Second))
	defer cancel()
	var v Upgraded
	err = ask(ctx, path, p.PID, "upgrade", upgradeParams{binary, dryRun}, &v)
	var told *control.Error
	var unreachable *control.UnreachableError
	switch {
	case err == nil:
		return v, nil
	case errors.As(err, &told) && told.Code == control.CodeRefused:
		return Upgraded{}, &UpgradeError{told.Message}
	case errors.As(err, &told) && told.Code == control.CodeMethod:
		return Upgraded{}, &UpgradeError{"the daemon that runs does not know of upgrades in place: restart it"}
	case errors.As(err, &told) && told.Code == control.CodeStopping:
		return Upgraded{}, fmt.Errorf("%w any more: pid %d is stopping", pidfile.ErrNotRunning, p.PID)
	case errors.As(err, &told):
		return Upgraded{}, told
	case p.Wait(0):
		return Upgraded{},
			fmt.Errorf("pid %d has ended in the midst of the upgrade, and what it ran with it: see its log, and start it", p.PID)
	case errors.As(err, &unreachable) && unreachable.Sent:
		return Upgraded{},
			fmt.Errorf("pid %d has been asked to upgrade, and has not said what came of it: see its log (%w)", p.PID, err)
	}
	return Upgraded{}, &UnaskedError{PID: p.PID, Err: err}
}
