package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestUpToDate(t *testing.T) {
	// The compiler reads these, of which go test is made aware by a look at them.
	for _, dir := range []string{"cmd/keepalivedd", "cmd/keepalivedd/settings", "config"} {
		if _, err := os.ReadDir("../../../" + dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := generate("..", true); err != nil {
		t.Error(err)
	}
}

func shell(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(err)
	}
	c := exec.Command(path, args...)
	c.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestSyntax(t *testing.T) {
	for name, file := range map[string]string{
		"bash": "keepalivedd.bash", "zsh": "_keepalivedd", "fish": "keepalivedd.fish",
	} {
		t.Run(name, func(t *testing.T) {
			if out := shell(t, name, "-n", "../"+file); out != "" {
				t.Error(out)
			}
		})
	}
	t.Run("shellcheck", func(t *testing.T) {
		if out := shell(t, "shellcheck", "-s", "bash", "../keepalivedd.bash"); out != "" {
			t.Error(out)
		}
	})
}

// complete prints what bash offers for the last of the words.
const complete = `
keepalivedd() {
	case $1 in -f | --use-file) printf '\t\t\t"name": "db-of-%s",\n' "$2"; return ;; esac
	printf '\t"name": "keepalivedd",\n'
	printf '\t\t\t"name": "%s",\n' db web:1 web:2 'evil$(date)'
}
source ../keepalivedd.bash
COMP_WORDS=(keepalivedd "$@") COMP_CWORD=$#
$(complete -p keepalivedd | sed 's/.*-F \([^ ]*\).*/\1/')
printf '%s\n' "${COMPREPLY[@]}"
`

// lines are what the shells are asked to complete, with what they offer.
var lines = []struct{ words, want []string }{
	{[]string{""}, []string{"start", "status", "metrics", "events", "logs", "reload", "upgrade", "stop", "help",
		"version", "up", "down", "restart", "signal"}},
	{[]string{"st"}, []string{"start", "status", "stop"}},
	{[]string{"--si"}, []string{"--signum"}},
	{[]string{"--log-"}, []string{"--log-console", "--log-file", "--log-facility", "--log-detail"}},
	{[]string{"--signum", ""}, []string{"STOP", "RELOAD", "DATA", "STATS"}},
	{[]string{"-S", "da"}, []string{"daemon"}},
	{[]string{"-f", "../_k"}, []string{"../_keepalivedd"}},
}

func TestBash(t *testing.T) {
	for _, l := range append(slices.Clone(lines), []struct{ words, want []string }{
		{[]string{"--signum", "=", "ST"}, []string{"STOP", "STATS"}},
		{[]string{"--use-file", "="}, []string{"bash.in", "fish.in", "gen_test.go", "main.go", "shells.go", "zsh.in"}},
		{[]string{"-p", "no"}, []string{"none"}},
		{[]string{"reload", ""}, []string{""}},
		{[]string{"signal", "U"}, []string{"USR1", "USR2"}},
		// issue 9.2: names of programs, of the daemon that was named; a colon is a word of its own
		{[]string{"status", ""}, []string{"db", "web:1", "web:2"}},
		{[]string{"-f", "x", "down", "d"}, []string{"db-of-x"}},
		{[]string{"signal", "HUP", "w"}, []string{"web:1", "web:2"}},
		{[]string{"up", "db", "web", ":"}, []string{"1", "2"}},
		{[]string{"restart", "web", ":", "2"}, []string{"2"}},
		{[]string{"-f", "x", "logs", "-f", "d"}, []string{"db-of-x"}},
		{[]string{"events", "d"}, []string{"db"}},
		{[]string{"--use-file", "=", "x", "restart", "d"}, []string{"db-of-x"}},
		{[]string{"up", "-f", "x", "d"}, []string{"db-of-x"}},
		{[]string{"signal", "HUP", "status", "d"}, []string{"db"}},
	}...) {
		out := shell(t, "bash", append([]string{"--norc", "-c", complete, "bash"}, l.words...)...)
		checkOffer(t, l.words, strings.Split(strings.TrimSuffix(out, "\n"), "\n"), l.want)
	}
}

// namedLines are completed by zsh and fish, which know a colon for a letter.
var namedLines = []struct{ words, want []string }{
	{[]string{"status", ""}, []string{"db", "web:1", "web:2"}},
	{[]string{"events", ""}, []string{"db", "web:1", "web:2"}},
	{[]string{"-f", "x", "down", ""}, []string{"db-of-x"}},
	{[]string{"--use-file=x", "up", "db", ""}, []string{"db-of-x"}},
	{[]string{"up", "-f", "x", ""}, []string{"db-of-x"}},
	{[]string{"signal", "HUP", ""}, []string{"db", "web:1", "web:2"}},
	{[]string{"signal", ""}, strings.Fields(program{}.Signals())},
	{[]string{"-f", "x", "logs", "db", ""}, []string{"db-of-x"}},
	{[]string{"logs", "-f", "-n", "5", ""}, []string{"db", "web:1", "web:2"}},
	{[]string{"logs", "-f", ""}, []string{"db", "web:1", "web:2"}},
	{[]string{"reload", ""}, nil},
}

// zshWords prints what _keepalivedd_programs offers for the last of the words.
const zshWords = `
keepalivedd() {
	case $1 in
		-f) print "\t\t\t\"name\": \"db-of-$2\"," ;;
		--use-file=*) print "\t\t\t\"name\": \"db-of-${1#*=}\"," ;;
		*) print '\t"name": "keepalivedd",'; print -l '\t\t\t"name": "'{db,web:1,web:2,'evil$(date)'}'",' ;;
	esac
}
_arguments() { :; }
compadd() { [[ $1 == -a ]] && print -l -- ${(P)2} || print -l -- $@; }
words=(keepalivedd "$@") CURRENT=$#words
source ../_keepalivedd
_keepalivedd_programs || :
`

func TestZshPrograms(t *testing.T) {
	for _, l := range namedLines {
		out := shell(t, "zsh", append([]string{"-f", "-c", zshWords, "zsh"}, l.words...)...)
		checkOffer(t, l.words, strings.Fields(out), l.want)
	}
}

const fishKeepalivedd = `function keepalivedd
	switch "$argv[1]"
		case -f; printf '\t\t\t"name": "db-of-%s",\n' $argv[2]
		case '--use-file=*'; printf '\t\t\t"name": "db-of-%s",\n' (string replace -- --use-file= '' $argv[1])
		case '*'; printf '\t"name": "keepalivedd",\n'; printf '\t\t\t"name": "%s",\n' db web:1 web:2 'evil$(date)'
	end
end
`

func TestFish(t *testing.T) {
	for _, l := range append(slices.Clone(lines), namedLines...) {
		out := shell(t, "fish", "--no-config", "-c",
			fishKeepalivedd+"source ../keepalivedd.fish; complete -C 'keepalivedd "+strings.Join(l.words, " ")+"'")
		var got []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			got = append(got, word)
		}
		checkOffer(t, l.words, got, l.want)
	}
}

func checkOffer(t *testing.T, words, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%q: offered %q, want %q", strings.Join(words, " "), got, want)
	}
}

func TestParse(t *testing.T) {
	if _, err := parse("Usage: something else\n"); err == nil {
		t.Error("it made options of nothing")
	}
	if err := generate(filepath.Join(t.TempDir(), "none"), false); err == nil {
		t.Error("it wrote into no directory")
	}
}
