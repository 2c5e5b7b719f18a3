package main

import (
	"fmt"
	"time"
)

// load is what a program takes of a processor: 1 is all of one.
type load struct {
	value float64
	known bool
}

// String is in per cent.
func (l load) String() string {
	switch {
	case !l.known:
		return "-"
	case l.value >= 1:
		return fmt.Sprintf("%.0f", 100*l.value)
	}
	return fmt.Sprintf("%.1f", 100*l.value)
}

// loadsOf reckons from the sight before, or, where that says nothing, from the start of each process.
func loadsOf(a *state, before *sight) []load {
	loads := make([]load, len(a.Programs))
	earlier := map[string]*programState{}
	if before != nil {
		for i := range before.state.Programs {
			earlier[before.state.Programs[i].Name] = &before.state.Programs[i]
		}
	}
	for i := range a.Programs {
		p := &a.Programs[i]
		if p.CPUSeconds == nil || p.PID == 0 {
			continue
		}
		used, span := *p.CPUSeconds, time.Duration(0)
		if was := earlier[p.Name]; was != nil && was.PID == p.PID && was.CPUSeconds != nil {
			// By how long its process has lived each time: the clock may have been set in between.
			used, span = used-*was.CPUSeconds, a.Time.Sub(p.Started)-before.state.Time.Sub(was.Started)
		} else if !p.Started.IsZero() && (p.Starts == 1 || p.Cgroup == "" || p.CPUSecondsBefore != nil) {
			span = a.Time.Sub(p.Started)
			if p.CPUSecondsBefore != nil {
				used -= *p.CPUSecondsBefore
			}
		}
		if span > 0 && used >= 0 {
			loads[i] = load{used / span.Seconds(), true}
		}
	}
	return loads
}
