// Package man_test holds the manual pages to the program.
package man_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

const (
	command = "keepalivedd.8"
	format  = "keepalivedd.toml.5"
)

func page(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// help is what the program says of itself. The compiler reads its sources, of which go test is made aware by a look at
// them.
func help(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"cmd/keepalivedd", "cmd/keepalivedd/settings", "config"} {
		if _, err := os.ReadDir("../../" + dir); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(t.TempDir(), "keepalivedd")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/keepalivedd").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.Command(binary, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// section is a part of a page: what follows the macro with that heading, up to the next one.
func section(t *testing.T, text, macro, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n"+macro+" "+heading+"\n")
	if !found {
		t.Fatalf("there is no %q", heading)
	}
	end := regexp.MustCompile(`(?m)^\.S[hs] `).FindStringIndex(rest)
	if macro == ".Sh" {
		end = regexp.MustCompile(`(?m)^\.Sh `).FindStringIndex(rest)
	}
	if end != nil {
		rest = rest[:end[0]]
	}
	return rest
}

// items are the entries of a section's lists, by what stands behind .It.
func items(text string) map[string]string {
	all := map[string]string{}
	for _, item := range strings.Split("\n"+text, "\n.It ")[1:] {
		head, body, _ := strings.Cut(item, "\n")
		body, _, _ = strings.Cut(body, "\n.El")
		all[head] += body
	}
	return all
}

func sameWords(t *testing.T, what string, page, program []string) {
	t.Helper()
	for _, w := range program {
		if !slices.Contains(page, w) {
			t.Errorf("%s: %s is not in the page", what, w)
		}
	}
	for _, w := range page {
		if !slices.Contains(program, w) {
			t.Errorf("%s: the page has %s, which is not the program's", what, w)
		}
	}
}

func submatches(text, pattern string) (all []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestOptions(t *testing.T) {
	t.Parallel()
	said, text := help(t), page(t, command)
	options := regexp.MustCompile(`(?m)^  (?:-(\w), |    )--([\w-]+)(?: ([A-Z]+))? +(.*)$`).FindAllStringSubmatch(said, -1)
	if len(options) < 10 {
		t.Fatalf("found only %d options in the help", len(options))
	}
	described := items(section(t, text, ".Sh", "DESCRIPTION"))
	var letters, names []string
	for _, o := range options {
		letter, name, argument, meaning := o[1], o[2], o[3], o[4]
		names = append(names, name)
		head := "Fl -" + name
		if letter != "" {
			letters = append(letters, letter)
			head = "Fl " + letter + " , " + head
		}
		body, found := "", false
		for h, b := range described {
			rest, ok := strings.CutPrefix(h, head)
			if ok && (rest == "" && argument == "" || strings.HasPrefix(rest, " Ar ") && argument != "") {
				body, found = b, true
			}
		}
		if !found {
			t.Errorf("no entry .It %s, with its argument if it has one (%q)", head, argument)
		}
		if _, preset, ok := strings.Cut(meaning, "(default "); ok {
			preset, _, _ = strings.Cut(preset, ")")
			if !regexp.MustCompile(`The default is\s+(\.Pa )?` + regexp.QuoteMeta(preset) + `\s?\.`).MatchString(body) {
				t.Errorf("%s: its default, %s, is not told", name, preset)
			}
		}
	}
	sameWords(t, "options", submatches(text, `Fl -([a-z-]+)`), names)
	var used []string
	for _, l := range submatches(text, `Fl (\w+)`) {
		used = append(used, strings.Split(l, "")...)
	}
	sameWords(t, "options", used, letters)

	lines := submatches(said, `(?m)^ +keepalivedd \[options\] ([a-z|]+)(?: [[A-Z].*)?$`)
	var commands []string
	for head := range described {
		if c, ok := strings.CutPrefix(head, "Cm "); ok {
			commands = append(commands, c)
		}
	}
	verbs := strings.Split(strings.Join(lines, "|"), "|")
	sameWords(t, "commands", commands, verbs)
	synopsis := submatches(section(t, text, ".Sh", "SYNOPSIS"), `(?m)^\.Cm (.*)$`)
	sameWords(t, "the synopsis", strings.Split(strings.Join(synopsis, " | "), " | "), verbs)
}

func TestExitStatuses(t *testing.T) {
	t.Parallel()
	said := help(t)
	plain, ofStatus, found := strings.Cut(section(t, page(t, command), ".Sh", "EXIT STATUS"), ".Cm status :")
	if !found {
		t.Fatal("the statuses of status were not found")
	}
	_, exits, _ := strings.Cut(said, "Exit status: ")
	sameWords(t, "exit statuses", submatches(plain, `(?m)^\.It (\d+)$`), submatches(exits, `(?:^|, |\s)(\d+) [a-z]`))
	_, tells, _ := strings.Cut(said, "\nstatus ")
	tells, _, _ = strings.Cut(tells, "\nreload")
	sameWords(t, "of status", submatches(ofStatus, `(?m)^\.It (\d+)$`), submatches(tells, `\b(\d+)\b`))

	// And those that the program has names for.
	source, err := os.ReadFile("../../cmd/keepalivedd/exit.go")
	if err != nil {
		t.Fatal(err)
	}
	all := append(submatches(string(source), `(?m)^\t\w+ += (\d+)\b`), "100")
	slices.Sort(all)
	stated := submatches(plain+ofStatus, `(?m)^\.It (\d+)$`)
	sameWords(t, "exit.go", stated, slices.Compact(all))
}

func TestSignals(t *testing.T) {
	t.Parallel()
	text := section(t, page(t, command), ".Sh", "SIGNALS")
	source, err := os.ReadFile("../../signals/signals.go")
	if err != nil {
		t.Fatal(err)
	}
	stated := submatches(text, `\b(SIG[A-Z0-9]+)\b`)
	// Those of the terminal's job control are one kind.
	handled := slices.DeleteFunc(submatches(string(source), `unix\.(SIG[A-Z0-9]+)`), func(s string) bool {
		return slices.Contains([]string{"SIGCONT", "SIGTTIN", "SIGTTOU"}, s) || strings.HasPrefix(s, "SIG_")
	})
	for _, s := range handled {
		if !slices.Contains(stated, s) {
			t.Errorf("%s is not in the page", s)
		}
	}
	for _, meaning := range []string{"DATA", "STATS", "STOP", "RELOAD"} {
		if !regexp.MustCompile(`(?m)^\.(Cm|Pq Cm) ` + meaning + `\b`).MatchString(page(t, command)) {
			t.Errorf("--signum's %s is not in the page", meaning)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	text := section(t, page(t, command), ".Sh", "ENVIRONMENT")
	for _, name := range []string{
		"NOTIFY_SOCKET", "WATCHDOG_USEC", "GOMAXPROCS", "NO_COLOR", "TERM", "KEEPALIVEDD", "PATH",
		"HOME", "USER", "LOGNAME", "SHELL",
		"PROGRAM", "OLD_STATE", "NEW_STATE", "STATUS", "COUNT", "SKIPPED",
		"OUTPUT", "KEEPALIVEDD_PROGRAM", "KEEPALIVEDD_GATE",
	} {
		if !regexp.MustCompile(`(?m)^\.It Ev (\w+ , )*` + name + `\b`).MatchString(text) {
			t.Errorf("%s is not in the page", name)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	text := page(t, format)
	headings := map[string]string{"": "The daemon"}
	sections := map[string]map[string]string{}
	for _, k := range settings.Keys() {
		if k.Section != "" {
			headings[k.Section] = "[" + k.Section + "] section"
		}
	}
	for name, heading := range headings {
		sections[name] = items(section(t, text, ".Ss", heading))
	}
	known := map[string][]string{}
	for _, k := range settings.Keys() {
		known[k.Section] = append(known[k.Section], k.Name)
		var body, entry string
		var found bool
		for head, b := range sections[k.Section] {
			if head == "Cm "+k.Name || strings.HasPrefix(head, "Cm "+k.Name+" = ") {
				body, entry, found = b, head+"\n"+b, true
			}
		}
		for _, word := range regexp.MustCompile(`"[a-z0-9]+"|-?\b[0-9]+\b`).FindAllString(k.Type, -1) {
			if strings.HasSuffix(k.Section, ".limits") || regexp.MustCompile(`local[1-6]`).MatchString(word) {
				continue // that is told of all of them at once
			}
			if !strings.Contains(strings.ReplaceAll(entry, `\-`, "-"), strings.Trim(word, `"`)) {
				t.Errorf("[%s] %s is %s, and the page does not tell of %s", k.Section, k.Name, k.Type, word)
			}
		}
		switch {
		case !found:
			t.Errorf("[%s] %s is not in the page", k.Section, k.Name)
		case k.Required != strings.Contains(body, "It is required."):
			t.Errorf("[%s] %s: the page and the program differ about it being required", k.Section, k.Name)
		case k.Default != "":
			if !strings.Contains(body, "The default is\n.Li "+k.Default+" ") {
				t.Errorf("[%s] %s: its default, %s, is not told", k.Section, k.Name, k.Default)
			}
		case strings.Contains(body, "The default is"):
			t.Errorf("[%s] %s has no default", k.Section, k.Name)
		}
	}
	for name, entries := range sections {
		for head := range entries {
			key, ok := strings.CutPrefix(head, "Cm ")
			key, _, _ = strings.Cut(key, " ")
			if !ok || !slices.Contains(known[name], key) {
				t.Errorf("[%s]: the page has %s, which is no key", name, head)
			}
		}
	}
	var mentioned, all []string
	for _, names := range known {
		all = append(all, names...)
	}
	for _, m := range submatches(text, `(?m)^\.Cm ([a-z_.]+)`) {
		mentioned = append(mentioned, strings.Split(m, ".")...)
	}
	mentioned = append(mentioned, submatches(page(t, command), `(?m)^\.Ic ([a-z_]+)`)...)
	for _, m := range mentioned {
		if !slices.Contains(all, m) {
			t.Errorf("%s is mentioned, which is no key", m)
		}
	}
}

// The configurations among the examples are right.
func TestExamples(t *testing.T) {
	t.Parallel()
	n := 0
	for _, file := range []string{command, format} {
		text := page(t, file)
		for _, block := range submatches(section(t, text, ".Sh", "EXAMPLES"), `(?s)\.Bd [^\n]*\n(.*?)\n\.Ed`) {
			if !strings.Contains(block, "[program.") {
				continue
			}
			if _, document, here := strings.Cut(block, "<<.\n"); here {
				block, _, _ = strings.Cut(document, "\n\\&.\n")
			}
			block = regexp.MustCompile(`(?m)^user = .*\n`).ReplaceAllString(block, "") // who need not exist here
			toml := filepath.Join(t.TempDir(), "example.toml")
			if err := os.WriteFile(toml, []byte(block), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := settings.Load(toml); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			n++
		}
	}
	if n != 6 {
		t.Errorf("%d configurations, want 6", n)
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	for _, file := range []string{command, format} {
		for _, lint := range [][]string{
			{"mandoc", "-Tlint", "-W", "all", file},
			{"man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", file},
		} {
			tool, err := exec.LookPath(lint[0])
			if err != nil {
				t.Logf("skipped: %v", err)
				continue
			}
			var out, said bytes.Buffer
			c := exec.Command(tool, lint[1:]...)
			c.Env = append(os.Environ(), "MANWIDTH=80")
			c.Stdout, c.Stderr = &out, &said
			if lint[0] == "mandoc" {
				c.Stderr = &out
			}
			if err := c.Run(); err != nil || lint[0] == "mandoc" && out.Len() > 0 || said.Len() > 0 {
				t.Errorf("%s: %v\n%s%s", strings.Join(lint, " "), err, said.Bytes(), out.Bytes()[:min(out.Len(), 2000)])
			}
		}
	}
}
