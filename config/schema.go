package config

import (
	"encoding"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// field is one key as the struct tags describe it; the package comment tells what the tags mean.
type field struct {
	name      string // as the file has it; empty for the field that takes the table's own name
	typ       reflect.Type
	index     []int // for reflect.Value.FieldByIndex
	preset    string
	doc       string
	required  bool
	positive  bool
	path      bool     // an absolute path is allowed
	words     []string // are allowed
	bounds    *bounds  // of a number
	loose     bool     // goes into other fields
	shared    bool     // is in the embedded pointer
	permanent bool     // cannot change at run time
}

// bounds are the least and the greatest number that is allowed.
type bounds struct{ least, most int64 }

// schema is what is known of one table. It is made once for each type.
type schema struct {
	fields []field
	byName map[string]*field
	shared int           // the field that is the embedded pointer, if there is one
	blank  reflect.Value // the table with all its defaults
}

var schemas sync.Map // by reflect.Type

func schemaOf(t reflect.Type) *schema {
	if s, ok := schemas.Load(t); ok {
		return s.(*schema)
	}
	s := &schema{fields: fieldsOf(t), byName: map[string]*field{}, blank: reflect.New(t).Elem()}
	for _, sf := range reflect.VisibleFields(t) {
		if sf.Anonymous && len(sf.Index) == 1 && sf.Type.Kind() == reflect.Pointer {
			s.shared = sf.Index[0]
			s.blank.Field(s.shared).Set(reflect.New(sf.Type.Elem()))
		}
	}
	for i := range s.fields {
		f := &s.fields[i]
		if f.name == "" {
			continue
		}
		s.byName[f.name] = f
		f.shared = len(f.index) > 1 && s.blank.Field(f.index[0]).Kind() == reflect.Pointer
		switch {
		case f.loose:
		case f.preset != "":
			if err := setText(s.blank.FieldByIndex(f.index), f.preset); err != nil {
				panic(fmt.Sprintf("default of %s: %v", f.name, err))
			}
		case isTable(f.typ) && f.typ.Kind() == reflect.Struct:
			s.blank.FieldByIndex(f.index).Set(schemaOf(f.typ).blank)
		}
	}
	known, _ := schemas.LoadOrStore(t, s)
	return known.(*schema)
}

// isTable tells the structs, and the pointers to them, that are tables from those that are one value.
func isTable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[User]() &&
		!reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// isTables tells the lists of tables that are written under their names.
func isTables(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t != reflect.TypeFor[Limits]() && t != reflect.TypeFor[Sockets]() && isTable(t.Elem())
}

// fieldsOf lists the keys of a table, those of embedded structs included.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for _, sf := range reflect.VisibleFields(t) {
		tag, ok := sf.Tag.Lookup("toml")
		if !ok || !sf.IsExported() && sf.Name != "_" {
			continue
		}
		f := field{
			typ: sf.Type, index: sf.Index, loose: sf.Name == "_",
			preset: sf.Tag.Get("default"), doc: sf.Tag.Get("doc"), permanent: sf.Tag.Get("reload") == "no",
		}
		if f.loose {
			f.typ = sf.Type.Elem()
		}
		f.name, _, _ = strings.Cut(tag, ",")
		for word := range strings.FieldsSeq(sf.Tag.Get("is")) {
			switch {
			case word == "required":
				f.required = true
			case word == "positive":
				f.positive = true
			case word == "/":
				f.path = true
			case strings.Contains(word, ".."):
				f.bounds = boundsOf(word)
			default:
				f.words = append(f.words, word)
			}
		}
		fields = append(fields, f)
	}
	return fields
}

func boundsOf(word string) *bounds {
	least, most, _ := strings.Cut(word, "..")
	b := &bounds{most: math.MaxInt64}
	var err error
	if b.least, err = strconv.ParseInt(least, 10, 64); err == nil && most != "" {
		b.most, err = strconv.ParseInt(most, 10, 64)
	}
	if err != nil {
		panic(fmt.Sprintf("bounds %s: %v", word, err))
	}
	return b
}

// String says it in words that follow "must be".
func (b *bounds) String() string {
	if b.most == math.MaxInt64 {
		return fmt.Sprintf("%d or more", b.least)
	}
	return fmt.Sprintf("from %d to %d", b.least, b.most)
}

// check holds a value of the right type against the field's "is" tag.
func (f *field) check(v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if f.positive && v.Int() <= 0 {
		return fmt.Errorf("must be more than zero, such as %q", f.preset)
	}
	if f.bounds != nil && (v.Int() < f.bounds.least || v.Int() > f.bounds.most) {
		return fmt.Errorf("must be %v, not %d", f.bounds, v.Int())
	}
	if len(f.words) == 0 && !f.path {
		return nil
	}
	s := v.String()
	if slices.Contains(f.words, s) || f.path && filepath.IsAbs(s) {
		return nil
	}
	return fmt.Errorf("must be %s, not %q", f.allowed(), s)
}

// allowed lists the words, and the absolute path, that the value may be.
func (f *field) allowed() string {
	var allowed []string
	for _, word := range f.words {
		allowed = append(allowed, fmt.Sprintf("%q", word))
	}
	if f.path {
		allowed = append(allowed, "an absolute path")
	}
	last := len(allowed) - 1
	if last == 0 {
		return allowed[0]
	}
	return strings.Join(allowed[:last], ", ") + " or " + allowed[last]
}

// NeedsRestart names the keys that differ between c and next and that a running daemon cannot
// change; it is nil when next can be put in force.
func (c *Config) NeedsRestart(next *Config) []string {
	return differing(reflect.ValueOf(c).Elem(), reflect.ValueOf(next).Elem(), "", func(f *field) bool { return f.permanent })
}

// Differing names the keys that differ between c and next, but for those of programs; a table that only one of them has is
// one key.
func (c *Config) Differing(next *Config) []string {
	return differing(reflect.ValueOf(c).Elem(), reflect.ValueOf(next).Elem(), "", func(*field) bool { return true })
}

func differing(a, b reflect.Value, prefix string, matters func(*field) bool) (keys []string) {
	s := schemaOf(a.Type())
	for i := range s.fields {
		f := &s.fields[i]
		if f.loose || isTables(f.typ) {
			continue
		}
		x, y := a.FieldByIndex(f.index), b.FieldByIndex(f.index)
		if isTable(f.typ) && f.typ.Kind() == reflect.Pointer && !x.IsNil() && !y.IsNil() {
			x, y = x.Elem(), y.Elem()
		}
		switch {
		case isTable(f.typ) && x.Kind() == reflect.Struct:
			keys = append(keys, differing(x, y, prefix+f.name+".", matters)...)
		case matters(f) && !reflect.DeepEqual(x.Interface(), y.Interface()):
			keys = append(keys, prefix+f.name)
		}
	}
	return keys
}

var durationType = reflect.TypeFor[time.Duration]()
