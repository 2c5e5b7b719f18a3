package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What holds across the keys of a table is here; what holds across programs is in order.go.

// A ruler knows what holds across the keys of a table. It is asked when they have been decoded.
type ruler interface{ rule(t *given) }

// given is a table as its file has it.
type given struct {
	*decoder
	node     *node
	mistaken []string
}

// has tells whether the key is there, and right in itself.
func (t *given) has(key string) bool {
	return t.node.fields.get([]byte(key)) != nil && !slices.Contains(t.mistaken, key)
}

// wrong reports a mistake about the value of a key that is there.
func (t *given) wrong(key, format string, args ...any) {
	t.report(t.node.below(key).valueError(fmt.Errorf(format, args...)))
}

// warn reports what may not be meant, at the first of the keys that is there.
func (t *given) warn(format string, args []any, keys ...string) {
	for _, key := range keys {
		if t.has(key) {
			t.warnings = append(t.warnings, t.node.fields.get([]byte(key)).valueError(fmt.Errorf(format, args...)))
			return
		}
	}
}

func (c *Config) rule(t *given) {
	if t.has("metrics_file") && !strings.HasSuffix(c.MetricsFile, ".prom") {
		t.wrong("metrics_file", "must end with .prom: the textfile collector reads no other files")
	}
}

// controller is what a key of a program needs in its cgroup.
type controller struct{ key, name string }

// controllers are those that p needs.
func (s *Settings) controllers() (needs []controller) {
	if s.Memory > 0 {
		needs = append(needs, controller{"memory", "memory"})
	}
	if s.CPUWeight != nil {
		needs = append(needs, controller{"cpu_weight", "cpu"})
	}
	if s.PIDs != nil {
		needs = append(needs, controller{"pids", "pids"})
	}
	return needs
}

// cgroups refuses what needs a cgroup where there is to be none.
func (l *loader) cgroups(c *Config) {
	if c.Cgroups != Off {
		return
	}
	for i := range c.Programs {
		p := &c.Programs[i]
		if p.Settings == nil {
			continue
		}
		for _, need := range p.controllers() {
			if n := l.main.below("program", p.Name, need.key); n != nil {
				l.report(n.valueError(errors.New(`needs a cgroup, and there is none with cgroups = "off"; remove one of the two`)))
			}
		}
	}
}

func (p *Program) rule(t *given) {
	file := ""
	if t.has("environment_file") {
		file = string(t.node.below("environment_file").text)
	}
	if p.Instances != nil {
		t.marks()
		defer func() { t.sections[p.Name] = &section{*p, file} }()
	} else if file != "" {
		t.addFile(p, file)
	}
	if p.Type == Oneshot {
		p.oneshot(t)
	} else if p.Gate != nil {
		p.gated(t)
	}
	p.listens(t)
	if p.Kill == Process && t.has("kill") && t.has("gate") {
		t.wrong("kill", `what the program has started would run on without the permission of its gate; remove one of the two`)
	}
	if p.RateLimit > 0 && t.has("rate_limit") && t.has("output") {
		switch p.Output {
		case "null":
			t.wrong("rate_limit", `there is nothing to limit with output = "null"; remove it`)
		case "inherit":
			t.wrong("rate_limit", `cannot be held with output = "inherit", for then the daemon does not see every line; write output = "log", "syslog" or a file, or remove it`)
		}
	}
}

// addFile gives p what is in an environment_file, or the means to read it later.
func (d *decoder) addFile(p *Program, path string) {
	path = filepath.Clean(path)
	if env, err := d.envFile(path); err != nil {
		p.ReadEnvironment = laterEnv(d.files, path, p.Environment)
	} else {
		p.Environment = merged(env, p.Environment)
	}
}

// oneshot refuses what would wait for something that a program which soon ends does not do.
func (p *Program) oneshot(t *given) {
	const advice = `; remove it, or type = "oneshot"`
	if !t.has("restart") {
		p.Restart = OnFailure
	} else if p.Restart == Always {
		t.wrong("restart", `"always" would run a oneshot again when it is done; write "on-failure" or "never"`)
	}
	if t.has("ready") && p.Ready != (Ready{}) {
		t.wrong("ready", "a oneshot is ready when it has ended with status 0"+advice)
	}
	if t.has("check") {
		t.wrong("check", "there is nothing to check once a oneshot is done"+advice)
	}
	if t.has("watchdog") && p.Watchdog > 0 {
		t.wrong("watchdog", "no sign of life is expected once a oneshot is done"+advice)
	}
	if t.has("gate") {
		t.wrong("gate", "a oneshot does not run for as long as it is permitted"+advice)
	}
}

// gateMargin is what KILL, and what is as slow as the clocks of two machines are apart, may take.
const gateMargin = time.Second

// gated warns of a delay in which the machine that had the gate before may not be done.
func (p *Program) gated(t *given) {
	if least := p.GateTimeout + p.GateRenew + gateMargin; p.GateDelay < least {
		t.warn(`with gate_delay = %q two machines may run it for a moment when the gate is lost; "%v", gate_timeout and gate_renew and a second, is the least that keeps them apart`,
			[]any{shorten(p.GateDelay.String()), shorten(least.String())}, "gate_delay", "gate")
	}
}

// merged is the environment of a file with what the configuration says itself, which wins. A file's
// environment is shared by all programs that say nothing themselves.
func merged(file, own Environment) Environment {
	switch {
	case len(file) == 0:
		return own
	case len(own) == 0:
		return file
	}
	all := maps.Clone(file)
	maps.Copy(all, own)
	return all
}

func (r *RestartDelay) rule(t *given) {
	switch {
	case r.Min <= r.Max || len(t.mistaken) > 0:
	case t.has("min"):
		t.wrong("min", "must not be more than max, which is %q", shorten(r.Max.String()))
	default:
		t.wrong("max", "must not be less than min, which is %q", shorten(r.Min.String()))
	}
}
