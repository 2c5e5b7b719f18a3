package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/internal/stderr"
	"github.com/keepalivedd/keepalivedd/pidfile"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// act does something to programs, tells what has come of it in a line for each,
// and returns 0 only if it is what was asked for.
func (o *options) act(path string) int {
	steps := []step{{names: o.names}}
	if o.verb == "restart" && !o.together && !o.noWait {
		var err error
		if steps, err = o.inTurn(path); err != nil {
			return actFailed(err)
		}
	}
	worst := ok
	for i := range steps {
		outcomes, err := o.operate(path, &steps[i])
		status := actFailed(err)
		if err == nil {
			status = o.tellOutcomes(outcomes)
		}
		if status == ok {
			continue
		}
		if worst = status; len(steps) > 1 && err == nil && outcomes[0].Held {
			continue // which says nothing of the others
		}
		var left []string
		for _, s := range steps[i+1:] {
			left = append(left, s.names...)
		}
		if len(left) > 0 {
			fail(fmt.Errorf("not restarted for that: %s", strings.Join(left, ", ")))
		}
		break
	}
	return worst
}

// step is what is asked of the daemon at a time.
type step struct {
	names []string
	held  *time.Time // as in operateParams
}

// operate asks the daemon.
func (o *options) operate(path string, s *step) ([]supervise.Outcome, error) {
	q := operateParams{Programs: s.names, Timeout: o.timeout.Seconds(), NoWait: o.noWait, Dependents: o.dependents,
		HeldSince: s.held, Signal: o.signal}
	var answer operateAnswer
	err := askRunning(path, o.verb, o.timeout+promptly, q, &answer)
	var told *control.Error
	if errors.As(err, &told) && told.Code == control.CodeParams && strings.Contains(told.Message, `"held_since"`) {
		q.HeldSince = nil // a daemon of before restarts also who has been taken down meanwhile, as it always has
		err = askRunning(path, o.verb, o.timeout+promptly, q, &answer)
	}
	return answer.Programs, err
}

var errStarting = errors.New("it is starting: ask again")

// pidOf is that of a daemon that can be asked: it is neither starting nor dead.
func pidOf(path string) (pid int, err error) {
	st, err := pidfile.Look(path)
	switch {
	case err != nil:
		return 0, err
	case st.State == pidfile.Starting:
		return 0, errStarting
	case st.State != pidfile.Held:
		return 0, pidfile.ErrNotRunning
	}
	return st.PID, nil
}

func askRunning(path, method string, patience time.Duration, q, answer any) error {
	pid, err := pidOf(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = control.AskPID(ctx, control.Path(path), pid, method, q, answer)
	var told *control.Error
	if err != nil && !errors.As(err, &told) {
		return &daemon.UnaskedError{PID: pid, Err: err}
	}
	return err
}

// actFailed tells that nothing was done, and why.
func actFailed(err error) int {
	status := fail(err)
	var told *control.Error
	switch errors.As(err, &told); {
	case errors.Is(err, fs.ErrPermission), told != nil && told.Code == control.CodeForbidden:
		return notPermitted
	case told != nil && told.Code == control.CodeParams:
		return programUnknown
	}
	return status
}

// inTurn are the programs that are meant, those first that others come after. Of several one may be taken down before
// its turn comes, and is left so.
func (o *options) inTurn(path string) ([]step, error) {
	var a state
	if err := askRunning(path, "status", promptly, statusParams{o.names}, &a); err != nil {
		return nil, err
	}
	if len(a.Programs) == 0 { // before the start is over there are none to be had, and in the course of a stop
		if a.State == daemon.Stopping {
			return nil, errors.New("it is stopping")
		}
		return nil, errStarting
	}
	needs, held := map[string][]string{}, map[string]*time.Time{}
	for i := range a.Programs {
		p := &a.Programs[i]
		needs[p.Name], held[p.Name] = nil, new(time.Time)
		if p.Held != nil {
			held[p.Name] = &p.Held.Since
		}
		if d := p.Definition; d != nil {
			needs[p.Name] = slices.Concat(d.After, d.Requires)
		}
	}
	var steps []step
	var visit func(name string)
	visit = func(name string) {
		before, meant := needs[name]
		if !meant {
			return
		}
		delete(needs, name)
		for _, other := range before {
			visit(other)
		}
		steps = append(steps, step{[]string{name}, held[name]})
	}
	for i := range a.Programs {
		visit(a.Programs[i].Name)
	}
	if len(steps) == 1 {
		steps[0].held = nil
	}
	return steps, nil
}

// tellOutcomes prints what is as it should be, and says on standard error what is not.
func (o *options) tellOutcomes(outcomes []supervise.Outcome) (status int) {
	for i := range outcomes {
		is := &outcomes[i]
		line := plain(is.Name) + isIn(is.State) + plain(is.State)
		if is.PID != 0 {
			line += fmt.Sprintf(", pid %d", is.PID)
		}
		if is.Done && o.verb == "down" && is.Why == "" {
			line += ", and held"
		}
		if is.Done && o.verb == "signal" {
			line = fmt.Sprintf("%s, pid %d, was sent %s", plain(is.Name), is.PID, plain(o.signal))
		}
		if is.Why != "" && (!is.Done || o.verb == "down") {
			line += ": " + plain(is.Why)
		}
		if is.Output != "" && !is.Done {
			for text := range strings.SplitSeq(is.Output, "\n") {
				line += "\n    " + legible(text)
			}
		}
		if is.Done || o.noWait && !is.Failed {
			if _, err := fmt.Println(line); err != nil {
				status = fail(err)
			}
			continue
		}
		fmt.Fprintf(stderr.Writer{}, "%s: %s\n", name, line)
		switch {
		case is.Failed, o.verb == "down":
			status = failure
		case status == ok:
			status = programDown
		}
	}
	return status
}

// notForPrograms is for a word behind a command that takes none, which may be a program's name.
func notForPrograms(verb, arg string) error {
	what, by := "", ""
	switch verb {
	case "start":
		what, by = "have program %s up", "up"
	case "stop":
		what, by = "take program %s down", "down"
	case "reload":
		what, by = "have program %s reload what is its own", "signal HUP"
	default:
		return fmt.Errorf("unexpected argument %q", arg)
	}
	return fmt.Errorf("%s is for the daemon itself; to "+what+": %s %s %[2]s", verb, arg, name, by)
}

// notForStart is for who wants nothing done, and has named something to do.
func notForStart(verb string) error {
	hint := ""
	if verb == "reload" || verb == "upgrade" {
		hint = fmt.Sprintf("; to see what it would do: %s %s --dry-run", name, verb)
	}
	return fmt.Errorf("-t and -d are for a start, and %s is none%s", verb, hint)
}

// meant goes behind the name of a command that there is not.
func meant(verb string) string {
	if near := config.Nearest(verb, slices.Values(verbs[1:])); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ": there are " + strings.Join(verbs[1:], ", ")
}
