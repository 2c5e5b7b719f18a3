package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// details tell all that is known of each program.
func details(a *state, loads []load, paint painter) (lines []string) {
	for i := range a.Programs {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, a.Programs[i].detail(a.Time, loads[i], paint)...)
	}
	return lines
}

// isIn is what stands between the name of a program and its state.
func isIn(state string) string {
	if state == "backoff" {
		return " is in "
	}
	return " is "
}

func (p *programState) detail(now time.Time, l load, paint painter) []string {
	is := isIn(p.State) + paint.state(p.State, 0)
	if p.PID != 0 {
		is += fmt.Sprintf(", pid %d, started %s ago", p.PID, short(now.Sub(p.Started)))
	} else {
		is += fmt.Sprintf(", for %s", short(now.Sub(p.Since)))
	}
	lines := []string{plain(p.Name) + is}
	if cells(p.Name) > longestName {
		lines = []string{plain(p.Name), " " + is}
	}
	lines = appendFacts(lines, []fact{
		{"why", plain(p.Why)}, {"hint", p.hint()}, {"it says", plain(p.Text)}, {"main pid", p.mainPID()},
		{"next try", p.nextTry(now)}, {"last exit", plain(p.Last)}, {"starts", strconv.Itoa(p.Starts)},
		{"exits", p.exits()}, {"takes", p.takes(l)}, {"cgroup", plain(p.Cgroup)}, {"output", p.output()},
	})
	what := "it wrote"
	for _, line := range p.wrote(now) {
		lines = append(lines, labelled(what, line))
		what = ""
	}
	d := p.Definition
	if d == nil {
		d = &definition{}
	}
	return appendFacts(lines, []fact{
		{"check", p.check(d)}, {"gate", p.gate(d)}, {"listens on", p.sockets()}, {"command", commandLine(d.Command)},
		{"user", plain(d.User)}, {"directory", plain(d.Directory)}, {"writes to", plain(d.Output)},
		{"after", plain(strings.Join(d.After, " "))}, {"requires", plain(strings.Join(d.Requires, " "))},
	})
}

// fact is what is known of a program, in words; none are nothing to tell.
type fact struct{ what, words string }

func appendFacts(lines []string, facts []fact) []string {
	for _, f := range facts {
		for _, line := range broken(f.words, pageWidth-13) {
			lines = append(lines, labelled(f.what, line))
			f.what = ""
		}
	}
	return lines
}

func labelled(what, line string) string { return fmt.Sprintf("  %-11s%s", what, line) }

func (p *programState) mainPID() string {
	if p.MainPID == 0 {
		return ""
	}
	return strconv.Itoa(p.MainPID)
}

func (p *programState) nextTry(now time.Time) string {
	if p.Next.IsZero() {
		return ""
	}
	return fmt.Sprintf("in %s, after %s in a row", short(p.Next.Sub(now)), count(p.Failures, "failure"))
}

func (p *programState) takes(l load) string {
	var known []string
	if l.known {
		known = append(known, fmt.Sprintf("%v %% of a processor", l))
	}
	if p.MemoryBytes != nil {
		known = append(known, memory(p.MemoryBytes)+" of memory")
	}
	return strings.Join(known, ", ")
}

func (p *programState) output() string {
	if p.OutputLines == 0 {
		return ""
	}
	words := count(int(p.OutputLines), "line")
	if p.OutputDropped > 0 {
		words += fmt.Sprintf(", %d of them dropped", p.OutputDropped)
	}
	return words
}

func (p *programState) check(d *definition) string {
	if p.Check == nil {
		return ""
	}
	words := fmt.Sprintf("%s, %d in a row now", count(p.Check.Failures, "failure"), p.Check.InARow)
	if d.Check != nil {
		words += ": " + commandLine(d.Check)
	}
	return words
}

func (p *programState) gate(d *definition) string {
	if p.Gate == nil {
		return ""
	}
	words := "shut"
	if p.Gate.Open {
		words = "open"
	}
	if d.Gate != nil {
		words += ": " + commandLine(d.Gate)
	}
	return words
}

// hint is for what is most often wrong with a program that is new to this.
func (p *programState) hint() string {
	switch over := p.State == "backoff" || p.State == "failed"; {
	case !over || p.ExitCode == nil:
	case *p.ExitCode == 0 && p.Exits.Succeeded > 0:
		return `a program has to stay in the foreground; one that does its work and ends is type = "oneshot"`
	case *p.ExitCode != 0 && p.Exits.Failed > 0 && p.OutputLines == 0:
		return "nothing is known here of what it wrote; look for the reason in syslog, or in a log of its own"
	}
	return ""
}

// wrote are the last lines of output with their time: those of the process that runs and of the last one before it.
// Above lines stands of which process they are, unless all are of the one that runs. When none runs they are those of
// the last one, or, after words that it wrote nothing, of one before.
func (p *programState) wrote(now time.Time) (lines []string) {
	from := p.OutputFrom[:min(len(p.OutputFrom), len(p.Output))]
	if last := slices.ContainsFunc(from, func(l lineFrom) bool { return !l.Earlier }); p.PID == 0 && len(from) > 0 {
		for last && from[len(from)-1].Earlier {
			from = from[:len(from)-1] // what it has started still writes
		}
		if !last {
			lines = append(lines, "nothing at its last start; before that:")
		}
	}
	first, running, ended := len(from), p.PID, -1
	if running == 0 {
		running = -1 // and lines of 0 are of another
	}
	for first > 0 {
		if pid := from[first-1].PID; pid != running {
			if ended >= 0 && pid != ended {
				break
			}
			ended = pid
		}
		first--
	}
	of := running
	for i := first; i < len(from); i++ {
		if pid := from[i].PID; pid != of {
			of = pid
			switch of {
			case running:
				lines = append(lines, fmt.Sprintf("pid %d:", of))
			case 0:
				lines = append(lines, "one that never ran:")
			default:
				lines = append(lines, fmt.Sprintf("pid %d, which has ended:", of))
			}
		}
		at, layout := from[i].Time.Local(), time.TimeOnly
		if at.Format(time.DateOnly) != now.Local().Format(time.DateOnly) {
			layout = time.DateTime
		}
		lines = append(lines, at.Format(layout)+" "+legible(p.Output[i]))
	}
	return lines
}

// exits tells how the processes have ended.
func (p *programState) exits() string {
	var words []string
	for _, of := range []struct {
		n   int
		how string
	}{{p.Exits.Stopped, "stopped"}, {p.Exits.Succeeded, "with status 0"}, {p.Exits.Failed, "with another status"},
		{p.Exits.Signalled, "by a signal"}, {p.Exits.Unhealthy, "stopped as unhealthy"}} {
		if of.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", of.n, of.how))
		}
	}
	return strings.Join(words, ", ")
}

// commandLine is a command as a shell would take it, to be read.
func commandLine(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = plain(word)
		if word == "" ||
			strings.ContainsFunc(word, func(r rune) bool { return strings.ContainsRune(" \t\n\"'\\$`;&|<>()*?[]#~!{}", r) }) {
			words[i] = "'" + strings.ReplaceAll(words[i], "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
