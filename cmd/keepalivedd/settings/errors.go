package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keepalivedd/keepalivedd/config"
)

// Mistake is what is wrong, and its place.
type Mistake = config.Error

// Error is one mistake, or something that is lacking.
type Error struct {
	Mistake

	// Program is the name of the program for which the system lacks something; empty when the mistake is no program's,
	// and in what the configuration says wrongly.
	Program string
	// More is what other instances of the program's section lack at the same place; Error tells only their number.
	More Errors

	again func() error // looks once more for what is lacking
}

// Error formats the mistake as FILE:LINE:COLUMN: KEY: MESSAGE, on one line, leaving out what is not known.
func (e *Error) Error() string {
	text := e.Mistake.Error()
	if n := len(e.More); n > 0 {
		text += fmt.Sprintf("; and so for %d more of its instances", n)
	}
	return text
}

// Errors is every mistake of a configuration, by file, line and column. It is never empty when
// [Load] returns it as its error.
type Errors []*Error

func errorsOf(mistakes config.Errors) (all Errors) {
	for _, mistake := range mistakes {
		all = append(all, &Error{Mistake: *mistake})
	}
	return all
}

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
	slices.SortStableFunc(e, func(a, b *Error) int { return a.Compare(&b.Mistake) })
}
