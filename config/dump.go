package config

import (
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

// Dump writes the configuration as it was understood, as TOML: defaults filled in, includes merged,
// programs sorted by name, a section with instances once, as it is. [Load] reads an equal Config from it.
func (c *Config) Dump(w io.Writer) error {
	top := *c
	top.Programs = nil
	b, err := appendTable(nil, reflect.ValueOf(&top).Elem(), "")
	for i := 0; i < len(c.Programs) && err == nil; i++ {
		p, file := &c.Programs[i], ""
		name, number := p.section()
		if s := c.sections[name]; s != nil && number == "1" {
			p, file = &s.program, s.environmentFile
		} else if s != nil {
			continue
		}
		b, err = appendHeaded(b, reflect.ValueOf(p).Elem(), "program."+quoteKey(name))
		if file != "" {
			b = append(appendQuoted(append(b, "environment_file = "...), file), '\n')
		}
	}
	if err != nil {
		return err
	}
	_, err = w.Write(b)
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
		case isTable(f.typ) && prefix == "":
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
		if b, err = appendHeaded(b, reflect.Indirect(fv), prefix+f.name); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// valueOf is the value of a key that is written to a dump.
func valueOf(v reflect.Value, f *field) (fv reflect.Value, present bool) {
	if f.name == "" || f.loose {
		return reflect.Value{}, false
	}
	fv, err := v.FieldByIndexErr(f.index)
	return fv, err == nil && !isEmpty(fv) // the error is an embedded pointer that is nil
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
	if v.Type() != reflect.TypeFor[*User]() {
		v = reflect.Indirect(v)
	}
	switch x := v.Interface().(type) {
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		return appendQuoted(b, string(text)), err
	case Socket:
		if x == (Socket{Address: x.Address}) {
			return appendQuoted(b, x.Address), nil
		}
	case Limits:
		keys := x.table()
		return appendInline(b, reflect.ValueOf(&keys).Elem())
	case time.Duration:
		return appendQuoted(b, shorten(x.String())), nil
	}
	switch v.Kind() {
	case reflect.String:
		return appendQuoted(b, v.String()), nil
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), nil
	case reflect.Int:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case reflect.Slice:
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
	case reflect.Map:
		values := make(map[string]string, v.Len())
		for it := v.MapRange(); it.Next(); {
			values[it.Key().String()] = it.Value().String()
		}
		b = append(b, "{ "...)
		for i, name := range slices.Sorted(maps.Keys(values)) {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(append(b, quoteKey(name)...), " = "...)
			b = appendQuoted(b, values[name])
		}
		return append(b, " }"...), nil
	}
	if isTable(v.Type()) {
		return appendInline(b, v)
	}
	panic(fmt.Sprintf("cannot dump %s", v.Type()))
}

// shorten takes the zeros from the end of a duration such as 2m0s or 1h0m0s.
func shorten(duration string) string {
	if s, ok := strings.CutSuffix(duration, "m0s"); ok {
		duration = s + "m"
	}
	if s, ok := strings.CutSuffix(duration, "h0m"); ok {
		duration = s + "h"
	}
	return duration
}

// quoteKey writes a key bare where TOML lets it.
func quoteKey(name string) string {
	bare := name != "" && strings.IndexFunc(name, func(r rune) bool {
		return r > 0x7f || !isAlnum(byte(r)) && r != '_' && r != '-'
	}) < 0
	if bare {
		return name
	}
	return string(appendQuoted(nil, name))
}

// appendQuoted writes a basic string. Not strconv.Quote, some of whose escapes TOML has not.
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
