package config

import (
	"reflect"
	"strings"
)

// Key is one key of the configuration, as a table in the documentation has it.
type Key struct {
	Section  string // the table it is in, such as "log" or "program.NAME.check"; "" is the top
	Name     string
	Type     string // in words, such as "duration" or "list of strings"; "table" and "tables" are sections of their own
	Default  string // as it would be written, without quotes; "" when there is none
	Doc      string // unit and meaning, in one line
	Required bool   // within its section
}

// Keys lists every key, in the order of the schema, the keys of a table after those of the table it is in.
func Keys() []Key {
	return appendKeys(nil, "", reflect.TypeFor[document]())
}

func appendKeys(keys []Key, section string, t reflect.Type) []Key {
	type sub struct {
		section string
		typ     reflect.Type
	}
	var subs []sub
	for _, f := range schemaOf(t).fields {
		if f.name == "" {
			continue
		}
		keys = append(keys, Key{section, f.name, f.kind(), f.preset, f.doc, f.required})
		name := f.name
		if section != "" {
			name = section + "." + name
		}
		switch {
		case f.typ == reflect.TypeFor[Limits]():
			subs = append(subs, sub{name, reflect.TypeFor[limits]()})
		case f.typ == reflect.TypeFor[Sockets]():
			subs = append(subs, sub{name, reflect.TypeFor[Socket]()})
		case isTables(f.typ):
			subs = append(subs, sub{name + ".NAME", f.typ.Elem()})
		case isTable(f.typ) && f.typ.Kind() == reflect.Pointer:
			subs = append(subs, sub{name, f.typ.Elem()})
		case isTable(f.typ):
			subs = append(subs, sub{name, f.typ})
		}
	}
	for _, s := range subs {
		keys = appendKeys(keys, s.section, s.typ)
	}
	return keys
}

// kind says in words what the value must be.
func (f *field) kind() string {
	if len(f.words) > 0 || f.path {
		return f.allowed()
	}
	t := f.typ
	switch {
	case isTables(t):
		return "tables"
	case isTable(t), t == reflect.TypeFor[Limits]():
		return "table"
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if k, ok := reflect.Zero(t).Interface().(interface{ kind() string }); ok {
		return k.kind()
	}
	number := "whole number"
	if f.bounds != nil {
		number += ", " + f.bounds.String()
	}
	switch {
	case t == durationType:
		return "duration"
	case t.Kind() == reflect.Int:
		return number
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Map:
		return "table of strings"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Int:
		return "list of " + strings.Replace(number, "number", "numbers", 1)
	case t.Kind() == reflect.Slice:
		return "list of strings"
	default:
		return "string"
	}
}
