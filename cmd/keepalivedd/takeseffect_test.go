package main

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

// changes are other values of keys of a program; the first column is what has to be there before and after.
var changes = map[string][2]string{
	"command":           {``, `command = ["/bin/sleep", "1001"]`},
	"user":              {``, `user = "$UID:$GID"`},
	"directory":         {``, `directory = "$DIR"`},
	"environment":       {``, `environment = { A = "1" }`},
	"environment_file":  {``, `environment_file = "$DIR/env"`},
	"restart":           {``, `restart = "never"`},
	"stop_signal":       {``, `stop_signal = "INT"`},
	"stop_timeout":      {``, `stop_timeout = "3s"`},
	"umask":             {``, `umask = "027"`},
	"limits":            {``, `limits = { core = 0 }`},
	"nice":              {``, `nice = 19`},
	"oom_score_adj":     {``, `oom_score_adj = 1000`},
	"no_new_privileges": {``, `no_new_privileges = true`},
	"autostart":         {``, `autostart = false`},
	"type":              {``, `type = "oneshot"`},
	"restart_delay":     {``, `restart_delay = { min = "2s" }`},
	"give_up":           {``, `give_up = { tries = 3 }`},
	"permanent_exit":    {``, `permanent_exit = [3]`},
	"ready":             {``, `ready = "1s"`},
	"ready_timeout":     {`ready = "1s"`, `ready_timeout = "3s"`},
	"after":             {``, `after = ["other"]`},
	"requires":          {``, `requires = ["other"]`},
	"required":          {``, `required = true`},
	"essential":         {``, `essential = true`},
	"output":            {``, `output = "null"`},
	"rate_limit":        {``, `rate_limit = 5`},
	"check":             {``, `check = { command = ["/bin/true"] }`},
	"watchdog":          {``, `watchdog = "1m"`},
	"gate":              {``, `gate = ["/bin/cat"]`},
	"gate_timeout":      {`gate = ["/bin/cat"]`, `gate_timeout = "2s"`},
	"gate_renew":        {`gate = ["/bin/cat"]`, `gate_renew = "2s"`},
	"gate_delay":        {`gate = ["/bin/cat"]`, `gate_delay = "10s"`},
	"listen":            {``, `listen = ["unix:$DIR/s"]`},
	"listen_when_down":  {`listen = ["unix:$DIR/s"]`, `listen_when_down = false`},
	"kill":              {``, `kill = "process"`},
	"reload_signal":     {``, `reload_signal = "HUP"`},
	"on_change":         {``, `on_change = ["/bin/true"]`},
	"on_change_timeout": {`on_change = ["/bin/true"]`, `on_change_timeout = "3s"`},
}

// promise R5: what a reload does for a key is what the table "When it takes effect" of docs/configuration.md says.
func TestTakesEffect(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## When it takes effect\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := map[string]string{} // by key, what follows
	for _, row := range regexp.MustCompile("(?m)^\\| (.*?`.*?) \\| (.*) \\|$").FindAllStringSubmatch(table, -1) {
		for _, key := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
			rows[key[1]] = row[2]
		}
	}
	ids := strings.NewReplacer("$UID", strconv.Itoa(os.Getuid()), "$GID", strconv.Itoa(os.Getgid()))
	program := func(lines ...string) string {
		const other = "\n[program.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n[program.web]\n"
		return ids.Replace(other + strings.Join(lines, "\n"))
	}
	const command = `command = ["/bin/sleep", "1000"]`
	w := newWorld(t, program(command))
	if err := os.WriteFile(w.dir+"/env", []byte("A=1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := w.up()
	for _, key := range settings.Keys() {
		change, ok := changes[key.Name]
		switch {
		case key.Section != "program.NAME":
			continue
		case slices.Contains([]string{"instances", "memory", "cpu_weight", "pids"}, key.Name):
			continue // it makes other programs, or needs controllers
		case !ok:
			t.Errorf("%s: this test has no other value of it", key.Name)
			continue
		}
		w.configure(program(change[0], command))
		if status, said := w.say("reload"); status != 0 {
			t.Fatalf("%s: reload: %d %s", key.Name, status, said)
		}
		lines := []string{change[0], command, change[1]}
		if key.Name == "command" {
			lines = []string{change[1]}
		}
		w.configure(program(lines...))
		want := "*web "
		if strings.HasPrefix(rows[key.Name], "the program is restarted") {
			want = "~web"
		}
		if status, said := w.say("reload", "--dry-run"); status != 0 || !strings.HasPrefix(said, want) {
			t.Errorf("%s: %d, %q, want %q as the page says: %q", key.Name, status, said, want, rows[key.Name])
		}
	}
	w.configure("cgroups = \"off\"\n" + program(command))
	if status, said := w.say("reload", "--dry-run"); status != misconfigured ||
		!strings.HasPrefix(rows["cgroups"], "the reload is refused") {
		t.Errorf("cgroups: %d, %q, and the page says %q", status, said, rows["cgroups"])
	}
	w.configure(program(command))
	w.down(d)
}
