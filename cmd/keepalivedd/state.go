package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// about is what the log says of a daemon that is ready; who follows the events is told too.
func (s *service) about() []any {
	s.events.tell(&eventLine{Event: eventReady})
	return []any{"version", versionText(), "configuration", s.options.file, "programs", len(s.set.Status())}
}

// state is what the daemon answers to "status", and what status --json prints. Its fields, and those in it, are only
// ever added to: docs/status.schema.json and keepalivedd(8) tell them all.
type state struct {
	Version       int            `json:"version"` // of this answer
	Name          string         `json:"name"`
	Release       string         `json:"release,omitempty"`
	PID           int            `json:"pid,omitempty"`
	State         string         `json:"state"` // of the daemon
	PIDFile       string         `json:"pidfile"`
	Configuration string         `json:"configuration,omitempty"`
	Time          time.Time      `json:"time,omitzero"`    // of this answer
	Started       time.Time      `json:"started,omitzero"` // the daemon
	Reloads       *reloadState   `json:"reloads,omitempty"`
	LogDropped    uint64         `json:"log_dropped,omitempty"` // messages, and lines of programs, that its log has lost
	Programs      []programState `json:"programs"`
	Error         string         `json:"error,omitempty"` // why it could not be asked
}

// reloadState is what has become of the reloads.
type reloadState struct {
	Accepted int       `json:"accepted"`
	Refused  int       `json:"refused"`
	Last     bool      `json:"last_accepted"` // as the start was, when there was none
	InForce  time.Time `json:"in_force"`      // since when the configuration is
}

// programState is a program, and, when it was asked for by its name, what it is.
type programState struct {
	supervise.Status
	Definition *definition `json:"definition,omitempty"`
	Output     []string    `json:"output,omitempty"` // the last lines that are kept, with it
	OutputFrom []lineFrom  `json:"output_from,omitempty"`
}

// lineFrom is where a line of output is from.
type lineFrom struct {
	Time time.Time `json:"time"`
	PID  int       `json:"pid"` // 0: its process never ran
	// Earlier: it is not of the process that the program had last. A daemon of before does not say so of any.
	Earlier bool `json:"earlier,omitempty"`
}

// mostShown is how many lines of output the status of a program has, as long as no more programs than mostDetailed are
// asked for, and as far as theirs are in longestShown bytes: whatever they write, there is to be an answer.
const (
	mostShown    = 10
	mostDetailed = 100
	longestShown = 1 << 20
)

// definition is what the configuration says of a program, as far as it is shown.
type definition struct {
	Command   []string `json:"command"`
	User      string   `json:"user,omitempty"` // unless it is the daemon's
	Directory string   `json:"directory"`
	Output    string   `json:"output,omitempty"` // unless that is the daemon's log
	Check     []string `json:"check,omitempty"`
	Gate      []string `json:"gate,omitempty"`
	After     []string `json:"after,omitempty"`
	Requires  []string `json:"requires,omitempty"`
}

func definitionOf(p *supervise.Program) *definition {
	d := &definition{Command: p.Command, Directory: p.Directory}
	if d.Directory == "" {
		d.Directory = "/"
	}
	if p.User != nil {
		d.User = p.User.Name
	}
	if p.Output != toLog {
		d.Output = p.Output
	}
	if p.Check != nil {
		d.Check = p.Check.Command
	}
	if p.Gate != nil {
		d.Gate = p.Gate.Command
	}
	if p.Order != nil {
		d.After, d.Requires = p.Order.After, p.Order.Requires
	}
	return d
}

// statusParams choose programs by name or pattern; none are all.
type statusParams struct {
	Programs []string `json:"programs,omitempty"`
}

func (s *service) answerStatus(_ context.Context, raw json.RawMessage) (any, error) {
	var q statusParams
	if err := control.Params(raw, &q); err != nil {
		return nil, err
	}
	a := &state{
		Version: 1, Name: name, Release: versionText(), PID: os.Getpid(), State: s.daemon.State(), Time: time.Now(),
		PIDFile: s.daemon.PIDFile, Configuration: s.options.file, Started: s.began, Reloads: s.reloads.state(),
		LogDropped: s.dropped(),
		Programs:   []programState{},
	}
	set := s.running.Load()
	if set == nil {
		return a, nil
	}
	all := set.Status()
	chosen, err := choose(all, q.Programs)
	if err != nil {
		if s.daemon.State() == daemon.Stopping {
			return a, nil // it has gone already
		}
		return nil, err
	}
	s.measure(chosen)
	a.Programs = make([]programState, len(chosen))
	share := min(64<<10, longestShown/max(1, len(chosen)))
	for i := range chosen {
		p := &a.Programs[i]
		p.Status = chosen[i]
		if len(q.Programs) > 0 {
			p.Definition = definitionOf(p.Program)
		}
		if len(q.Programs) > 0 && len(chosen) <= mostDetailed {
			p.Output, p.OutputFrom = lastLines(set, &p.Status, mostShown, share)
		}
	}
	return a, nil
}

// measure has what programs take added. One asker at a time: each would take a thread while it reads.
func (s *service) measure(programs []supervise.Status) {
	s.measuring.Lock()
	defer s.measuring.Unlock()
	supervise.Measure(programs)
}

// lastLines are the last lines of one program, so many in so many bytes.
func lastLines(set *supervise.Set, p *supervise.Status, n, bytes int) (texts []string, from []lineFrom) {
	for _, l := range set.Lines(func(name string) bool { return name == p.Name }, n, bytes, func() {}) {
		texts, from = append(texts, string(l.Text)), append(from, lineFrom{l.Time, l.PID, l.PID != p.LastPID})
	}
	return texts, from
}

// choose returns those of the programs that one of the patterns means, in their order; no pattern is all. A pattern
// that means none is a mistake, which names the one that was probably meant.
func choose(all []supervise.Status, patterns []string) ([]supervise.Status, error) {
	if len(patterns) == 0 {
		return all, nil
	}
	meant := make([]bool, len(all))
	for _, pattern := range patterns {
		found := false
		for i := range all {
			is, err := means(pattern, all[i].Name)
			if err != nil {
				return nil, err
			}
			if is {
				meant[i], found = true, true
			}
		}
		if !found {
			return nil, unknownProgram(all, pattern)
		}
	}
	chosen := make([]supervise.Status, 0, len(all))
	for i := range all {
		if meant[i] {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, nil
}

// means reports whether a pattern means a program. The name of a section is all of its instances.
func means(pattern, program string) (bool, error) {
	section, _, _ := strings.Cut(program, ":")
	is, err := filepath.Match(pattern, program)
	if err != nil {
		return false, &control.Error{Code: control.CodeParams, Message: strconv.Quote(pattern) + " is no pattern"}
	}
	of, _ := filepath.Match(pattern, section)
	return is || of, nil
}

// anyMeans reports whether one of the patterns means a program; no pattern is all.
func anyMeans(patterns []string, program string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		is, _ := means(pattern, program)
		return is
	})
}

// orStopping is err, which says that there is no such program, unless the daemon stops: then there may have been one.
func (s *service) orStopping(err error) error {
	if s.daemon.State() != daemon.Stopping {
		return err
	}
	return &control.Error{Code: control.CodeStopping, Message: "it is stopping"}
}

func unknownProgram(all []supervise.Status, pattern string) error {
	e := &control.Error{Code: control.CodeParams, Message: "there is no program " + strconv.Quote(pattern)}
	near := config.Nearest(pattern, func(yield func(string) bool) {
		for i := range all {
			section, _, _ := strings.Cut(all[i].Name, ":")
			if !yield(all[i].Name) || !yield(section) {
				return
			}
		}
	})
	if near != "" {
		e.Message += "; did you mean " + strconv.Quote(near) + "?"
	}
	return e
}
