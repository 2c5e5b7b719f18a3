package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// issue 9.7: what is printed is what Prometheus reads, whatever the programs are called
func TestMetricsText(t *testing.T) {
	t.Parallel()
	a := shown()
	programs := []supervise.Status{}
	for _, p := range a.Programs {
		programs = append(programs, p.Status)
	}
	programs = append(programs, supervise.Status{Name: "a\\b\"c\nd", State: "down"})
	text := metricsOf("v1", a.Started, a.Reloads, 7, programs)
	for _, want := range []string{
		"# TYPE keepalivedd_build_info gauge\n",
		`keepalivedd_program_state{program="web",state="up"} 1` + "\n",
		`keepalivedd_program_up{program="a\\b\"c\nd"} 0` + "\n",
		`keepalivedd_program_cpu_seconds_total{program="web"} 12.5` + "\n",
		`keepalivedd_program_memory_bytes{program="web"} 1234567890123` + "\n",
		`keepalivedd_program_gate_open{program="web"} 1` + "\n",
		`keepalivedd_program_check_failures_total{program="web"} 3` + "\n",
		`keepalivedd_reloads_total{result="refused"} 2` + "\n",
	} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("not once: %s", want)
		}
	}
	for _, ended := range []string{"last_exit_code", "exits_total"} {
		if strings.Contains(string(text), ended+`{program="web"`) {
			t.Errorf("%s is told of a program whose process has not ended", ended)
		}
	}
	if n := strings.Count(string(text), "\nkeepalivedd_program_exits_total{"); n != 5 {
		// each reason of the one that has ended
		t.Errorf("%d samples of exits", n)
	}
	for _, few := range [][]byte{text, metricsOf("v1", a.Started, nil, 0, nil)} {
		checkMetrics(t, few)
	}
}

func checkMetrics(t *testing.T, text []byte) {
	t.Helper()
	t.Run("promtool", func(t *testing.T) {
		promtool, err := exec.LookPath("promtool")
		if err != nil {
			t.Skip("needs promtool, of Debian's package prometheus")
		}
		c := exec.Command(promtool, "check", "metrics")
		c.Stdin = bytes.NewReader(text)
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// issue 9: metrics of 5000 programs cost who asks for them some tens of milliseconds, nearly all for the reading of
// JSON; what is told of a program that nothing has happened to is bounded for that
func TestMetricsAreShort(t *testing.T) {
	t.Parallel()
	few, many := 0, 0
	cpu, memory := 1234.567, int64(123456789)
	for _, n := range []int{1, 101} {
		programs := make([]supervise.Status, n)
		for i := range programs {
			programs[i] = supervise.Status{Name: "program-of-a-name", State: "up", PID: 1, Ready: true, Starts: 1,
				Started: time.Now(), CPUSeconds: &cpu, MemoryBytes: &memory}
		}
		few, many = many, len(metricsOf("v1", time.Now(), nil, 0, programs))
	}
	if each := (many - few) / 100; each > 700 {
		t.Errorf("%d bytes for each program", each)
	}
}

// issue 9.7: what is printed is the text that the daemon has answered, whatever is in it
func TestMetricsIn(t *testing.T) {
	for _, text := range []string{"", "a", "keepalivedd_up{program=\"a\\\\b\\nc\"} 1\n",
		"<&>\t\r\x00\u2028é\U0001F600\ufffd\xff", `\`, `"`,
		`","x":"`} {
		answer, err := json.Marshal(metricsAnswer{text})
		if err != nil {
			t.Fatal(err)
		}
		var want metricsAnswer
		json.Unmarshal(answer, &want)
		if got, err := metricsIn(answer); err != nil || got != want.Text {
			t.Errorf("%s: %q, %v", answer, got, err)
		}
	}
	for answer, want := range map[string]string{
		`{"text":"a","more":"b"}`: "a", `{ "text" : "a" }`: "a", `{"text":"a\u0041\/"}`: "aA/", `{}`: "",
	} {
		if got, err := metricsIn([]byte(answer)); err != nil || got != want {
			t.Errorf("%s: %q, %v", answer, got, err)
		}
	}
	for _, answer := range []string{``, `{"text":"\"}`, `{"text":"a"`, `{"text":3}`, `[]`, `{"text":"\x"}`} {
		if got, err := metricsIn([]byte(answer)); err == nil {
			t.Errorf("%s: %q", answer, got)
		}
	}
}

// Whatever a daemon answers, what is found in it is what a decoder would find.
func FuzzMetricsIn(f *testing.F) {
	f.Add([]byte(`{"text":"a\nb\"c\\"}`))
	f.Add([]byte(`{"text":"a","text":"b\u0041"}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := metricsIn(answer)
		var want metricsAnswer
		if wrong := json.Unmarshal(answer, &want); wrong == nil && (err != nil || got != want.Text) {
			t.Fatalf("%q: %q, %v; want %q", answer, got, err, want.Text)
		}
	})
}
