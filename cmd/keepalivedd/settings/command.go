package settings

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keepalivedd/keepalivedd/config"
)

// Command is a program's executable and its arguments.
type Command []string

// searchPath is where a program that is named without its path is looked for, to propose it: what every program
// finds in its PATH.
var searchPath = [...]string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Decode reads a list of strings, and says how it was probably meant if it is none, or no command.
func (c *Command) Decode(from *config.Value) error {
	files := loaderOf(from.Document()).files
	if text := from.Text(); from.IsString() && strings.TrimSpace(text) != "" {
		return fmt.Errorf(`must be a list of strings, not a string; write %s`, listFor(files, text))
	}
	if !from.Decode((*[]string)(c)) {
		return nil // told
	}
	return c.check(files)
}

// Guess is for a command without quotes.
func (Command) Guess(d *config.Document, text string) (why, meant string) {
	return "a command is a list of strings, each in quotes", listFor(loaderOf(d).files, text)
}

// check says what is wrong with a command, and how it was probably meant.
func (c Command) check(files files) error {
	if len(c) == 0 {
		return errors.New(`must not be empty; write the program's absolute path, and then its arguments`)
	}
	if filepath.IsAbs(c[0]) {
		return c.long()
	}
	wrong := fmt.Sprintf("must begin with the program's absolute path, not %q", c[0])
	meant := ""
	if len(c) == 1 && strings.ContainsAny(c[0], " \t\n") || slices.ContainsFunc(c[1:], isOperator) {
		meant = listFor(files, strings.Join(c, " "))
	} else if path := find(files, c[0]); path != "" {
		meant = config.Quote(path)
	}
	if !strings.Contains(meant, `"/`) { // no better than what is there
		return errors.New(wrong)
	}
	return fmt.Errorf("%s; write %s", wrong, meant)
}

// listFor is the list of strings that was probably meant by a command in one string.
func listFor(files files, text string) string {
	words := strings.Fields(text)
	if needsShell(text, words) {
		words = []string{"/bin/sh", "-c", strings.TrimSpace(text)}
	} else if path := find(files, words[0]); path != "" {
		words[0] = path
	}
	return config.QuoteList(words)
}

// find is the path of a program that is named without one, or "" if there is none.
func find(files files, name string) string {
	if name == "" || strings.Contains(name, "/") {
		return ""
	}
	for _, dir := range searchPath {
		path := dir + "/" + name
		if (sight{anExecutable, path}).of(files) == nil {
			return path
		}
	}
	return ""
}

// needsShell tells a line for a shell from a program and its arguments.
func needsShell(text string, words []string) bool {
	return len(words) == 0 || strings.ContainsAny(text, "&|;<>()$`'\"\\*?~\n") || strings.Contains(words[0], "=") ||
		slices.Contains([]string{"cd", "exec", "export", "source", ".", "ulimit", "umask", "trap"}, words[0])
}

// isOperator tells the arguments that only a shell makes something of.
func isOperator(word string) bool {
	return slices.Contains([]string{"&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"}, word)
}
