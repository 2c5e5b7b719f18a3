package main

import (
	"fmt"
	"strings"
	"time"
)

// starting is what Status says before the start is over.
const starting = "starting\n"

// status is what the daemon says of itself: "UP of WANTED", and a line for each program that is not as it should be.
func (s *service) status() string {
	set := s.running.Load()
	if set == nil {
		return starting
	}
	list := set.Status()
	well, lines := 0, []string{}
	for _, p := range list {
		if p.State == "up" || p.State == "done" {
			well++
			continue
		}
		line := "program " + p.Name + ": " + p.State
		if p.Last != "" {
			line += ", " + p.Last
		}
		if !p.Next.IsZero() {
			line += fmt.Sprintf(", again in %v", max(0, time.Until(p.Next)).Round(100*time.Millisecond))
		}
		lines = append(lines, line)
	}
	const most = 100
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("and %d more", len(lines)-most))
	}
	return fmt.Sprintf("%d of %d\n%s", well, len(list), strings.Join(lines, "\n"))
}
