package main

import (
	"embed"
	"strings"
	"text/template"
)

// shells are the completions but for what the help says, which stands between « and »: braces are the shells'.
//
//go:embed bash.in zsh.in fish.in
var shells embed.FS

var templates = template.Must(template.New("").Delims("«", "»").Funcs(template.FuncMap{
	"join":      func(between string, words []string) string { return strings.Join(words, between) },
	"lower":     strings.ToLower,
	"quoteZsh":  strings.NewReplacer("'", "", "[", "(", "]", ")", ":", `\:`).Replace,
	"quoteFish": strings.NewReplacer("'", "", `\`, "").Replace,
}).ParseFS(shells, "*.in"))

// completion is that of a shell.
func (p program) completion(shell string) (string, error) {
	var b strings.Builder
	err := templates.ExecuteTemplate(&b, shell+".in", p)
	return b.String(), err
}

// Named are the verbs that names of programs follow.
func (program) Named() []string {
	return []string{"status", "events", "logs", "up", "down", "restart", "signal"}
}

// Signals are those that are offered.
func (program) Signals() string { return "HUP INT QUIT USR1 USR2 TERM KILL STOP CONT WINCH" }

// ProgramNames is a command that takes the names of all programs from the answer of status --json.
func (program) ProgramNames() string {
	return `sed -n 's/^\t\t\t"name": "\([[:alnum:]_.:-]*\)",$/\1/p'`
}

// VerbNames are those of all verbs.
func (p program) VerbNames() (names []string) {
	for _, v := range p.Verbs {
		names = append(names, v.Name)
	}
	return names
}
