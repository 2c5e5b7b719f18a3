package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// States of a daemon that runs, as [Daemon.State] and the method status call them, and as [Query] does of one that does
// not.
const (
	Starting = "starting"
	Running  = "running"
	Stopping = "stopping"
	Stopped  = "stopped"
	Dead     = "dead" // but its pidfile is left
)

// A Condition is how a daemon is, as [Query] has found it.
type Condition struct {
	State   string // Starting, Running, Stopping, Stopped or Dead
	PID     int    // 0 where it is not known, or there is none
	Says    string // what its Status says
	PIDFile string

	Answer  json.RawMessage // all that it has answered to status; nil: nothing
	Unasked error           // it runs, and could not be asked; then State is what its pidfile tells
}

// String completes a sentence that begins with the daemon's name.
func (c Condition) String() string {
	switch {
	case c.State == Stopped:
		return "is not running"
	case c.State == Dead:
		return "is dead, and has left its pidfile " + c.PIDFile
	case c.PID == 0:
		return "is " + c.State
	case c.Unasked != nil:
		return fmt.Sprintf("is %s, pid %d, but could not be asked: %v", c.State, c.PID, c.Unasked)
	case c.Says != "":
		return fmt.Sprintf("is %s, pid %d: %s", c.State, c.PID, c.Says)
	}
	return fmt.Sprintf("is %s, pid %d", c.State, c.PID)
}

// Query tells how the daemon is that holds the pidfile path: by its lock, which anybody may look at, and, if it runs,
// by asking it, which is for root, its own user and its readers. Patience bounds the wait for its answer; zero: 5 s. An
// error means that the pidfile could not be looked at.
func Query(path string, patience time.Duration) (Condition, error) {
	return QueryWith(path, patience, nil)
}

// QueryWith is [Query] with parameters, for a daemon whose method status is one of its own.
func QueryWith(path string, patience time.Duration, params any) (Condition, error) {
	ctx, cancel := context.WithTimeout(context.Background(), orDefault(patience, 5*time.Second))
	defer cancel()
	for {
		c := Condition{PIDFile: path}
		st, err := pidfile.Look(path)
		if err != nil {
			return c, err
		}
		c.PID = st.PID
		switch st.State {
		case pidfile.Free:
			c.State = Stopped
			return c, nil
		case pidfile.Stale:
			c.State = Dead
			return c, nil
		case pidfile.Starting:
			c.State = Starting
			return c, nil
		}
		var said struct {
			State  string `json:"state"`
			Status any    `json:"status"` // in an answer of the daemon's own it may be anything
		}
		c.Unasked = ask(ctx, path, st.PID, "status", params, &c.Answer)
		if c.Unasked == nil {
			c.Unasked = json.Unmarshal(c.Answer, &said)
		}
		if c.Unasked == nil {
			c.State = said.State
			c.Says, _ = said.Status.(string)
			return c, nil
		}
		if now, err := pidfile.Look(path); err == nil && now.State != pidfile.Held && ctx.Err() == nil {
			continue // it has ended meanwhile
		}
		c.State, c.Answer = Running, nil
		return c, nil
	}
}

// LSB returns the exit status that the LSB has for the status of a service, for what Query returns: 0 it runs, 1 it is
// dead but its pidfile is left, 3 it is stopped, 4 it is starting or stopping, or could not be asked.
//
//	os.Exit(daemon.LSB(daemon.Query(path, 0)))
func LSB(c Condition, err error) int {
	switch {
	case err != nil || c.Unasked != nil:
		return 4
	case c.State == Running:
		return 0
	case c.State == Dead:
		return 1
	case c.State == Stopped:
		return 3
	}
	return 4
}
