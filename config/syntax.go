package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// notTOML is the mistake of a file that the parser gave up at an offset. What was probably meant is told where it
// shows.
func (b *builder) notTOML(at uint32, err error) []*Error {
	if line, other := b.document.foreign(b.src.data); other != "" {
		return []*Error{b.src.Mistake(line, "", fmt.Errorf("this looks like %s; %s", other,
			cmp.Or(b.document.Format, "it has to be TOML")))}
	}
	r, _ := utf8.DecodeRune(b.src.data[at:])
	if r >= 0x80 && r != utf8.RuneError && (unicode.IsSpace(r) || !unicode.IsPrint(r)) { // from a page in a browser
		why := fmt.Errorf("not valid TOML: there is an invisible U+%04X; write a blank", r)
		return append(b.mistakes, b.src.Mistake(at, "", why))
	}
	if where, meant := b.unquoted(at, err.Error()); meant != "" {
		return append(b.mistakes, b.src.Mistake(where, "", errors.New("not valid TOML: "+meant)))
	}
	return append(b.mistakes, b.src.Mistake(at, "", fmt.Errorf("not valid TOML: %v", err)))
}

// foreign recognises a file in another format that people write such things in, by its line at an offset.
func (d *Document) foreign(data []byte) (at uint32, format string) {
	first := true
	for offset := 0; offset < len(data); {
		line, _, _ := bytes.Cut(data[offset:], []byte("\n"))
		text := string(bytes.TrimSpace(line))
		if d.Foreign != nil {
			format = d.Foreign(string(line))
		}
		switch {
		case format != "":
			return uint32(offset), format
		case !first || text == "" || text[0] == '#':
		case isYAML(string(line)):
			return uint32(offset), "YAML"
		case text[0] == '{':
			return uint32(offset), "JSON"
		default:
			first = false
		}
		offset += len(line) + 1
	}
	return 0, ""
}

// isYAML tells whether a line, the first of a file, is YAML: a document, an item, or a key.
func isYAML(line string) bool {
	line = strings.TrimRight(line, " \t\r")
	if line == "---" || strings.HasPrefix(line, "- ") {
		return true
	}
	key, rest, colon := strings.Cut(line, ":")
	return colon && (rest == "" || rest[0] == ' ') && isBare(strings.Trim(key, `"'`))
}

// isBare tells whether a key needs no quotes; dots are between its parts.
func isBare(key string) bool {
	return key != "" && strings.IndexFunc(key, func(r rune) bool {
		return r >= 0x80 || !isAlnum(byte(r)) && !strings.ContainsRune("_.-", r)
	}) < 0
}

// complaints are what the parser says where a value without quotes begins, or ends for it.
var complaints = []string{
	"at start of value", "must be quoted", "expected newline", "expected keyword", "expected digit", "leading zeroes",
}

// unquoted tells how a value was meant that the parser gave up at, because it has no quotes, and where it begins.
func (b *builder) unquoted(at uint32, complaint string) (begin uint32, text string) {
	if !slices.ContainsFunc(complaints, func(c string) bool { return strings.Contains(complaint, c) }) {
		return 0, ""
	}
	data := b.src.data
	start := bytes.LastIndexByte(data[:at], '\n') + 1
	before := data[start:at]
	open := bytes.LastIndexAny(before, "=[{,")
	from := start + open + 1
	for from < int(at) && strings.IndexByte(" \t", data[from]) >= 0 {
		from++
	}
	value, _, _ := bytes.Cut(data[from:], []byte("\n"))
	value, _, _ = bytes.Cut(value, []byte(" #"))
	key := ""
	if open >= 0 && before[open] == '=' {
		name := before[bytes.LastIndexAny(before[:open], "{,")+1 : open]
		key = string(bytes.TrimSpace(name))
	}
	if end := bytes.IndexAny(value, ",]}"); end >= 0 && (key == "" || bytes.IndexByte(before, '{') >= 0) {
		value = value[:end]
	}
	return uint32(from), b.document.meant(key, string(bytes.TrimSpace(value)))
}

// meant is how key = value was probably meant, "" if that is anybody's guess. Without a key it is one of a list.
func (d *Document) meant(key, value string) string {
	var f *field
	if key != "" {
		f = fieldNamed(key[strings.LastIndexByte(key, '.')+1:], d.schema)
		if !isBare(key) {
			return ""
		}
		key += " = "
	}
	if value == "" || len(value) > 200 || strings.IndexByte("\"'[{", value[0]) >= 0 {
		return ""
	}
	quotes := "quotes"
	if plain := strings.Trim(value, "\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"); plain != value { // a typesetter's
		value, quotes = plain, "plain quotes"
	}
	if f != nil {
		if own, ok := as[Guesser](f.typ); ok {
			if why, meant := own.Guess(d, value); meant != "" {
				return why + "; write " + key + meant
			}
		}
	}
	switch text := strings.ToLower(value); {
	case strings.ContainsAny(value, "\"'"):
		return ""
	case f != nil && f.typ.Kind() == reflect.Bool && slices.Contains([]string{"true", "yes", "on"}, text):
		return "write " + key + "true"
	case f != nil && f.typ.Kind() == reflect.Bool && slices.Contains([]string{"false", "no", "off"}, text):
		return "write " + key + "false"
	case f != nil && f.typ == reflect.TypeFor[[]string]():
		words := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
		return "strings need quotes, and several are a list; write " + key + QuoteList(words)
	case strings.Trim(text, "0123456789+-_ ") == "":
		return ""
	}
	return "a string needs " + quotes + "; write " + key + Quote(value)
}
