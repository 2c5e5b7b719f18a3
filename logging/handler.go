package logging

import (
	"context"
	"log/slog"
	"runtime"
)

// handler formats records and queues them. It looks the output up for every
// record, which is how loggers made before a Switch follow it.
type handler struct {
	log    *Log
	attrs  string // from WithAttrs, formatted: they look the same everywhere
	prefix string // open groups: "a.b."
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	out := h.log.output.Load()
	return out != nil && level >= out.level
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	for {
		out := h.log.output.Load()
		if out == nil || r.Level < out.level {
			return nil
		}
		line := out.sink.layout.line(r.Time, r.Level, r.Message, func(b []byte) []byte {
			b = append(b, h.attrs...)
			r.Attrs(func(a slog.Attr) bool {
				b = appendAttr(b, h.prefix, a)
				return len(b) <= maxLine
			})
			return b
		})
		accepted, crowded := out.sink.queue.push(record{line: line, level: r.Level, at: r.Time, weight: 1})
		if crowded {
			// A burst on a single processor would otherwise fill the queue
			// before its reader is ever scheduled. This never waits for it.
			runtime.Gosched()
		}
		if accepted {
			return nil
		}
		// Switched away while we were formatting.
	}
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	b := []byte(h.attrs)
	for _, a := range attrs {
		b = appendAttr(b, h.prefix, a)
	}
	return &handler{log: h.log, attrs: string(b), prefix: h.prefix}
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{log: h.log, attrs: h.attrs, prefix: h.prefix + name + "."}
}
