package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// metricsAnswer is what the daemon answers to "metrics": the Prometheus text format, version 0.0.4.
type metricsAnswer struct {
	Text string `json:"text"`
}

// metrics prints what the daemon answers to metrics.
func (o *options) metrics(path string) int {
	collectLittle()
	ctx, cancel := context.WithTimeout(context.Background(), promptly)
	defer cancel()
	pid, err := pidOf(path)
	var answer json.RawMessage
	if err == nil {
		err = control.AskPID(ctx, control.Path(path), pid, "metrics", nil, &answer)
	}
	text := ""
	if err == nil {
		text, err = metricsIn(answer)
	}
	if err == nil {
		_, err = os.Stdout.WriteString(text)
	}
	return fail(err)
}

// metricsIn is the text in such an answer. Of thousands of programs it has megabytes, and a decoder takes longer for
// them than the daemon did for all of it: what there is to undo in text of ours is undone here.
func metricsIn(answer []byte) (string, error) {
	if text, is := bytes.CutPrefix(answer, []byte(`{"text":"`)); is {
		if text, is = bytes.CutSuffix(text, []byte(`"}`)); is && utf8.Valid(text) {
			if plain, all := unescaped(text); all {
				return plain, nil
			}
		}
	}
	var a metricsAnswer
	err := json.Unmarshal(answer, &a)
	return a.Text, err
}

// unescaped is what a string of JSON says, between its quotes, as long as there is nothing rare in it.
func unescaped(s []byte) (text string, all bool) {
	var out strings.Builder
	out.Grow(len(s))
	for {
		i := bytes.IndexByte(s, '\\')
		plain := s
		if i >= 0 {
			plain = s[:i]
		}
		if bytes.IndexByte(plain, '"') >= 0 {
			return "", false
		}
		out.Write(plain)
		switch {
		case i < 0:
			return out.String(), true
		case i+1 == len(s):
			return "", false
		}
		switch c := s[i+1]; c {
		case 'n':
			out.WriteByte('\n')
		case '"', '\\':
			out.WriteByte(c)
		default:
			return "", false
		}
		s = s[i+2:]
	}
}

func (s *service) answerMetrics(_ context.Context, raw json.RawMessage) (any, error) {
	if err := control.Params(raw, &struct{}{}); err != nil {
		return nil, err
	}
	return metricsAnswer{string(s.metricsText())}, nil
}

func (s *service) metricsText() []byte {
	var programs []supervise.Status
	if set := s.running.Load(); set != nil {
		programs = set.Status()
		s.measure(programs)
	}
	return metricsOf(versionText(), s.began, s.reloads.state(), s.dropped(), programs)
}

// dropped is what the log has lost, before an upgrade too.
func (s *service) dropped() uint64 { return s.droppedBefore + s.log.Dropped() }

// exposition is text in the format of Prometheus.
type exposition struct {
	bytes.Buffer
	programs []supervise.Status
	labels   []string // of each of them, without the brace that ends them
}

// metricsOf tells all, family by family, as the format wants it. What is not known is left out.
func metricsOf(release string, began time.Time, r *reloadState, dropped uint64, programs []supervise.Status) []byte {
	x := &exposition{programs: programs, labels: make([]string, len(programs))}
	x.Grow(2<<10 + len(programs)*1<<10)
	x.family("build_info", "gauge", "The version of keepalivedd, and of Go.")
	x.sample("build_info", `{version="`+labelValue(release)+`",goversion="`+labelValue(runtime.Version())+`"}`, 1)
	x.family("start_time_seconds", "gauge", "When the daemon was started, in seconds since 1970.")
	x.sample("start_time_seconds", "", seconds(began))
	if r != nil {
		x.family("config_last_reload_successful", "gauge", "Whether the last reload, or the start, was accepted.")
		x.sample("config_last_reload_successful", "", truth(r.Last))
		x.family("config_last_reload_success_timestamp_seconds", "gauge",
			"Since when the configuration is in force, in seconds since 1970.")
		x.sample("config_last_reload_success_timestamp_seconds", "", seconds(r.InForce))
		x.family("reloads_total", "counter", "Reloads by what has become of them.")
		x.sample("reloads_total", `{result="accepted"}`, float64(r.Accepted))
		x.sample("reloads_total", `{result="refused"}`, float64(r.Refused))
	}
	x.family("log_dropped_total", "counter", "Messages, and lines of programs, that the log of the daemon has lost.")
	x.sample("log_dropped_total", "", float64(dropped))
	if len(programs) > 0 {
		x.eachProgram()
	}
	return x.Bytes()
}

func (x *exposition) eachProgram() {
	for i := range x.programs {
		x.labels[i] = `{program="` + labelValue(x.programs[i].Name) + `"`
	}
	x.family("program_state", "gauge", "1 for the state that the program is in; there is no sample of the others.")
	for i := range x.programs {
		x.sample("program_state", x.labels[i]+`,state="`+labelValue(x.programs[i].State)+`"}`, 1)
	}
	x.each("program_up", "gauge", "Whether the program has a process.",
		func(p *supervise.Status) (float64, bool) { return truth(p.PID != 0), true })
	x.each("program_ready", "gauge", "Whether the program is ready, or, of a oneshot, done.",
		func(p *supervise.Status) (float64, bool) { return truth(p.Ready), true })
	x.each("program_held", "gauge", "Whether the program is held: somebody has taken it down, or autostart is false.",
		func(p *supervise.Status) (float64, bool) { return truth(p.Held != nil), true })
	x.each("program_start_time_seconds", "gauge", "When its process was started, in seconds since 1970.",
		func(p *supervise.Status) (float64, bool) { return seconds(p.Started), !p.Started.IsZero() })
	x.each("program_starts_total", "counter", "Starts of a process that were tried.",
		func(p *supervise.Status) (float64, bool) { return float64(p.Starts), true })
	x.exits()
	x.each("program_last_exit_code", "gauge",
		"Exit status of the last process that has ended, or 128 and the number of the signal.",
		func(p *supervise.Status) (float64, bool) {
			if p.ExitCode == nil {
				return 0, false
			}
			return float64(*p.ExitCode), true
		})
	x.each("program_check_failures_total", "counter", "Runs of its check that have failed.",
		func(p *supervise.Status) (float64, bool) {
			if p.Check == nil {
				return 0, false
			}
			return float64(p.Check.Failures), true
		})
	x.each("program_output_lines_total", "counter", "Lines that the program has written, as far as the daemon reads them.",
		func(p *supervise.Status) (float64, bool) { return float64(p.OutputLines), true })
	x.each("program_output_dropped_total", "counter",
		"Of those, lines that its rate_limit, a log that is too slow, or a disk that is full has dropped.",
		func(p *supervise.Status) (float64, bool) { return float64(p.OutputDropped), true })
	x.each("program_gate_open", "gauge", "Whether its gate permits it to run.",
		func(p *supervise.Status) (float64, bool) { return truth(p.Gate != nil && p.Gate.Open), p.Gate != nil })
	x.each("program_cpu_seconds_total", "counter",
		"Processor time of all its processes so far; without a cgroup, of its process.",
		func(p *supervise.Status) (float64, bool) {
			if p.CPUSeconds == nil {
				return 0, false
			}
			return *p.CPUSeconds, true
		})
	x.each("program_memory_bytes", "gauge", "Memory of all its processes; without a cgroup, of its process.",
		func(p *supervise.Status) (float64, bool) {
			if p.MemoryBytes == nil {
				return 0, false
			}
			return float64(*p.MemoryBytes), true
		})
}

// exits has nothing of programs that have never ended, as most have not: it would be half of all that is told.
func (x *exposition) exits() {
	told := false
	for i := range x.programs {
		e := &x.programs[i].Exits
		if e.Sum() == 0 {
			continue
		}
		if !told {
			told = true
			x.family("program_exits_total", "counter", "Ends of its processes by their reason, once there has been one.")
		}
		for _, of := range [...]struct {
			reason string
			n      int
		}{{"stopped", e.Stopped}, {"succeeded", e.Succeeded}, {"failed", e.Failed}, {"signalled", e.Signalled},
			{"unhealthy", e.Unhealthy}} {
			x.sample("program_exits_total", x.labels[i]+`,reason="`+of.reason+`"}`, float64(of.n))
		}
	}
}

// each is a family with a sample for each program that has a value. Without any there is no family.
func (x *exposition) each(family, kind, help string, value func(*supervise.Status) (v float64, known bool)) {
	told := false
	for i := range x.programs {
		v, known := value(&x.programs[i])
		if !known {
			continue
		}
		if !told {
			told = true
			x.family(family, kind, help)
		}
		x.sample(family, x.labels[i]+"}", v)
	}
}

func (x *exposition) family(family, kind, help string) {
	fmt.Fprintf(x, "# HELP keepalivedd_%s %s\n# TYPE keepalivedd_%[1]s %[3]s\n", family, help, kind)
}

func (x *exposition) sample(family, labels string, v float64) {
	x.WriteString("keepalivedd_")
	x.WriteString(family)
	x.WriteString(labels)
	x.WriteByte(' ')
	x.Write(strconv.AppendFloat(x.AvailableBuffer(), v, 'f', -1, 64))
	x.WriteByte('\n')
}

// labelValue is a value as it stands between quotes.
func labelValue(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsAny(s, "\\\"\n") {
		return s
	}
	for _, x := range [...][2]string{{`\`, `\\`}, {`"`, `\"`}, {"\n", `\n`}} { // those that it brings in come after it
		s = strings.ReplaceAll(s, x[0], x[1])
	}
	return s
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
