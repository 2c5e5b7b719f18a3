package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
)

// someLines is how many lines logs prints of what was written before.
const someLines = 100

// logs prints what programs write.
func (o *options) logs(path string) int {
	pid, err := pidOf(path)
	if err != nil {
		return fail(err)
	}
	v := &logView{json: o.json, terminal: isTerminal(1), paint: painter(colours()), width: map[string]int{}}
	ctx, broken := context.WithCancelCause(context.Background())
	defer broken(nil)
	t := newTails(v, o.follow, o.lines, broken)
	q := logsParams{Programs: o.names, Follow: o.follow, Files: true}
	if o.lines != math.MaxInt {
		q.Lines = &o.lines
	}
	err = follow(ctx, path, pid, "logs", q, func(raw json.RawMessage, lost int) error {
		return hearLogs(raw, lost, v, t)
	})
	t.end()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var told *control.Error
	switch {
	case o.follow && errors.As(err, &told) && told.Code == control.CodeStopping:
		err = nil
	case errors.As(err, &told) && told.Code == control.CodeParams:
		fail(err)
		return statusUnknown
	}
	if status := fail(err); status != ok || !t.failed {
		return status
	}
	return failure
}

// hearLogs takes a line of the stream.
func hearLogs(raw json.RawMessage, lost int, v *logView, t *tails) error {
	var line struct {
		logLine
		logSources
		logLost
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &line); err != nil {
			return err
		}
	}
	switch lost += line.Lost; {
	case lost > 0:
		return v.lost(lost)
	case line.Programs != nil:
		v.align(line.Programs)
		return t.take(line.Programs)
	}
	return v.line(&line.logLine, raw)
}

// logView prints lines, for people on a terminal, and otherwise for programs.
type logView struct {
	json, terminal bool
	paint          painter

	mu     sync.Mutex
	across int            // the longest name
	width  map[string]int // of each
	day    string         // of the line that was printed last
}

// align makes room for names.
func (v *logView) align(programs []logSource) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.across = 0
	for _, p := range programs {
		if n := cells(plain(p.Name)); n <= longestName {
			v.across = max(v.across, n)
		}
	}
}

// line prints a line as the daemon has told it; of one out of a file raw is nil.
func (v *logView) line(l *logLine, raw json.RawMessage) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.json && raw == nil:
		return v.printJSON(l)
	case v.json:
		return v.print(string(raw))
	case v.terminal:
		return v.forPeople(l)
	}
	at, pid := "-", "-"
	if !l.Time.IsZero() {
		at = l.Time.Local().Format(timestamp)
	}
	if l.PID != 0 {
		pid = fmt.Sprint(l.PID)
	}
	return v.print(fmt.Sprintf("%s %s[%s]: %s", at, plain(l.Program), pid, legible(l.Text)))
}

const timestamp = "2006-01-02T15:04:05.000Z07:00" // as in a log file

// forPeople has a line for each day, and for since when there are lines.
func (v *logView) forPeople(l *logLine) error {
	at := fmt.Sprintf("%12s", "")
	if !l.Time.IsZero() {
		when := l.Time.Local()
		at = when.Format("15:04:05.000")
		if day := when.Format(time.DateOnly); day != v.day {
			head := day
			if v.day == "" {
				head = "since " + when.Format(time.DateTime)
			}
			v.day = day
			if err := v.print(v.paint.as("2", head)); err != nil {
				return err
			}
		}
	}
	name := plain(l.Program)
	gap := max(0, v.across-cells(name))
	bar := " | "
	if l.Stderr {
		bar = " ! "
	}
	return v.print(at + " " +
		v.paint.as(nameColour(l.Program), fmt.Sprintf("%s%*s%s", name, gap, "", bar)) + legible(l.Text))
}

// lost tells how many lines are missing here.
func (v *logView) lost(n int) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.json {
		return v.printJSON(logLost{n})
	}
	return v.print(v.paint.as("2", fmt.Sprintf("[%d lines are missing here: they came faster than they were read]", n)))
}

func (v *logView) printJSON(what any) error {
	b, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return v.print(string(b))
}

func (v *logView) print(line string) error {
	_, err := os.Stdout.WriteString(line + "\n")
	return err
}
