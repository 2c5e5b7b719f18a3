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
	for _, dir := range []string{"cmd/keepalivedd", "config"} {
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
	for name, file := range map[string]string{"bash": "keepalivedd.bash", "zsh": "_keepalivedd", "fish": "keepalivedd.fish"} {
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
source ../keepalivedd.bash
COMP_WORDS=(keepalivedd "$@") COMP_CWORD=$#
$(complete -p keepalivedd | sed 's/.*-F \([^ ]*\).*/\1/')
printf '%s\n' "${COMPREPLY[@]}"
`

// lines are what the shells are asked to complete, with what they offer.
var lines = []struct {
	words []string
	want  []string
}{
	{[]string{""}, []string{"status", "reload", "stop"}},
	{[]string{"st"}, []string{"status", "stop"}},
	{[]string{"--si"}, []string{"--signum"}},
	{[]string{"--log-"}, []string{"--log-console", "--log-file", "--log-facility", "--log-detail"}},
	{[]string{"--signum", ""}, []string{"STOP", "RELOAD", "DATA", "STATS"}},
	{[]string{"-S", "da"}, []string{"daemon"}},
	{[]string{"-f", "../_k"}, []string{"../_keepalivedd"}},
}

func TestBash(t *testing.T) {
	for _, l := range append(slices.Clone(lines), []struct{ words, want []string }{
		{[]string{"--signum", "=", "ST"}, []string{"STOP", "STATS"}},
		{[]string{"--use-file", "="}, []string{"gen_test.go", "main.go", "shells.go"}},
		{[]string{"-p", "no"}, []string{"none"}},
		{[]string{"status", ""}, []string{""}},
	}...) {
		out := shell(t, "bash", append([]string{"--norc", "-c", complete, "bash"}, l.words...)...)
		checkOffer(t, l.words, strings.Split(strings.TrimSuffix(out, "\n"), "\n"), l.want)
	}
}

func TestFish(t *testing.T) {
	for _, l := range lines {
		out := shell(t, "fish", "--no-config", "-c", "source ../keepalivedd.fish; complete -C 'keepalivedd "+strings.Join(l.words, " ")+"'")
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
