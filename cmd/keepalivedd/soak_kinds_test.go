package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// soakKinds are the programs of the soak: how many of each, the words for what they do, and the keys of their sections.
// $N is the number of one, $DIR the soak's directory, $DISK its small disk.
var soakKinds = []struct {
	kind  string
	count int
	words string
	keys  string
}{
	{"plain", 10, "", ""},
	{"child", 6, "child", ""},
	{"deaf", 4, "deaf child", "stop_timeout = \"1s\""},
	{"user", 6, "uid=65534 directory=$DIR", "user = \"nobody\"\ndirectory = \"$DIR\"\numask = \"077\""},
	{"limits", 6, "nofile=99",
		"limits = { nofile = \"77:99\", core = 0 }\nnice = 5\noom_score_adj = 300\nno_new_privileges = true"},
	{"environment", 4, "variable=a", "environment_file = \"$DIR/environment\""},
	{"hears", 4, "hears", "reload_signal = \"HUP\""},
	{"fd", 6, "fd=3", "ready = \"fd:3\""},
	{"notify", 6, "notify", "ready = \"notify\"\nwatchdog = \"30s\""},
	{"required", 4, "fd=5", "required = true\nready = \"fd:5\""},
	{"later", 4, "", "ready = \"500ms\""},
	{"check", 6, "", "check = { command = [\"$SOAKED\", \"$DIR\", \"$NAME.check\", \"check\"], every = \"2s\", " +
		"timeout = \"20s\", failures = 2 }"},
	{"gate", 4, "token=held",
		"gate = [\"$SOAKED\", \"$DIR\", \"$NAME.gate\", \"gate\"]\ngate_renew = \"20s\"\ngate_delay = \"100ms\""},
	{"order", 6, "fd=3", "ready = \"fd:3\"\n$AFTER"},
	{"oneshot", 4, "oneshot", "type = \"oneshot\""},
	{"crash", 4, "crash", ""},
	{"fails", 2, "fail=3", "give_up = { tries = 3 }"},
	{"wrong", 2, "fail=3", "permanent_exit = [3]"},
	{"stray", 4, "stray", ""},
	{"bare", 2, "bare", ""},
	{"session", 4, "session", "kill = \"process\""},
	{"flood", 6, "flood", "output = \"$DISK/$NAME.out\""},
	{"limited", 2, "flood", "output = \"$DISK/$NAME.out\"\nrate_limit = 100"},
	{"syslog", 2, "flood", "output = \"syslog\""},
	{"told", 4, "", "on_change = [\"/bin/true\"]"},
	{"essential", 1, "", "essential = true"},
}

// programs is a configuration; with r, one that differs from the plain one here and there.
func (s *soak) programs(r *rand.Rand) string {
	var b strings.Builder
	for _, k := range soakKinds {
		for n := range k.count {
			name := fmt.Sprintf("%s%d", k.kind, n)
			words, keys := strings.Fields(k.words), k.keys
			after := ""
			if k.kind == "order" && n > 0 {
				after = fmt.Sprintf("%s = [\"order%d\"]", []string{"after", "requires"}[n%2], n-1)
			}
			delay := "restart_delay = { min = \"100ms\", max = \"2s\", reset_after = \"5s\" }"
			if r != nil {
				switch r.IntN(12) {
				case 0:
					if k.kind != "order" {
						continue
					}
				case 1:
					words = append(words, fmt.Sprintf("version%d", r.IntN(3)))
				case 2:
					keys += fmt.Sprintf("\nenvironment = { VERSION = \"%d\" }", r.IntN(3))
				case 3:
					delay = "restart_delay = { min = \"50ms\", max = \"1s\" }"
				case 4:
					if k.kind == "plain" {
						keys += "\nkill = \"process\""
					}
				}
			}
			command := ""
			for _, word := range append([]string{s.soaked, s.dir, name, "main"}, words...) {
				command += fmt.Sprintf("%q, ", word)
			}
			section := fmt.Sprintf("[program.%s]\ncommand = [%s]\n%s\n%s\n", name, strings.TrimSuffix(command, ", "), keys,
				delay)
			b.WriteString(strings.NewReplacer("$DISK", s.disk, "$DIR", s.dir, "$NAME", name, "$SOAKED", s.soaked, "$AFTER",
				after).Replace(section))
		}
	}
	return b.String()
}
