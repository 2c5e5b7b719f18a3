package main

import (
	"fmt"
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
	add := func(what, words string) {
		if words == "" {
			return
		}
		for _, line := range broken(words, pageWidth-13) {
			lines = append(lines, fmt.Sprintf("  %-11s%s", what, line))
			what = ""
		}
	}
	add("why", plain(p.Why))
	add("hint", p.hint())
	add("it says", plain(p.Text))
	if p.MainPID != 0 {
		add("main pid", fmt.Sprint(p.MainPID))
	}
	if !p.Next.IsZero() {
		add("next try", fmt.Sprintf("in %s, after %d failures in a row", short(p.Next.Sub(now)), p.Failures))
	}
	add("last exit", plain(p.Last))
	add("starts", fmt.Sprint(p.Starts))
	add("exits", p.exits())
	if l.known || p.MemoryBytes != nil {
		add("takes", fmt.Sprintf("%v %% of a processor, %s of memory", l, memory(p.MemoryBytes)))
	}
	add("cgroup", plain(p.Cgroup))
	if p.OutputLines > 0 {
		words := count(int(p.OutputLines), "line")
		if p.OutputDropped > 0 {
			words += fmt.Sprintf(", %d of them dropped", p.OutputDropped)
		}
		add("output", words)
	}
	what := "it wrote"
	for _, line := range p.wrote(now) {
		lines = append(lines, fmt.Sprintf("  %-11s%s", what, line))
		what = ""
	}
	if c := p.Check; c != nil {
		words := fmt.Sprintf("%d failures, %d in a row now", c.Failures, c.InARow)
		if p.Definition != nil {
			words += ": " + commandLine(p.Definition.Check)
		}
		add("check", words)
	}
	if g := p.Gate; g != nil {
		words := "shut"
		if g.Open {
			words = "open"
		}
		if p.Definition != nil {
			words += ": " + commandLine(p.Definition.Gate)
		}
		add("gate", words)
	}
	add("listens on", p.sockets())
	if d := p.Definition; d != nil {
		add("command", commandLine(d.Command))
		add("user", plain(d.User))
		add("directory", plain(d.Directory))
		add("after", plain(strings.Join(d.After, " ")))
		add("requires", plain(strings.Join(d.Requires, " ")))
	}
	return lines
}

// hint is for what is most often wrong with a program that is new to this.
func (p *programState) hint() string {
	if (p.State != "backoff" && p.State != "failed") || p.ExitCode == nil || *p.ExitCode != 0 || p.Exits.Succeeded == 0 {
		return ""
	}
	return `a program has to stay in the foreground; one that does its work and ends is type = "oneshot"`
}

// wrote are the last lines of output with their time: those of the process that runs and of the last one before it.
// Above lines stands of which process they are, unless all are of the one that runs.
func (p *programState) wrote(now time.Time) (lines []string) {
	from := p.OutputFrom[:min(len(p.OutputFrom), len(p.Output))]
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
