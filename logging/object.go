package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// maxObject is the longest line of JSON: what encoding makes at the worst of a message of maxLine is below that.
const maxObject = 64 << 10

// addition is what a logger has that its records have not: attributes and open groups. Nil: nothing.
type addition func(slog.Handler) slog.Handler

// with adds attributes, whose values are to be still.
func (a addition) with(attrs []slog.Attr) addition {
	return func(h slog.Handler) slog.Handler { return a.to(h).WithAttrs(attrs) }
}

func (a addition) group(name string) addition {
	return func(h slog.Handler) slog.Handler { return a.to(h).WithGroup(name) }
}

func (a addition) to(h slog.Handler) slog.Handler {
	if a == nil {
		return h
	}
	return a(h)
}

// object formats a record. JSON cannot be cut anywhere: the message is cut, and of what is too long even so only that
// is left.
func object(r slog.Record, a addition) []byte {
	if len(r.Message) > maxLine {
		r.Message = string(cut([]byte(bounded(r.Message)), maxLine))
	}
	if line := encode(r, a); len(line) <= maxObject {
		return line
	}
	short := slog.NewRecord(r.Time, r.Level, r.Message, 0)
	short.AddAttrs(slog.Bool("cut", true))
	return encode(short, nil)
}

// objectOf formats a message that is no record.
func objectOf(at time.Time, level slog.Level, message string, attrs ...slog.Attr) []byte {
	r := slog.NewRecord(at, level, bounded(message), 0)
	r.AddAttrs(attrs...)
	return object(r, nil)
}

// encode has slog do it: a handler for each record is what keeps two of them from waiting for each other.
func encode(r slog.Record, a addition) []byte {
	var b bytes.Buffer
	a.to(slog.NewJSONHandler(&b, nil)).Handle(context.Background(), r)
	return harmless(b.Bytes())
}

// harmless escapes what JSON leaves as it is, and a terminal may obey. It can be in strings only.
func harmless(line []byte) []byte {
	first := bytes.IndexFunc(line, func(r rune) bool { return r >= 0x7f && !printable(r) })
	if first < 0 {
		return line
	}
	b := append(make([]byte, 0, len(line)+64), line[:first]...)
	for rest := line[first:]; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch high, low := utf16.EncodeRune(r); {
		case r < 0x7f || printable(r):
			b = append(b, rest[:n]...)
		case r > 0xffff:
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
		rest = rest[n:]
	}
	return b
}

// still returns a as it is now, for later: what its value refers to may change, and is not ours to read then.
func still(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindGroup:
		members := make([]slog.Attr, 0, len(a.Value.Group()))
		for _, member := range a.Value.Group() {
			members = append(members, still(member))
		}
		a.Value = slog.GroupValue(members...)
	case slog.KindAny:
		if a.Value.Any() != nil {
			a.Value = slog.AnyValue(encoded(a.Value))
		}
	}
	return a
}

// encoded is a value as slog writes it.
func encoded(v slog.Value) json.RawMessage {
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, "", 0)
	r.AddAttrs(slog.Attr{Key: "value", Value: v})
	var fields struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(encode(r, nil), &fields); err != nil {
		return nil
	}
	return fields.Value
}
