package config

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// notTOML is the mistake of a file that the parser gave up at an offset. What was probably meant is told where it shows.
func (b *builder) notTOML(at uint32, err error) []*Error {
	if line, other := foreign(b.src.data); other != "" {
		return []*Error{b.src.errorAt(line, "", fmt.Errorf(
			"this looks like %s; keepalivedd is configured in TOML, see keepalivedd.toml(5)", other))}
	}
	if where, meant := b.unquoted(at, err.Error()); meant != "" {
		return append(b.mistakes, b.src.errorAt(where, "", errors.New("not valid TOML: "+meant)))
	}
	return append(b.mistakes, b.src.errorAt(at, "", fmt.Errorf("not valid TOML: %v", err)))
}

// foreign recognises a file in another format that people write such things in, by its line at an offset.
func foreign(data []byte) (at uint32, format string) {
	first := true
	for offset := 0; offset < len(data); {
		line, _, _ := bytes.Cut(data[offset:], []byte("\n"))
		text := string(bytes.TrimSpace(line))
		switch {
		case isSupervisord(string(line)):
			return uint32(offset), "supervisord's configuration (INI)"
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

// isSupervisord tells whether a line is a header of supervisord's.
func isSupervisord(line string) bool {
	header, bracketed := strings.CutPrefix(line, "[")
	header, _, closed := strings.Cut(header, "]")
	kind, _, named := strings.Cut(header, ":")
	if !bracketed || !closed {
		return false
	}
	if named {
		return slices.Contains([]string{"program", "group", "eventlistener", "fcgi-program", "rpcinterface"}, kind)
	}
	return slices.Contains([]string{"supervisord", "supervisorctl", "unix_http_server", "inet_http_server"}, kind)
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
	return uint32(from), meant(b.files, key, string(bytes.TrimSpace(value)))
}

// meant is how key = value was probably meant, "" if that is anybody's guess. Without a key it is one of a list.
func meant(files files, key, value string) string {
	var f *field
	if key != "" {
		f = fieldNamed(key[strings.LastIndexByte(key, '.')+1:], reflect.TypeFor[document]())
		if !isBare(key) {
			return ""
		}
		key += " = "
	}
	switch text := strings.ToLower(value); {
	case value == "" || len(value) > 200 || strings.IndexByte("\"'[{", value[0]) >= 0:
		return ""
	case f != nil && f.typ == reflect.TypeFor[Command]():
		return "a command is a list of strings, each in quotes; write " + key + listFor(files, value)
	case strings.ContainsAny(value, "\"'"):
		return ""
	case f != nil && f.typ.Kind() == reflect.Bool && slices.Contains([]string{"true", "yes", "on"}, text):
		return "write " + key + "true"
	case f != nil && f.typ.Kind() == reflect.Bool && slices.Contains([]string{"false", "no", "off"}, text):
		return "write " + key + "false"
	case f != nil && f.typ == reflect.TypeFor[[]string]():
		words := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
		return "strings need quotes, and several are a list; write " + key + listOf(words)
	case strings.Trim(text, "0123456789+-_ ") == "" && (f == nil || f.typ != reflect.TypeFor[Umask]()):
		return ""
	}
	return "a string needs quotes; write " + key + string(appendQuoted(nil, value))
}
