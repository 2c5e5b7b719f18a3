package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// status is what is shown of the daemon's answer, which docs/status.schema.json tells.
type status struct {
	State    string
	PID      int
	Time     time.Time
	Programs []program
}

type program struct {
	Name, State, Why, Text, Last string
	PID, Starts                  int
	Since, Started, Next         time.Time
	Exits                        map[string]int
	CPU                          *float64 `json:"cpu_seconds"`
	Memory                       *int64   `json:"memory_bytes"`
	Held                         *struct {
		UID           int
		Since         time.Time
		Configuration bool
	}
	Definition struct {
		Command, After, Requires []string
		User, Directory          string
	}
}

// line is one of a program's, or so many that are missing, or why there are none.
type line struct {
	Time       time.Time
	Text, Note string
	Stderr     bool
	Lost       int
}

// outcome is what has come of a verb; without Done it is not so yet, or has failed.
type outcome struct {
	Done       bool
	State, Why string
}

// Well counts the programs that are as they should be.
func (s status) Well() (n int) {
	for _, p := range s.Programs {
		if p.State == "up" || p.State == "done" {
			n++
		}
	}
	return n
}

// For is how long that is ago, or ahead.
func (s status) For(t time.Time) string {
	d := s.Time.Sub(t).Abs()
	if days := d / (24 * time.Hour); days > 1 {
		return fmt.Sprintf("%dd%02dh", days, d%(24*time.Hour)/time.Hour)
	} else if d > time.Hour {
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	}
	return d.Truncate(time.Second).String()
}

func (p program) Path() string { return "/program/" + url.PathEscape(p.Name) }

func (p program) Restarts() int { return max(0, p.Starts-1) }

// Words say what is not as it should be, and what the program says itself.
func (p program) Words() string {
	words := p.Why
	if words == "" && p.State != "up" && p.State != "done" {
		words = p.Last
	}
	if p.Text != "" {
		words = strings.TrimPrefix(words+"; it says: "+p.Text, "; ")
	}
	return plain(words)
}

func (p program) Size() string {
	if p.Memory == nil {
		return ""
	}
	return fmt.Sprintf("%.1f MB", float64(*p.Memory)/(1<<20))
}

func (p program) Processor() string {
	if p.CPU == nil {
		return ""
	}
	return time.Duration(*p.CPU * float64(time.Second)).Round(100 * time.Millisecond).String()
}

func (p program) Command() string { return plain(strings.Join(p.Definition.Command, " ")) }

// plain is s with what is no letter shown by its number, so that it passes for nothing else.
func plain(s string) string {
	quoted := strconv.Quote(s)
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\t`, "\t").Replace(quoted[1 : len(quoted)-1])
}
