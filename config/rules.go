package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
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
	t.report(t.node.fields.get([]byte(key)).valueError(fmt.Errorf(format, args...)))
}

func (p *Program) rule(t *given) {
	if t.has("environment_file") {
		at := t.node.fields.get([]byte("environment_file"))
		p.Environment = merged(t.envFile(filepath.Clean(string(at.text)), at), p.Environment)
	}
	if p.Type == Oneshot {
		p.oneshot(t)
	}
	if p.RateLimit > 0 && t.has("rate_limit") && (t.has("output") || t.node.fields.get([]byte("output")) == nil) {
		switch p.Output {
		case "null":
			t.wrong("rate_limit", `there is nothing to limit with output = "null"; remove it`)
		case "inherit":
			t.wrong("rate_limit", `cannot be held with output = "inherit", for then the daemon does not see every line; write output = "syslog" or a file, or remove it`)
		}
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
