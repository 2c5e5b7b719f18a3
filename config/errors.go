package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Error is one mistake and its place.
type Error struct {
	File   string // absolute path
	Line   int    // from 1; 0 when the mistake is about the file as a whole
	Column int    // in bytes, from 1; 0 with Line 0
	Key    string // dotted, as TOML would write it, such as program.web.command; empty when no key is meant
	Err    error  // what is wrong and what to do

	// Text is the line of the file, without its end; empty when it is not known, or so long that nobody reads it.
	Text string
}

// Error formats the mistake as FILE:LINE:COLUMN: KEY: MESSAGE, on one line, leaving out what is not known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	for _, n := range []int{e.Line, e.Column} {
		if n > 0 {
			fmt.Fprintf(&b, ":%d", n)
		}
	}
	b.WriteString(": ")
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Err.Error())
	return oneLine(b.String())
}

// oneLine escapes the control characters that a path may have.
func oneLine(s string) string {
	if strings.IndexFunc(s, unicode.IsControl) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Unwrap returns e.Err, so that errors.Is(err, fs.ErrNotExist) finds a missing file.
func (e *Error) Unwrap() error { return e.Err }

// Compare orders by file, line, column and key.
func (e *Error) Compare(other *Error) int {
	return cmp.Or(
		cmp.Compare(e.File, other.File), cmp.Compare(e.Line, other.Line), cmp.Compare(e.Column, other.Column),
		cmp.Compare(e.Key, other.Key))
}

// Errors is every mistake of a configuration, by file, line and column. It is never empty when
// [Load] returns it as its error.
type Errors []*Error

// Error formats one mistake a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, mistake := range e {
		lines[i] = mistake.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the mistakes one by one.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, mistake := range e {
		errs[i] = mistake
	}
	return errs
}

func (e Errors) sort() { slices.SortStableFunc(e, (*Error).Compare) }
