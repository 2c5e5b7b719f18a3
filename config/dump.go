package config

import (
	"bytes"
	"encoding"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dump writes the struct that from points to, as TOML that [Load] reads: defaults filled in, includes merged. An error
// is that of w, or of a value's MarshalText.
func Dump(w io.Writer, from any) error {
	b, err := appendTable(nil, structAt(from), "")
	if err == nil {
		_, err = w.Write(bytes.TrimLeft(b, "\n"))
	}
	return err
}

// DumpTable writes one table, the struct that from points to, with its header in brackets, and is [Dump] otherwise.
func DumpTable(w io.Writer, header string, from any) error {
	b, err := appendHeaded(nil, structAt(from), header)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

// appendTable writes a struct: its plain keys first, because in TOML they would belong to the last
// header, then its tables. Tables within tables are written inline.
func appendTable(b []byte, v reflect.Value, prefix string) ([]byte, error) {
	var err error
	var tables []field
	for _, f := range schemaOf(v.Type()).fields {
		fv, present := valueOf(v, &f)
		switch {
		case !present:
		case (isTable(f.typ) || isTables(f.typ)) && prefix == "":
			tables = append(tables, f)
		default:
			b = append(append(b, f.name...), " = "...)
			if b, err = appendValue(b, fv); err != nil {
				return nil, fmt.Errorf("%s%s: %w", prefix, f.name, err)
			}
			b = append(b, '\n')
		}
	}
	for _, f := range tables {
		fv, _ := valueOf(v, &f)
		if !isTables(f.typ) {
			if b, err = appendHeaded(b, reflect.Indirect(fv), f.name); err != nil {
				return nil, err
			}
			continue
		}
		for i := range fv.Len() {
			header := "[" + f.name + "]"
			if isNamedTables(f.typ) {
				header = f.name + "." + QuoteKey(nameOf(fv.Index(i)))
			}
			if b, err = appendHeaded(b, fv.Index(i), header); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// nameOf is the name of a named table.
func nameOf(v reflect.Value) string {
	fields := schemaOf(v.Type()).fields
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == "" })
	return v.FieldByIndex(fields[i].index).String()
}

// valueOf is the value of a key that is written to a dump.
func valueOf(v reflect.Value, f *field) (fv reflect.Value, present bool) {
	if f.name == "" || f.loose {
		return reflect.Value{}, false
	}
	fv, err := v.FieldByIndexErr(f.index)
	if err != nil { // an embedded pointer is nil
		return reflect.Value{}, false
	}
	return fv, !isEmpty(fv) || f.preset != "" && fv.Kind() == reflect.String || f.required && fv.Kind() != reflect.Pointer
}

func appendHeaded(b []byte, v reflect.Value, name string) ([]byte, error) {
	b = append(b, "\n["+name+"]\n"...)
	return appendTable(b, v, name+".")
}

// appendInline writes a struct as a value.
func appendInline(b []byte, v reflect.Value) ([]byte, error) {
	var err error
	open := "{ "
	for _, f := range schemaOf(v.Type()).fields {
		fv, present := valueOf(v, &f)
		if !present {
			continue
		}
		b = append(append(append(b, open...), f.name...), " = "...)
		if b, err = appendValue(b, fv); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		open = ", "
	}
	return append(b, " }"...), nil
}

// isEmpty tells the values that are written by leaving their key out.
func isEmpty(v reflect.Value) bool {
	if _, ok := v.Interface().(encoding.TextMarshaler); ok {
		return v.IsZero()
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Pointer:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	default:
		return false
	}
}

func appendValue(b []byte, v reflect.Value) ([]byte, error) {
	switch x := v.Interface().(type) {
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		return appendQuoted(b, string(text)), err
	case Encoder:
		return appendValue(b, reflect.ValueOf(x.Encode()))
	case time.Duration:
		return appendQuoted(b, FormatDuration(x)), nil
	}
	switch kind := v.Kind(); {
	case kind == reflect.Pointer:
		return appendValue(b, v.Elem())
	case kind == reflect.String:
		return appendQuoted(b, v.String()), nil
	case kind == reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), nil
	case v.CanInt():
		return strconv.AppendInt(b, v.Int(), 10), nil
	case v.CanUint():
		return strconv.AppendUint(b, v.Uint(), 10), nil
	case v.CanFloat():
		return appendFloat(b, v.Float(), v.Type().Bits()), nil
	case isNamedTables(v.Type()):
		return appendNamed(b, v)
	case kind == reflect.Slice:
		return appendList(b, v)
	case kind == reflect.Map:
		return appendMap(b, v), nil
	case isTable(v.Type()):
		return appendInline(b, v)
	}
	panic(fmt.Sprintf("cannot dump %s", v.Type()))
}

func appendList(b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ", "...)
		}
		var err error
		if b, err = appendValue(b, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendMap(b []byte, v reflect.Value) []byte {
	values := make(map[string]string, v.Len())
	for it := v.MapRange(); it.Next(); {
		values[it.Key().String()] = it.Value().String()
	}
	b = append(b, "{ "...)
	for i, name := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(b, QuoteKey(name)...), " = "...)
		b = appendQuoted(b, values[name])
	}
	return append(b, " }"...)
}

// appendNamed writes named tables within a table.
func appendNamed(b []byte, v reflect.Value) ([]byte, error) {
	open := "{ "
	for i := range v.Len() {
		b = append(append(append(b, open...), QuoteKey(nameOf(v.Index(i)))...), " = "...)
		var err error
		if b, err = appendInline(b, v.Index(i)); err != nil {
			return nil, err
		}
		open = ", "
	}
	return append(b, " }"...), nil
}

// appendFloat writes a number that TOML knows for one that need not be whole.
func appendFloat(b []byte, f float64, bits int) []byte {
	text := strings.ToLower(strconv.FormatFloat(f, 'g', -1, bits))
	if strings.Trim(text, "+-0123456789") == "" {
		text += ".0"
	}
	return append(b, text...)
}

// QuoteKey writes one part of a key, bare where TOML lets it.
func QuoteKey(name string) string {
	bare := name != "" && strings.IndexFunc(name, func(r rune) bool {
		return r > 0x7f || !isAlnum(byte(r)) && r != '_' && r != '-'
	}) < 0
	if bare {
		return name
	}
	return Quote(name)
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// Quote writes a string as TOML does. Not strconv.Quote, some of whose escapes TOML has not.
func Quote(s string) string { return string(appendQuoted(nil, s)) }

// QuoteList writes a list of strings as TOML does.
func QuoteList(list []string) string {
	b := []byte{'['}
	for i, s := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendQuoted(b, s)
	}
	return string(append(b, ']'))
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < 0x20 || c == 0x7f:
			b = fmt.Appendf(b, `\u%04X`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
