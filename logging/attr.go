package logging

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// appendAttr appends " key=value" by the rules of [slog.Handler]: values are
// resolved, empty attributes and groups left out, groups without a name inlined.
func appendAttr(b []byte, prefix string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			b = appendAttr(b, prefix, member)
		}
		return b
	}
	if a.Key == "" && v.Kind() == slog.KindAny && v.Any() == nil {
		return b
	}
	b = append(b, ' ')
	if unquoted(prefix) && unquoted(a.Key) {
		b = append(append(b, prefix...), a.Key...)
	} else {
		b = strconv.AppendQuote(b, prefix+a.Key)
	}
	return appendValue(append(b, '='), v)
}

func appendValue(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendText(b, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case slog.KindFloat64:
		return strconv.AppendFloat(b, v.Float64(), 'g', -1, 64)
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool())
	case slog.KindDuration:
		return append(b, v.Duration().String()...)
	case slog.KindTime:
		return v.Time().AppendFormat(b, time.RFC3339Nano)
	}
	// fmt, rather than Error or String themselves: it survives their panics.
	if err, ok := v.Any().(error); ok {
		return appendText(b, fmt.Sprint(err))
	}
	return appendText(b, fmt.Sprintf("%+v", v.Any()))
}

// appendText appends a value, quoted if it could be misread without.
func appendText(b []byte, s string) []byte {
	s = bounded(s)
	if s != "" && unquoted(s) {
		return append(b, s...)
	}
	return strconv.AppendQuote(b, s)
}

// unquoted reports whether s can stand unquoted.
func unquoted(s string) bool {
	for _, r := range s {
		if r == ' ' || r == '=' || r == '"' || r == '\\' || !printable(r) {
			return false
		}
	}
	return true
}

// appendEscaped appends a message as it is, but for what could end the line,
// command a terminal or not be read as UTF-8. A tab is one of these unless tabs
// are welcome.
func appendEscaped(b []byte, s string, tabs bool) []byte {
	s = bounded(s)
	for i := 0; i < len(s); {
		if n := ordinary(s[i:]); n > 0 {
			b = append(b, s[i:i+n]...)
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if printable(r) || r == '\t' && tabs {
			b = append(b, s[i:i+n]...)
		} else {
			quoted := strconv.AppendQuote(nil, s[i:i+n])
			b = append(b, quoted[1:len(quoted)-1]...)
		}
		i += n
	}
	return b
}

// ordinary returns how much of s begins it in printable ASCII, which most lines are made of.
func ordinary(s string) (n int) {
	for n < len(s) && s[n] >= ' ' && s[n] <= '~' {
		n++
	}
	return n
}

// printable treats every U+FFFD as the sign of a broken character.
func printable(r rune) bool {
	return r != utf8.RuneError && unicode.IsPrint(r)
}

// bounded keeps a huge text from being formatted only to be cut: what is left
// is still long enough for the line to be marked as cut.
func bounded(s string) string {
	if len(s) > maxLine {
		return s[:maxLine+1]
	}
	return s
}
