package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/pidfile"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// oldParams are the params that the first daemons of all know, by method. They refuse any other. Nothing is taken away
// from these, nor added to them.
var oldParams = map[string]string{
	"status":  `{"programs":["web*"]}`,
	"up":      `{"programs":["web*"],"timeout":1,"no_wait":true}`,
	"down":    `{"programs":["web*"],"timeout":1,"no_wait":true,"with_dependents":true}`,
	"restart": `{"programs":["web*"],"timeout":1,"no_wait":true}`,
	"signal":  `{"programs":["web*"],"timeout":1,"no_wait":true,"signal":"HUP"}`,
	"logs":    `{"programs":["web*"],"follow":true,"lines":3,"files":true}`,
	"events":  ``, "metrics": ``,
	"reload":  `{"dry_run":true}`,
	"upgrade": `{"binary":"/x","dry_run":true}`,
}

// daemonOfBefore answers for w as one of the first daemons would: what it does not know it refuses. It returns what it
// was asked and has understood.
func daemonOfBefore(t *testing.T, w *world) func() []string {
	t.Helper()
	f, err := pidfile.Acquire(w.pidfile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Release() })
	asked := make(chan string, 100)
	understood := func(method string, raw json.RawMessage) error {
		var known, said map[string]json.RawMessage
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &said); err != nil {
				return err
			}
		}
		if old := oldParams[method]; old != "" {
			if err := json.Unmarshal([]byte(old), &known); err != nil {
				return err
			}
		}
		for name := range said {
			if known[name] == nil {
				return &control.Error{Code: control.CodeParams,
					Message: fmt.Sprintf("wrong parameters: json: unknown field %q", name)}
			}
		}
		asked <- method + string(said["programs"])
		return nil
	}
	var up []programState
	var done operateAnswer
	for _, name := range []string{"web1", "web2"} {
		up = append(up, programState{Status: supervise.Status{Name: name, State: "up", PID: 1, Since: time.Now()}})
		done.Programs = append(done.Programs, supervise.Outcome{Name: name, Done: true, State: "up", PID: 1})
	}
	answers := map[string]any{"status": state{Version: 1, State: "running", Programs: up},
		"up": done, "down": done, "restart": done, "signal": done, "metrics": metricsAnswer{}, "reload": nil, "upgrade": nil}
	methods, streams := map[string]control.Method{}, map[string]control.Stream{}
	for method, answer := range answers {
		methods[method] = func(_ context.Context, raw json.RawMessage) (any, error) { return answer, understood(method, raw) }
	}
	for _, method := range []string{"logs", "events"} {
		streams[method] = func(_ context.Context, raw json.RawMessage, _ *control.Follower) error {
			return understood(method, raw)
		}
	}
	s, err := control.Listen(control.Path(w.pidfile), methods, control.Options{Streams: streams})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return func() (all []string) {
		for len(asked) > 0 {
			all = append(all, <-asked)
		}
		return all
	}
}

// promise Q1: each verb works with a daemon that was there before it, as when a package was upgraded and the daemon was
// not yet.
func TestVerbsWorkWithADaemonOfBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	asked := daemonOfBefore(t, w)
	for _, test := range []struct{ verb, want string }{
		{"status", "status"}, {"status web*", `status["web*"]`}, {"metrics", "metrics"},
		{"up web*", `up["web*"]`}, {"up --no-wait web*", `up["web*"]`},
		{"down web*", `down["web*"]`}, {"down --with-dependents web*", `down["web*"]`},
		{"signal HUP web*", `signal["web*"]`}, {"restart web1", `status["web1"] restart["web1"] restart["web2"]`},
		{"restart web*", `status["web*"] restart["web1"] restart["web2"]`},
		{"restart --together web*", `restart["web*"]`}, {"restart --no-wait web*", `restart["web*"]`},
		{"logs", "logs"}, {"logs -n 3 web*", `logs["web*"]`}, {"events", "events"},
		{"reload", "reload"}, {"reload --dry-run", "reload"}, {"upgrade", "upgrade"}, {"upgrade --dry-run", "upgrade"},
	} {
		status, stderr := w.run(strings.Fields(test.verb)...)
		if got := strings.Join(asked(), " "); got != test.want || strings.Contains(stderr, "unknown field") {
			t.Errorf("%s: status %d, %q; understood: %s, want %s", test.verb, status, stderr, got, test.want)
		}
	}
}

// promise Q1: a daemon understands what the first verbs of all ask, as when it was upgraded and a script has an older
// program.
func TestADaemonUnderstandsVerbsOfBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
[program.web]
instances = 2
command = ["/bin/sleep", "1000"]
`)
	p := w.up()
	for method, params := range oldParams {
		if method == "upgrade" { // to what is not there
			params = strings.ReplaceAll(params, "/x", w.binary)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		var raw any
		if params != "" {
			raw = json.RawMessage(params)
		}
		errSeen := errors.New("seen")
		var err error
		if method == "logs" || method == "events" {
			seen := func(json.RawMessage, int) error { return errSeen }
			err = control.Follow(ctx, control.Path(w.pidfile), 0, method, raw, seen)
		} else {
			err = control.Ask(ctx, control.Path(w.pidfile), method, raw, nil)
		}
		if err != nil && err != errSeen {
			t.Errorf("%s %s: %v", method, params, err)
		}
		cancel()
	}
	w.down(p)
}
