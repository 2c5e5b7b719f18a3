package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// caller is the log until there is one: what is worth a line of the log is then a sentence for whoever has called us.
type caller struct{ to io.Writer }

func (caller) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle writes "keepalivedd: warning: MESSAGE (KEY VALUE, KEY VALUE): ERROR".
func (c caller) Handle(_ context.Context, r slog.Record) error {
	sentence, why, details := r.Message, "", []string{}
	if r.Level == slog.LevelWarn {
		sentence = "warning: " + sentence
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" {
			why = ": " + a.Value.String()
		} else {
			details = append(details, a.Key+" "+a.Value.String())
		}
		return true
	})
	if len(details) > 0 {
		sentence += " (" + strings.Join(details, ", ") + ")"
	}
	_, err := fmt.Fprintf(c.to, "%s: %s%s\n", name, sentence, why)
	return err
}

// WithAttrs and WithGroup are of no use here: nobody keeps this log.
func (c caller) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c caller) WithGroup(string) slog.Handler      { return c }
