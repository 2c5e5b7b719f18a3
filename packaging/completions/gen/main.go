// Gen writes the completions for bash, zsh and fish, from what `keepalivedd --help` says. With -check it only tells
// whether that has to be done: its exit status is 1 then. It is run in the top directory of the module.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

func main() { os.Exit(run()) }

func run() int {
	dir := flag.String("dir", "packaging/completions", "where the completions are")
	check := flag.Bool("check", false, "change nothing, and fail if they are not up to date")
	flag.Parse()
	if err := generate(*dir, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		return 1
	}
	return 0
}

func generate(dir string, check bool) error {
	help, err := exec.Command("go", "run", "github.com/keepalivedd/keepalivedd/cmd/keepalivedd", "--help").Output()
	if err != nil {
		return fmt.Errorf("keepalivedd --help: %w", err)
	}
	p, err := parse(string(help))
	if err != nil {
		return err
	}
	var errs []error
	for shell, name := range map[string]string{
		"bash": "keepalivedd.bash", "zsh": "_keepalivedd", "fish": "keepalivedd.fish",
	} {
		text, err := p.completion(shell)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, name)
		if !check {
			errs = append(errs, os.WriteFile(file, []byte(text), 0o644))
			continue
		}
		old, err := os.ReadFile(file)
		if err == nil && string(old) != text {
			err = errors.New(file + " is not up to date: go run ./packaging/completions/gen")
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// program is the command line of keepalivedd.
type program struct {
	Options []option
	Verbs   []verb
}

type option struct {
	Letter, Name string
	Argument     string // its name in the help; empty: none
	Meaning      string
	Values       []string // of the argument, where there are few
}

type verb struct{ Name, Meaning string }

// File says whether the argument is a file name.
func (o option) File() bool { return o.Argument == "FILE" }

var (
	optionLine = regexp.MustCompile(`(?m)^  (?:-(\w), |    )--([\w-]+)(?: ([A-Z]+))? +(.*)$`)
	verbsLine  = regexp.MustCompile(`(?m)^ +keepalivedd \[options\] ([a-z|]+)(?: [[A-Z].*)?$`)
)

// values are what an argument can be where the help tells it in prose.
var values = map[string][]string{
	"log-facility": {"daemon", "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"},
	"signum":       {"STOP", "RELOAD", "DATA", "STATS"},
	"timeout":      {"10s", "90s", "5m"},
	"umask":        {"022", "027", "077"},
	"pid":          {"none"},
}

func parse(help string) (program, error) {
	var p program
	for _, m := range optionLine.FindAllStringSubmatch(help, -1) {
		meaning := strings.NewReplacer("'s", "", "print this", "print the options").Replace(m[4])
		p.Options = append(p.Options, option{m[1], m[2], m[3], meaning, values[m[2]]})
	}
	var verbs []string
	for _, m := range verbsLine.FindAllStringSubmatch(help, -1) {
		verbs = append(verbs, m[1])
	}
	if len(p.Options) == 0 || verbs == nil {
		return p, errors.New("cannot make out the options of keepalivedd --help")
	}
	for name := range strings.SplitSeq(strings.Join(verbs, "|"), "|") {
		meaning := regexp.MustCompile(`(?m)^` + name + ` +([^:\n]*)`).FindStringSubmatch(help)
		if meaning == nil {
			return p, fmt.Errorf("cannot make out what %s is for", name)
		}
		p.Verbs = append(p.Verbs, verb{name, strings.TrimSpace(meaning[1])})
	}
	return p, nil
}
