package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// issue 8.5, 9.3, 9.7: what each program takes is in the table, in the details, in JSON and in the metrics, with
// cgroups and without, and nothing is said of a program that has no process
func TestMeasured(t *testing.T) {
	t.Parallel()
	for _, cgroups := range []string{"auto", "off"} {
		t.Run(cgroups, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `cgroups = "`+cgroups+`"
[program.busy]
command = ["/bin/sh", "-c", "while :; do :; done", "$DIR/busy"]
nice = 19
[program.never]
command = ["/bin/sh", "-c", "exit", "$DIR/never"]
requires = ["busy"]
gate = ["/bin/sh", "-c", "exec tail -f $DIR/conf.toml >/dev/null"]
`)
			p := w.up()
			ask := func() map[string]programState {
				status, text := w.say("status", "--json")
				var a state
				if err := json.Unmarshal([]byte(text), &a); err != nil {
					t.Fatalf("status %d: %v: %s", status, err, text)
				}
				var v any
				json.Unmarshal([]byte(text), &v)
				conforms(t, "", readSchema(t), v)
				all := map[string]programState{}
				for _, p := range a.Programs {
					all[p.Name] = p
				}
				return all
			}
			for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
				all := ask()
				if b := all["busy"]; b.CPUSeconds != nil && *b.CPUSeconds > 0 && b.MemoryBytes != nil && *b.MemoryBytes > 0 {
					if cgroups == "off" && b.Cgroup != "" {
						t.Errorf("cgroup %s", b.Cgroup)
					}
					break
				} else if time.Now().After(end) {
					t.Fatalf("%+v", b)
				}
				if n := all["never"]; n.CPUSeconds != nil || n.MemoryBytes != nil {
					t.Errorf("%+v", n)
				}
			}
			if _, text := w.say("status"); !lineHas(text, "busy ", "K", "M") ||
				!strings.HasSuffix(lineWith(text, "never "), " -      -") {
				t.Errorf("%s", text)
			}
			if _, text := w.say("status", "busy"); !strings.Contains(text, "  takes ") {
				t.Errorf("%s", text)
			}
			_, text := w.say("metrics")
			for _, family := range []string{"program_cpu_seconds_total", "program_memory_bytes"} {
				var v float64
				if _, err := fmt.Sscanf(lineWith(text, "keepalivedd_"+family+`{program="busy"}`),
					"keepalivedd_"+family+`{program="busy"} %f`, &v); err != nil || v <= 0 {
					t.Errorf("%s: %v, %v", family, v, err)
				}
				if strings.Contains(text, family+`{program="never"}`) {
					t.Errorf("%s is told of what has no process", family)
				}
			}
			w.down(p)
		})
	}
}

// lineWith is the first that begins so.
func lineWith(text, begin string) string {
	_, text, _ = strings.Cut("\n"+text, "\n"+begin)
	text, _, _ = strings.Cut(text, "\n")
	return begin + text
}

// lineHas tells whether the line that begins so ends with one of the words.
func lineHas(text, begin string, ends ...string) bool {
	for _, end := range ends {
		if strings.HasSuffix(lineWith(text, begin), end) {
			return true
		}
	}
	return false
}
