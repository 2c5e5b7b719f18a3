package main

import (
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// Who looks at what a program wrote sees when that was, and of which process of it, of the last two;
// nothing of a third.
func TestDetailTellsWhenItWrote(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	type line struct {
		pid  int
		ago  time.Duration
		text string
	}
	for _, test := range []struct {
		pid   int
		lines []line
		want  string
	}{
		{9, nil, ""},
		{9, []line{{9, 2 * time.Second, "a"}, {9, time.Second, "b\x1b"}}, "03:04:03 a|03:04:04 b\\x1b"},
		{9, []line{{7, 25 * time.Hour, "x"}, {8, 24 * time.Hour, "y"}, {9, 0, "z"}},
			"pid 8, which has ended:|2026-01-01 03:04:05 y|pid 9:|03:04:05 z"},
		{0, []line{{7, 0, "x"}, {8, 0, "y"}, {8, 0, "z"}}, "pid 8, which has ended:|03:04:05 y|03:04:05 z"},
		{9, []line{{7, 0, "x"}, {8, 0, "y"}}, "pid 8, which has ended:|03:04:05 y"}, // which has said nothing yet
		{9, []line{{9, 0, "z"}, {8, 0, "y"}, {9, 0, "z"}}, "03:04:05 z|pid 8, which has ended:|03:04:05 y|pid 9:|03:04:05 z"},
		{0, []line{{7, 0, "x"}, {0, 0, "no such user"}}, "one that never ran:|03:04:05 no such user"},
	} {
		p := programState{Status: supervise.Status{PID: test.pid}}
		for _, l := range test.lines {
			p.Output, p.OutputFrom = append(p.Output, l.text), append(p.OutputFrom, lineFrom{now.Add(-l.ago), l.pid, false})
		}
		if got := strings.Join(p.wrote(now), "|"); got != test.want {
			t.Errorf("%d, %v: %s, want %s", test.pid, test.lines, got, test.want)
		}
	}
}

// promise L3: that a process has failed without a word is told, not what one before it wrote as if it were of that one.
func TestDetailTellsThatTheLastProcessWroteNothing(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	for _, test := range []struct {
		last  int
		lines []int // their processes
		want  string
	}{
		{8, []int{7}, "nothing at its last start; before that:|pid 7, which has ended:|03:04:05 x"},
		{0, []int{7}, "nothing at its last start; before that:|pid 7, which has ended:|03:04:05 x"},
		{8, []int{0}, "nothing at its last start; before that:|one that never ran:|03:04:05 x"},
		{8, []int{8, 7}, "pid 8, which has ended:|03:04:05 x"}, // what 7 had started still writes
		{0, []int{7, 0}, "one that never ran:|03:04:05 x"},
	} {
		p := programState{}
		for _, pid := range test.lines {
			p.Output, p.OutputFrom = append(p.Output, "x"), append(p.OutputFrom, lineFrom{now, pid, pid != test.last})
		}
		if got := strings.Join(p.wrote(now), "|"); got != test.want {
			t.Errorf("%d, %v: %s, want %s", test.last, test.lines, got, test.want)
		}
	}
}

// Lines of output are told of by their number, and what was dropped of them if there was any.
func TestDetailOfOutput(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		lines, dropped uint64
		want           string
	}{
		{1, 0, "  output     1 line\n"},
		{1, 1, "  output     1 line, 1 of them dropped\n"},
		{40, 0, "  output     40 lines\n"},
		{40, 39, "  output     40 lines, 39 of them dropped\n"},
	} {
		p := programState{Status: supervise.Status{Name: "a", OutputLines: test.lines, OutputDropped: test.dropped}}
		if got := strings.Join(p.detail(time.Now(), load{}, false), "\n") + "\n"; !strings.Contains(got, test.want) {
			t.Errorf("no %q in\n%s", test.want, got)
		}
	}
}

// promise Q1: what is done is not up, and what is held is not wanted; a number that is lacking is something that is not
// well
func TestTally(t *testing.T) {
	t.Parallel()
	held := &supervise.Hold{}
	for want, programs := range map[string][]supervise.Status{
		"none configured":        nil, // as after an installation
		"2 of 2":                 {{State: "up"}, {State: "up"}},
		"1 of 2, 1 done":         {{State: "up"}, {State: "done"}},
		"0 of 3, 1 done":         {{State: "failed"}, {State: "done"}, {State: "blocked"}},
		"1 of 2, 1 done, 1 held": {{State: "up"}, {State: "down", Held: held}, {State: "done"}},
		"none wanted, 2 held":    {{State: "down", Held: held}, {State: "stopping", Held: held}},
	} {
		a := &state{}
		for _, p := range programs {
			a.Programs = append(a.Programs, programState{Status: p})
		}
		if got := a.tally(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Where the output goes is told, unless it is the log that all have.
func TestDetailTellsWhereItWrites(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"/var/log/a.log", "null"} {
		p := programState{Definition: definitionOf(&supervise.Program{Output: output})}
		if got := strings.Join(p.detail(time.Now(), load{}, false), "\n"); !strings.Contains(got, "\n  writes to  "+output) {
			t.Errorf("%s: %s", output, got)
		}
	}
	p := programState{Definition: definitionOf(&supervise.Program{Output: toLog})}
	if got := strings.Join(p.detail(time.Now(), load{}, false), "\n"); strings.Contains(got, "writes to") {
		t.Error(got)
	}
}

// issue 9: who has a program that puts itself into the background is told what is wrong with that, and nobody else
func TestDetailHints(t *testing.T) {
	t.Parallel()
	of := func(state string, code int, exits supervise.Exits) string {
		p := programState{Status: supervise.Status{Name: "a", State: state, ExitCode: &code, Exits: exits}}
		return strings.Join(p.detail(time.Now(), load{}, false), "\n")
	}
	const hint = "\n  hint       a program has to stay in the foreground; one that does its work and"
	if got := of("backoff", 0, supervise.Exits{Succeeded: 3}); !strings.Contains(got, hint) {
		t.Error(got)
	}
	const silent = "\n  hint       nothing is known here of what it wrote;"
	if got := of("backoff", 1, supervise.Exits{Failed: 1}); !strings.Contains(got, silent) {
		t.Error(got)
	}
	spoke := programState{Status: supervise.Status{State: "failed", ExitCode: new(int), Exits: supervise.Exits{Failed: 1}}}
	*spoke.ExitCode, spoke.OutputLines = 1, 1
	for _, got := range []string{strings.Join(spoke.detail(time.Now(), load{}, false), "\n"),
		of("backoff", 1, supervise.Exits{Succeeded: 3}), of("up", 1, supervise.Exits{Failed: 1}),
		of("up", 0, supervise.Exits{Succeeded: 1}),
		of("down", 0, supervise.Exits{Stopped: 1}), of("backoff", 0, supervise.Exits{Unhealthy: 1})} {
		if strings.Contains(got, "hint") {
			t.Error(got)
		}
	}
}

// What is not known of what a program takes, of one that is about to end say, is left out, and no dash stands for it.
func TestDetailTellsWhatItTakesAsFarAsThatIsKnown(t *testing.T) {
	t.Parallel()
	size := int64(3 << 20)
	for _, test := range []struct {
		cpu    load
		memory *int64
		want   string
	}{
		{load{}, nil, ""},
		{load{0.02, true}, nil, "2.0 % of a processor"},
		{load{}, &size, "3.0M of memory"},
		{load{0.02, true}, &size, "2.0 % of a processor, 3.0M of memory"},
	} {
		var p programState
		p.MemoryBytes = test.memory
		if got := p.takes(test.cpu); got != test.want {
			t.Errorf("%v, %v: %q, want %q", test.cpu, test.memory, got, test.want)
		}
	}
}
