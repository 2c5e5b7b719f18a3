package logging

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxLine is the longest line, in bytes: what rsyslog takes by default, 8 KiB,
// less the header that log/syslog puts in front.
const maxLine = 8000

// cutMark ends a line that was longer.
const cutMark = "…[cut]"

// maxPlain is the longest plain line.
const maxPlain = 64 << 10

// layout is what stands before the message, and whether a newline ends it.
type layout int

const (
	bare     layout = iota // nothing: syslogd knows time and severity
	dated                  // 2026-11-23T10:00:00.000+01:00 INFO message
	console                // 10:00:00.000 info  message
	coloured               // the same, the level in colour
	plain                  // nothing, and lines of others stay as they are
	objects                // {"time":"2026-11-23T10:00:00+01:00","level":"INFO","msg":"message"}
)

// line formats one record; attrs appends what follows the message, where that is not JSON: see object.
func (f layout) line(at time.Time, level slog.Level, message string, attrs func([]byte) []byte) []byte {
	if f == objects {
		return objectOf(at, level, message)
	}
	b := make([]byte, 0, 256)
	b = f.appendTime(b, at)
	b = f.appendLevel(b, level)
	b = appendEscaped(b, message, false)
	return f.end(cut(attrs(b), maxLine))
}

// piece formats what somebody else has written of a line, up to its end or not.
// In anything but plain lines each piece is a line.
func (f layout) piece(at time.Time, level slog.Level, text []byte, ended bool) []byte {
	b := f.text(at, level, text)
	if f == plain && !ended {
		b = b[:len(b)-1]
	}
	return b
}

// text formats a line that somebody else has written.
func (f layout) text(at time.Time, level slog.Level, text []byte) []byte {
	if f == plain {
		text = text[:min(len(text), maxPlain+1)]
		b := append(make([]byte, 0, len(text)+1), text...)
		if bytes.IndexByte(b, '\n') >= 0 {
			b = bytes.ReplaceAll(b, []byte{'\n'}, []byte(`\n`))
		}
		return f.end(cut(b, maxPlain))
	}
	if f == objects {
		return objectOf(at, level, string(text[:min(len(text), maxLine+1)]))
	}
	b := make([]byte, 0, 64+len(text))
	b = f.appendTime(b, at)
	b = f.appendLevel(b, level)
	return f.end(cut(appendEscaped(b, string(text), true), maxLine))
}

// said formats a line of a program, under its name.
func (f layout) said(at time.Time, name string, pid int, level slog.Level, text []byte) []byte {
	if f == plain || f == bare {
		return f.text(at, level, text)
	}
	if f == objects {
		return objectOf(at, level, string(text[:min(len(text), maxLine+1)]), slog.String("program", bounded(name)),
			slog.Int("pid", pid))
	}
	b := make([]byte, 0, 96+len(name)+len(text))
	b = f.appendTime(b, at)
	b = f.appendLevel(b, level)
	colour := ""
	if f == coloured {
		colour = nameColour(name)
	}
	b = append(b, colour...)
	b = appendEscaped(b, name, false)
	b = append(strconv.AppendInt(append(b, '['), int64(pid), 10), "]:"...)
	if colour != "" {
		b = append(b, "\x1b[0m"...)
	}
	return f.end(cut(appendEscaped(append(b, ' '), string(text), true), maxLine))
}

// nameColour is one of six, the same for the same name.
func nameColour(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("\x1b[3%dm", 1+h.Sum32()%6)
}

func (f layout) end(b []byte) []byte {
	if f != bare {
		b = append(b, '\n')
	}
	return b
}

func (f layout) appendTime(b []byte, at time.Time) []byte {
	if f == bare || f == plain || at.IsZero() {
		return b
	}
	if f == dated {
		b = at.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	} else {
		b = at.AppendFormat(b, "15:04:05.000")
	}
	return append(b, ' ')
}

func (f layout) appendLevel(b []byte, level slog.Level) []byte {
	switch f {
	case bare, plain:
		return b
	case dated:
		return append(append(b, level.String()...), ' ')
	}
	name := strings.ToLower(level.String())
	colour := ""
	if f == coloured {
		colour = levelColour(level)
	}
	b = append(b, colour...)
	b = append(b, name...)
	if colour != "" {
		b = append(b, "\x1b[0m"...)
	}
	for n := len(name); n < len("error"); n++ {
		b = append(b, ' ')
	}
	return append(b, ' ')
}

func levelColour(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "\x1b[31m" // red
	case level >= slog.LevelWarn:
		return "\x1b[33m" // yellow
	case level >= slog.LevelInfo:
		return ""
	}
	return "\x1b[2m" // dim
}

// cut shortens b to limit bytes, never inside a character.
func cut(b []byte, limit int) []byte {
	if len(b) <= limit {
		return b
	}
	n := limit - len(cutMark)
	for least := n - utf8.UTFMax; n > least && !utf8.RuneStart(b[n]); {
		n-- // no further than that: it may not be text at all
	}
	return append(b[:n], cutMark...)
}
