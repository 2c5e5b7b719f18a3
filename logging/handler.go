package logging

import (
	"context"
	"log/slog"
)

// handler formats records and queues them. It looks the output up for every
// record, which is how loggers made before a Switch follow it.
type handler struct {
	log    *Log
	attrs  string   // from WithAttrs, formatted: they look the same everywhere
	prefix string   // open groups: "a.b."
	object addition // both, where JSON is written
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	out := h.log.output.Load()
	return out != nil && level >= out.level
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	h.log.push(r.Level, r.Time, true, func(f layout) []byte {
		if f == objects {
			return object(r, h.object)
		}
		return f.line(r.Time, r.Level, r.Message, func(b []byte) []byte {
			b = append(b, h.attrs...)
			r.Attrs(func(a slog.Attr) bool {
				b = appendAttr(b, h.prefix, a)
				return len(b) <= maxLine
			})
			return b
		})
	})
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	b := []byte(h.attrs)
	for i, a := range attrs {
		a.Value = a.Value.Resolve()
		b = appendAttr(b, h.prefix, a)
		attrs[i] = still(a)
	}
	return &handler{log: h.log, attrs: string(b), prefix: h.prefix, object: h.object.with(attrs)}
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{log: h.log, attrs: h.attrs, prefix: h.prefix + name + ".", object: h.object.group(name)}
}
