package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// shown is a state with everything in it, and with what means harm.
func shown() *state {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	code, cpu, memory := 137, 12.5, int64(1234567890123)
	long := strings.Repeat("n", 64)
	a := &state{
		Version: 1, Name: "keepalivedd", Release: "v1", PID: 7, State: "running", PIDFile: "/run/x.pid",
		Configuration: "/etc/x.toml", Time: now, Started: now.Add(-time.Hour), Reloads: &reloadState{1, 2, true, now},
		Error: "none", Programs: []programState{
			{Status: supervise.Status{Name: "web", State: "up", PID: 4194304, Starts: 12345678,
				Started: now.Add(-99 * 24 * time.Hour), Ready: true, CPUSeconds: &cpu, MemoryBytes: &memory, Since: now,
				Text: "fine\x1b[2J", MainPID: 9, Check: &supervise.CheckStatus{Failures: 3, InARow: 1},
				Gate:   &supervise.GateStatus{Open: true},
				Listen: []supervise.ListenStatus{{Address: "tcp:0.0.0.0:80", Open: true}, {Address: "unix:/run/web.sock"}}}},
			{Status: supervise.Status{Name: long, State: "backoff", Starts: 3, Failures: 2, Last: "killed by SIGKILL",
				Since: now, Next: now.Add(time.Minute),
				Why: strings.Repeat("it has failed for a reason ", 9) + "\x1b[31m\nweb   up", ExitCode: &code,
				Exits: supervise.Exits{Signalled: 2}}},
			{Status: supervise.Status{Name: "evil\x1b]0;x\a\u202e\xff", State: "up\n", PID: 8, Started: now},
				Definition: &definition{
					Command: []string{"/bin/sh", "-c", "it's\n"}, User: "u", Directory: "/", Output: "/o\x1b[2J",
					Check: []string{"/c"}, Gate: []string{"/g"}, After: []string{"a"}, Requires: []string{"b"}},
				Output: []string{"a\x1b[2J\nweb up"}, OutputFrom: []lineFrom{{now, 8, true}}},
			{Status: supervise.Status{Name: "spare", State: "down", Since: now,
				Held: &supervise.Hold{Since: now, Configuration: true}}},
		},
	}
	return a
}

// issue 9.3: the table fits 80 columns, and nothing in it can move or colour anything, or look like another line
func TestTableFits(t *testing.T) {
	t.Parallel()
	a := shown()
	s := &sight{state: *a}
	s.judge(false)
	for _, names := range [][]string{nil, {"*"}} {
		lines := s.lines(names, nil, false)
		for _, line := range lines {
			if n := cells(line); n > pageWidth {
				t.Errorf("%d columns: %q", n, line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x202e || r == 0xfffd }) {
				t.Errorf("%q", line)
			}
		}
		text := strings.Join(lines, "\n")
		for _, want := range []string{"4194304", "again in 1m00s", `\x1b[31m\nweb`, "99d00h"} {
			if names == nil && !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
		if strings.Count("\n"+text, "\nweb ") != 1 {
			t.Errorf("%s", text)
		}
	}
	if coloured := strings.Join(s.lines(nil, nil, true), "\n"); !strings.Contains(coloured,
		"\x1b[32mup      \x1b[0m 4194304") {
		t.Errorf("%q", coloured)
	}
	if s.status != statusPartly {
		t.Errorf("status %d", s.status)
	}
}

// issue 9.3: what a processor is taken of is reckoned from one look to the next
func TestLoads(t *testing.T) {
	t.Parallel()
	used := func(v float64) *float64 { return &v }
	at := time.Now()
	of := func(at time.Time, cpu *float64, starts int) *state {
		return &state{Time: at,
			Programs: []programState{{Status: supervise.Status{Name: "a", PID: 5, CPUSeconds: cpu,
				Started: at.Add(-10 * time.Second), Starts: starts, Cgroup: "/c"}}}}
	}
	again := of(at, used(5), 2)
	again.Programs[0].CPUSecondsBefore = used(4)
	earlier := func(told, looked time.Duration) *state { // by the clock as it was, and in truth
		a := of(at.Add(told), used(1), 2)
		a.Programs[0].Started = a.Time.Add(-10*time.Second - looked)
		return a
	}
	alone := of(at, used(5), 2)
	alone.Programs[0].Cgroup = "" // of this process
	for _, test := range []struct {
		now    *state
		before *state
		want   string
	}{
		{of(at, nil, 1), nil, "-"},
		{of(at, used(5), 1), nil, "50.0"},
		{of(at, used(5), 2), nil, "-"}, // of all its processes, and it is not known how long these have lived
		{again, nil, "10.0"},           // issue 9: that of a process which is not the first
		{alone, nil, "50.0"},
		{of(at, used(5), 2), earlier(-2*time.Second, -2*time.Second), "200"},
		{of(at, used(5), 2), earlier(-time.Hour, -2*time.Second), "200"}, // the clock was set, and what it has begun by too
		{of(at, used(5), 2), earlier(time.Hour, -2*time.Second), "200"},
	} {
		var before *sight
		if test.before != nil {
			before = &sight{state: *test.before}
		}
		if got := loadsOf(test.now, before)[0].String(); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-1: "0.0s", 1234 * time.Millisecond: "1.2s", 59 * time.Second: "59s", 61 * time.Second: "1m01s",
		25 * time.Hour: "1d01h", 4000 * time.Hour: "166d",
	} {
		if got := short(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0.0K", 1 << 20: "1.0M", 100 << 20: "100M", 1023 << 20: "1023M",
		3 << 40: "3.0T"} {
		if got := memory(&n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	all := []supervise.Status{{Name: "db"}, {Name: "web-1"}, {Name: "web-2"}, {Name: "worker:1"}, {Name: "worker:2"}}
	for _, test := range []struct {
		patterns []string
		want     string
	}{
		{nil, "db web-1 web-2 worker:1 worker:2"},
		{[]string{"web-*"}, "web-1 web-2"},
		{[]string{"web-2", "db", "d*"}, "db web-2"},
		{[]string{"worker"}, "worker:1 worker:2"},
		{[]string{"worker:2"}, "worker:2"},
		{[]string{"db", "wbe-1"}, `there is no program "wbe-1"; did you mean "web-1"?`},
		// issue 9.1: the nearest may be the name of a section
		{[]string{"wroker"}, `there is no program "wroker"; did you mean "worker"?`},
		{[]string{"wroker:2"}, `there is no program "wroker:2"; did you mean "worker:2"?`},
		// promise Q1: capitals are no slip
		{[]string{"WORKER"}, `there is no program "WORKER"; did you mean "worker"?`},
		{[]string{"DB"}, `there is no program "DB"; did you mean "db"?`},
		{[]string{"zzz\x1b"}, `there is no program "zzz\x1b"`},
		{[]string{"["}, `"[" is no pattern`},
	} {
		got, err := choose(all, test.patterns)
		names := []string{}
		for _, p := range got {
			names = append(names, p.Name)
		}
		if err != nil {
			names = []string{err.Error()}
		}
		if s := strings.Join(names, " "); s != test.want {
			t.Errorf("%q: %s, want %s", test.patterns, s, test.want)
		}
	}
}

// conforms holds a value against as much of JSON Schema as docs/status.schema.json uses.
func conforms(t *testing.T, where string, schema map[string]any, v any) {
	t.Helper()
	kinds := map[string]func() bool{
		"object":  func() bool { _, is := v.(map[string]any); return is },
		"array":   func() bool { _, is := v.([]any); return is },
		"string":  func() bool { _, is := v.(string); return is },
		"boolean": func() bool { _, is := v.(bool); return is },
		"number":  func() bool { _, is := v.(float64); return is },
		"integer": func() bool { n, is := v.(float64); return is && n == float64(int64(n)) },
	}
	for key := range schema {
		if !slices.Contains([]string{"$schema", "$id", "title", "description", "type", "properties", "required", "items",
			"enum", "format"}, key) {
			t.Fatalf("%s: the test does not know %s", where, key)
		}
	}
	if kind, said := schema["type"].(string); said && !kinds[kind]() {
		t.Errorf("%s is no %s: %v", where, kind, v)
	}
	if allowed, said := schema["enum"].([]any); said && !slices.Contains(allowed, v) {
		t.Errorf("%s is %v, of %v", where, v, allowed)
	}
	if schema["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339Nano, v.(string)); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	if list, is := v.([]any); is {
		for _, item := range list {
			conforms(t, where+"[]", schema["items"].(map[string]any), item)
		}
	}
	table, is := v.(map[string]any)
	if !is {
		return
	}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, is := table[name.(string)]; !is {
			t.Errorf("%s.%s is missing", where, name)
		}
	}
	for name, value := range table {
		below, known := properties[name].(map[string]any)
		if !known {
			t.Errorf("%s.%s is not in the schema", where, name)
			continue
		}
		conforms(t, where+"."+name, below, value)
	}
}

func readSchema(t *testing.T) (schema map[string]any) {
	t.Helper()
	b, err := os.ReadFile("../../docs/status.schema.json")
	if err == nil {
		err = json.Unmarshal(b, &schema)
	}
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// issue 9.3: what status --json prints is as its schema has it, and every field is in the schema and in the manual
func TestSchema(t *testing.T) {
	t.Parallel()
	schema := readSchema(t)
	a := shown()
	a.Programs[2].State = "up"
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	json.Unmarshal(b, &v)
	conforms(t, "", schema, v)
	b, _ = json.Marshal(look(filepath.Join(t.TempDir(), "none"), nil).state)
	json.Unmarshal(b, &v)
	conforms(t, "stopped", schema, v)

	manual, err := os.ReadFile("../../packaging/man/keepalivedd.8")
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(manual), "\n.Ss The answer to status\n")
	fields, _, _ = strings.Cut(fields, "\n.S")
	var check func(where string, typ reflect.Type, schema map[string]any)
	check = func(where string, typ reflect.Type, schema map[string]any) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			if typ.Kind() == reflect.Slice {
				schema, _ = schema["items"].(map[string]any)
			}
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() {
			return
		}
		properties, _ := schema["properties"].(map[string]any)
		for _, f := range reflect.VisibleFields(typ) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" || f.Anonymous {
				continue
			}
			below, known := properties[name].(map[string]any)
			if !known {
				t.Errorf("%s.%s is not in the schema", where, name)
			}
			if !strings.Contains(fields, "\n.It Li "+strings.TrimPrefix(where+"."+name, ".")+"\n") {
				t.Errorf("%s.%s is not in the manual", where, name)
			}
			check(where+"."+name, f.Type, below)
		}
	}
	check("", reflect.TypeFor[state](), schema)
}
