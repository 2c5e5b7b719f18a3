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

	// Program is the name of the program for which the system lacks something; empty when the mistake is no program's,
	// and in what the configuration says wrongly.
	Program string
	// More is what other instances of the program's section lack at the same place; Error tells only their number.
	More Errors
	// Text is the line of the file, without its end; empty when it is not known, or so long that nobody reads it.
	Text string

	again func() error // looks once more for what is lacking
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
	if n := len(e.More); n > 0 {
		fmt.Fprintf(&b, "; and so for %d more of its instances", n)
	}
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

// Still looks again for what was lacking, and returns what still is: another program, a startup command or an
// administrator may have put it there. What is no longer the same says so.
func (e Errors) Still() Errors {
	var still Errors
	for _, mistake := range e {
		now := *mistake
		now.More = mistake.More.Still()
		if now.again != nil {
			now.Err = now.again()
		}
		if now.Err == nil && len(now.More) > 0 {
			first, more := now.More[0], now.More[1:]
			now = *first
			now.More = more
		}
		if now.Err != nil {
			still = append(still, &now)
		}
	}
	return still
}

func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Key, b.Key))
	})
}
