package settings

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/keepalivedd/keepalivedd/config"
)

// What holds across the keys of a table is here; what holds across programs is in order.go.

// Validate is for [config.Load].
func (c *Config) Validate(t *config.Table) {
	if t.Has("metrics_file") && !strings.HasSuffix(c.MetricsFile, ".prom") {
		t.Wrong("metrics_file", "must end with .prom: the textfile collector reads no other files")
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
			if n := l.Root.At("program", p.Name, need.key); n != nil {
				n.Report(errors.New(`needs a cgroup, and there is none with cgroups = "off"; remove one of the two`))
			}
		}
	}
}

// stops warns of a program that has more time to end than all together have when the daemon stops.
func (l *loader) stops(c *Config) {
	for i := range c.Programs {
		p := &c.Programs[i]
		if p.Settings == nil || p.StopTimeout <= c.ShutdownTimeout {
			continue
		}
		if n := l.Root.At("program", p.Name, "stop_timeout"); n != nil {
			l.Warnings = append(l.Warnings, n.Mistake(fmt.Errorf("the daemon's own stop kills the program before that, "+
				"after shutdown_timeout = %q; make that longer", config.FormatDuration(c.ShutdownTimeout))))
		}
	}
}

// Validate is for [config.Load].
func (p *Program) Validate(t *config.Table) {
	l := loaderOf(t.Document())
	file := ""
	if t.Has("environment_file") {
		file = t.At("environment_file").Text()
	}
	if p.Instances != nil {
		checkMarks(t)
		defer func() { l.sections[p.Name] = &section{*p, file} }()
	} else if file != "" {
		l.addFile(p, file)
	}
	if p.Type == Oneshot {
		p.oneshot(t)
	} else if p.Gate != nil {
		p.gated(t)
	}
	p.fits(t)
	p.listens(t)
	if p.Kill == Process && t.Has("kill") && t.Has("gate") {
		t.Wrong("kill", `what the program has started would run on without the permission of its gate; remove one of the two`)
	}
	if p.RateLimit > 0 && t.Has("rate_limit") && t.Has("output") {
		switch p.Output {
		case "null":
			t.Wrong("rate_limit", `there is nothing to limit with output = "null"; remove it`)
		case "inherit":
			t.Wrong("rate_limit", `cannot be held with output = "inherit", for then the daemon does not see every line; `+
				`write output = "log", "syslog" or a file, or remove it`)
		}
	}
}

// addFile gives p what is in an environment_file, or the means to read it later.
func (l *loader) addFile(p *Program, path string) {
	path = filepath.Clean(path)
	if env, err := l.envFile(path); err != nil {
		p.ReadEnvironment = laterEnv(l.files, path, p.Environment)
	} else {
		p.Environment = merged(env, p.Environment)
	}
}

// oneshot refuses what would wait for something that a program which soon ends does not do.
func (p *Program) oneshot(t *config.Table) {
	const advice = `; remove it, or type = "oneshot"`
	if !t.Has("restart") {
		p.Restart = OnFailure
	} else if p.Restart == Always {
		t.Wrong("restart", `"always" would run a oneshot again when it is done; write "on-failure" or "never"`)
	}
	if t.Has("ready") && p.Ready != (Ready{}) {
		t.Wrong("ready", "a oneshot is ready when it has ended with status 0"+advice)
	}
	if t.Has("check") {
		t.Wrong("check", "there is nothing to check once a oneshot is done"+advice)
	}
	if t.Has("watchdog") && p.Watchdog > 0 {
		t.Wrong("watchdog", "no sign of life is expected once a oneshot is done"+advice)
	}
	if t.Has("gate") {
		t.Wrong("gate", "a oneshot does not run for as long as it is permitted"+advice)
	}
}

// gateMargin is what KILL, and what is as slow as the clocks of two machines are apart, may take.
const gateMargin = time.Second

// gated warns of a delay in which the machine that had the gate before may not be done.
func (p *Program) gated(t *config.Table) {
	if least := p.GateTimeout + p.GateRenew + gateMargin; p.GateDelay < least {
		t.Warn(`with gate_delay = %q two machines may run it for a moment when the gate is lost; "%v", `+
			`gate_timeout and gate_renew and a second, is the least that keeps them apart`,
			[]any{config.FormatDuration(p.GateDelay), config.FormatDuration(least)}, "gate_delay", "gate")
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

// Validate is for [config.Load].
func (r *RestartDelay) Validate(t *config.Table) {
	switch {
	case r.Min <= r.Max || t.Mistaken():
	case t.Has("min"):
		t.Wrong("min", "must not be more than max, which is %q", config.FormatDuration(r.Max))
	default:
		t.Wrong("max", "must not be less than min, which is %q", config.FormatDuration(r.Min))
	}
}
