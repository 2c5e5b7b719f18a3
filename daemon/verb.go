package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// Verb asks the daemon that holds PIDFile for what an init script does, status, reload, upgrade or stop, says on
// standard output, or by Report, what came of it, and returns the status to leave with: of status that of [LSB], else
// that of [ExitStatus]. A verb that there is none of is 2. It is for a process that was started to ask, and needs no
// more of d than PIDFile, Name and Report.
//
// upgrade has the daemon become the program that its file is now, see [Daemon.Upgrade]; one without [Upgrades] refuses,
// which is 1, as any upgrade is after which the program goes on that ran.
func (d *Daemon) Verb(verb string) (status int) {
	surviveUnread()
	if d.PIDFile == "" {
		d.report(errors.New("without a pidfile there is no daemon to be found"))
		return usage
	}
	switch verb {
	case "status":
		c, err := Query(d.PIDFile, 0)
		if err != nil {
			d.report(err)
		} else {
			fmt.Fprintln(os.Stdout, d.name(), strings.ReplaceAll(printable(c.String()), "\n", " "))
		}
		return LSB(c, err)
	case "reload":
		touched, err := AskReload(d.PIDFile, 0)
		if touched != "" {
			fmt.Fprintln(os.Stdout, printable(touched))
		}
		return d.told(err)
	case "upgrade":
		v, err := AskUpgrade(d.PIDFile, "", false, 0)
		var refused *UpgradeError
		switch {
		case errors.As(err, &refused):
			err = fmt.Errorf("not upgraded, all goes on as before: %w", err)
		case err == nil:
			fmt.Fprintf(os.Stdout, "upgraded%s in %.1f ms\n", printable(v.versions()), 1000*v.Pause)
		}
		return d.told(err)
	case "stop":
		ran, err := Stop(d.PIDFile, StopOptions{})
		if !ran {
			fmt.Fprintln(os.Stdout, d.name(), Condition{State: Stopped})
		}
		return d.told(err)
	}
	d.report(fmt.Errorf("%q is none of status, reload, upgrade and stop", verb))
	return usage
}

func (d *Daemon) told(err error) (status int) {
	if err != nil {
		d.report(err)
	}
	return ExitStatus(err)
}

// versions says from which to which; nothing of a program that has none.
func (v Upgraded) versions() string {
	if v.Before == "" && v.After == "" {
		return ""
	}
	return fmt.Sprintf(" from %s to %s,", v.Before, v.After)
}

// usage is the status for a wrong command line.
const usage = 2

// ExitStatus returns the status for an error of this package, in the numbers of the LSB's init script actions where it
// has one: 0 for nil, 4 for no permission, 6 for a reload that was refused, 7 for what is for a daemon that runs, and
// there is none, 100 for a pidfile that another instance holds, else 1.
func ExitStatus(err error) int {
	var refused *RefusedError
	var unasked *UnaskedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &unasked): // whatever kept it from being asked
		return 1
	case errors.As(err, &refused):
		return 6
	case errors.Is(err, pidfile.ErrNotRunning):
		return 7
	case errors.Is(err, pidfile.ErrHeld):
		return 100
	case errors.Is(err, fs.ErrPermission):
		return 4
	}
	return 1
}
