package main

import (
	"context"
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// logsParams are those of the method logs.
type logsParams struct {
	Programs []string `json:"programs,omitempty"` // names or patterns; none: all
	Follow   bool     `json:"follow,omitempty"`   // go on with what is written from now on
	Lines    *int     `json:"lines,omitempty"`    // of those that are kept, so many at most; nil: all
	// Files says that the asker reads the files of programs himself: a line tells which these are, now and after each
	// reload, and no line of those programs is sent.
	Files bool `json:"files,omitempty"`
}

// logLine is a line of the stream logs. Its fields are only ever added to.
type logLine struct {
	Program string    `json:"program,omitempty"`
	PID     int       `json:"pid,omitempty"`
	Time    time.Time `json:"time,omitzero"`
	Stderr  bool      `json:"stderr,omitempty"`
	Text    string    `json:"text"`
}

// logSources is the line that tells whose lines there are, in the place of a logLine.
type logSources struct {
	Programs []logSource `json:"programs"`
}

type logSource struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"` // it writes to
}

// logLost is the line that tells how many are missing in its place.
type logLost struct {
	Lost int `json:"lost"`
}

// answerLogs is the stream of what programs write.
func (s *service) answerLogs(ctx context.Context, raw json.RawMessage, to *control.Follower) error {
	var q logsParams
	if err := control.Params(raw, &q); err != nil {
		return err
	}
	set := s.told.Load()
	if set == nil {
		return &control.Error{Code: control.CodeRefused, Message: "it is starting: ask again"}
	}
	if _, err := choose(set.Status(), q.Programs); err != nil {
		return s.orStopping(err)
	}
	e := &ear{names: q.Programs, known: map[string]bool{}, wake: newBell()}
	err := s.tellLogs(ctx, set, q, e, to)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *service) tellLogs(ctx context.Context, set *supervise.Set, q logsParams, e *ear, to *control.Follower) error {
	if err := s.tellSources(set, q, e, to); err != nil {
		return err
	}
	if q.Follow {
		defer s.lines.leave(e)
	}
	if err := s.tellKept(set, q, e, to); err != nil || !q.Follow {
		return err
	}
	for {
		began := time.Now()
		queue, lost, renewed, over := s.lines.take(e)
		for some := range slices.Chunk(queue, atOnce) {
			for _, line := range some {
				if err := to.Put(line.encoded()); err != nil {
					return err
				}
			}
			if err := to.Flush(); err != nil { // it is the queue of the ear that overflows, where that can be told
				return err
			}
		}
		if lost > 0 {
			if err := to.Send(logLost{lost}); err != nil {
				return err
			}
		}
		switch {
		case renewed:
			if err := s.tellSources(set, q, e, to); err != nil {
				return err
			}
		case over && len(queue) == 0:
			return nil
		case len(queue) == 0:
			select {
			case <-e.wake:
			case <-ctx.Done():
				return nil
			}
		case len(queue) >= atOnce:
			rest(ctx, time.Since(began))
		}
	}
}

// rest leaves the processor, of which there is one, to whoever reads from the programs. In a flood those who listen
// would have it all otherwise, and the programs would wait.
func rest(ctx context.Context, worked time.Duration) {
	const longest = 50 * time.Millisecond
	t := time.NewTimer(min(2*worked, longest))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// tellSources tells whose lines there are, and has e not hear of those that write to files,
// if that is what was asked for.
func (s *service) tellSources(set *supervise.Set, q logsParams, e *ear, to *control.Follower) error {
	if !q.Files {
		return nil
	}
	chosen, err := choose(set.Status(), nil)
	if err != nil {
		return err
	}
	sources := logSources{Programs: []logSource{}}
	without := map[string]bool{}
	s.lines.mu.Lock()
	e.without, e.known = nil, map[string]bool{}
	for i := range chosen {
		p := &chosen[i]
		if !e.hears(p.Name) {
			continue
		}
		of := logSource{Name: p.Name}
		if filepath.IsAbs(p.Program.Output) {
			of.File, without[p.Name] = p.Program.Output, true
		}
		sources.Programs = append(sources.Programs, of)
	}
	e.without, e.known = without, map[string]bool{}
	s.lines.mu.Unlock()
	if err := to.Send(sources); err != nil {
		return err
	}
	return to.Flush()
}

// tellKept tells what is kept. When it is to be followed, e hears of what comes after it.
func (s *service) tellKept(set *supervise.Set, q logsParams, e *ear, to *control.Follower) error {
	n := math.MaxInt
	if q.Lines != nil {
		n = max(0, *q.Lines)
	}
	granted := s.lines.reserve(mostBacklogs / 2)
	defer s.lines.release(granted)
	kept := set.Lines(e.hears, n, granted, func() {
		if q.Follow {
			s.lines.join(e)
		}
	})
	for some := range slices.Chunk(kept, atOnce) {
		for i := range some {
			if err := put(to, lineOf(&some[i])); err != nil {
				return err
			}
		}
		if err := to.Flush(); err != nil {
			return err
		}
	}
	return nil
}
