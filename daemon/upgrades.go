package daemon

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
)

// Upgrades is what a Daemon needs to be replaced by another program, or a newer one, in the same process: see
// [Daemon.Upgrade]. Only Save has to be there.
type Upgrades struct {
	// Version is what this program calls itself, for the answer.
	Version string
	// Save brings to a halt what Start has begun, and returns what is left of it for the program that takes over: whose
	// Start finds it in [Daemon.Inherited], and goes on from there; nil is nothing. Connections that are open end with
	// this program, unless they are among the Files. An error means that all goes on. It is called like a Reload.
	Save func(ctx context.Context) (*Saved, error)
	// State is what Save would leave, and nothing is brought to a halt. The rehearsal gets it. Nil: it gets nothing.
	State func(ctx context.Context) (json.RawMessage, error)
	// Rehearse tells, in a program that may take over and in the place of Start, why it could not go on with state, which
	// is to be looked at with all strictness. Nil: nothing is in its way.
	Rehearse func(state json.RawMessage) error
	// Flags come before all arguments in a rehearsal: a program that does not know them, or the one before that knows of
	// no upgrades, fails there.
	Flags []string
	// Args are the arguments of the program that takes over, from the second on, where those of this one do not mean the
	// same any more: a path that was relative to the caller's directory, the pidfile's above all. Nil: those of this one.
	Args []string
	// Thread calls f on the thread that has started the children, if those have a death signal (PR_SET_PDEATHSIG): they
	// survive only if it is that one which executes the new program, and only if it is the main thread. Nil: f is called.
	Thread func(f func())
	// Command is [exec.Cmd.Run], for who reaps every child of the process. Nil: that.
	Command func(ctx context.Context, c *exec.Cmd) error
	// Abandon ends what state tells of: neither the new program nor the old one can go on.
	// Nil: there is nothing to be ended.
	Abandon func(state json.RawMessage)
}

// Saved is what a Daemon leaves to the program that takes over.
type Saved struct {
	State json.RawMessage     // of any form
	Files map[string]*os.File // by a name of the daemon's choice: listeners, say. Resume closes what was made for this
	// Descriptors are to be open there too, by the same numbers, of which State tells.
	Descriptors []int
	// Resume has everything go on: the upgrade was refused after all. Nil: there was nothing brought to a halt.
	Resume func()
}

// Upgraded is what has come of an upgrade.
type Upgraded struct {
	Before string  `json:"before"`          // the version of the program that ran
	After  string  `json:"after"`           // and of the one that took over, or would
	Pause  float64 `json:"pause,omitempty"` // in seconds, from the halt of the one to the other's going on
}

// An UpgradeError says why the program that ran goes on.
type UpgradeError struct{ Reason string }

func (e *UpgradeError) Error() string { return e.Reason }

type upgradeParams struct {
	Binary string `json:"binary"`
	DryRun bool   `json:"dry_run"`
}
