package config

import (
	"encoding"
	"reflect"
)

// Key is one key of a configuration, as a table in its documentation has it.
type Key struct {
	Section  string // the table it is in, such as "log" or "program.NAME.check"; "" is the top
	Name     string
	Type     string // in words, such as "duration" or "list of strings"; "table" and "tables" are sections of their own
	Default  string // as it would be written, without quotes; "" when there is none
	Doc      string // unit and meaning, in one line
	Required bool   // within its section
}

// Keys lists every key that the struct that schema points to gives a file, in the order of its fields, the keys of a
// table after those of the table it is in. The struct must not contain itself.
func Keys(schema any) []Key {
	t := reflect.TypeOf(schema)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		panic(notAStruct(schema))
	}
	return appendKeys(nil, "", t.Elem())
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
		keys = append(keys, Key{section, f.name, f.kind(), f.preset, f.doc(), f.required})
		name := f.name
		if section != "" {
			name = section + "." + name
		}
		if below := f.table(); below != nil {
			if isNamedTables(f.typ) {
				name += ".NAME"
			}
			subs = append(subs, sub{name, below})
		}
	}
	for _, s := range subs {
		keys = appendKeys(keys, s.section, s.typ)
	}
	return keys
}

// table is the struct that has the keys below this one, nil if there are none.
func (f *field) table() reflect.Type {
	t := f.typ
	if own, ok := as[Tabular](t); ok {
		return reflect.TypeOf(own.Table())
	}
	if isTables(t) || isTable(t) && t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	if isTable(t) {
		return t
	}
	return nil
}

// as is a zero value of the type, if that is an I, for what a type says of itself.
func as[I any](t reflect.Type) (I, bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	own, ok := reflect.New(t).Interface().(I)
	return own, ok
}

// kind says in words what the value must be.
func (f *field) kind() string {
	if len(f.words) > 0 || f.path {
		return f.allowed()
	}
	t := f.typ
	if own, ok := as[Described](t); ok {
		return own.Kind()
	}
	switch {
	case isNamedTables(t):
		return "tables"
	case isTables(t):
		return "list of tables"
	case f.table() != nil:
		return "table"
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	number := func(t reflect.Type, s string) string {
		if t.Kind() != reflect.Float32 && t.Kind() != reflect.Float64 {
			s = "whole " + s
		}
		if f.bounds != nil {
			s += ", " + f.bounds.String()
		}
		return s
	}
	_, isText := as[encoding.TextUnmarshaler](t)
	switch {
	case t == durationType:
		return "duration"
	case isText:
		return "string"
	case isNumber(t):
		return number(t, "number")
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Map:
		return "table of strings"
	case t.Kind() != reflect.Slice:
		return "string"
	case t.Elem() == durationType:
		return "list of durations"
	case isNumber(t.Elem()) && !isOneValue(t.Elem()):
		return "list of " + number(t.Elem(), "numbers")
	default:
		return "list of strings"
	}
}
