package settings_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/config"
)

// Every key has one line of documentation, and what the documentation is checked against is complete.
func TestKeys(t *testing.T) {
	t.Parallel()
	keys := settings.Keys()
	sections := map[string]int{}
	for _, k := range keys {
		sections[k.Section]++
		name := k.Section + "." + k.Name
		switch {
		case k.Doc == "", len(k.Doc) > 130, strings.ContainsAny(k.Doc, "\n|"), strings.HasSuffix(k.Doc, "."),
			unicode.IsSpace(rune(k.Doc[0])):
			t.Errorf("%s: not a line of a table: %q", name, k.Doc)
		case k.Type == "":
			t.Errorf("%s has no type", name)
		case k.Required && k.Default != "":
			t.Errorf("%s is required and has a default", name)
		}
	}
	for section, n := range map[string]int{
		"": 12, "log": 4, "control": 1, "events": 1, "startup": 2, "shutdown": 2, "program.NAME": 42,
		"program.NAME.restart_delay": 3, "program.NAME.give_up": 2, "program.NAME.check": 5, "program.NAME.limits": 14,
		"program.NAME.listen": 6,
	} {
		if sections[section] != n {
			t.Errorf("[%s]: %d keys, want %d", section, sections[section], n)
		}
		delete(sections, section)
	}
	if len(sections) > 0 {
		t.Errorf("more sections: %v", sections)
	}
	for _, want := range []config.Key{
		{Section: "", Name: "pidfile", Type: `"none" or an absolute path`, Default: "/run/keepalivedd.pid",
			Doc: "the file that holds the daemon's process ID and its lock"},
		{Section: "program.NAME.give_up", Name: "tries", Type: "whole number, 1 or more", Doc: "how many failures are final",
			Required: true},
		{Section: "program.NAME", Name: "permanent_exit", Type: "list of whole numbers, from 0 to 255",
			Doc: "exit statuses after which the program is not started again"},
		{Section: "program.NAME.limits", Name: "nofile", Type: `whole number, "unlimited" or "SOFT:HARD"`,
			Doc: "open file descriptors"},
		{Section: "program.NAME.check", Name: "every", Type: "duration", Default: "10s",
			Doc: "the time from the end of one run to the next"},
	} {
		if !slices.Contains(keys, want) {
			t.Errorf("missing: %+v", want)
		}
	}
}
