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
)

// field is one key as the struct tags describe it; the package comment tells what the tags mean.
type field struct {
	name     string // as the file has it; empty for the field that takes the table's own name
	typ      reflect.Type
	index    []int // for reflect.Value.FieldByIndex
	tag      reflect.StructTag
	preset   string
	required bool
	positive bool
	path     bool     // an absolute path is allowed
	words    []string // are allowed
	bounds   *bounds  // of a number
	loose    bool     // goes into other fields
	shared   bool     // is in the embedded pointer
}

func (f *field) doc() string { return f.tag.Get("doc") }

// elsewhere are the names that the like of this key has in other configurations.
func (f *field) elsewhere() []string { return strings.Fields(f.tag.Get("aka")) }

// permanent tells a key that cannot change at run time.
func (f *field) permanent() bool { return f.tag.Get("reload") == "no" }

// bounds are the least and the greatest number that is allowed.
type bounds struct{ least, most int64 }

// schema is what is known of one table. It is made once for each type.
type schema struct {
	fields  []field
	byName  map[string]*field
	include string        // the key of files to read too; "" if there is none
	shared  int           // the field that is the embedded pointer; -1 if there is none
	blank   reflect.Value // the table with all its defaults
}

var schemas sync.Map // by reflect.Type

// structAt panics when there is none.
func structAt(pointer any) reflect.Value {
	v := reflect.ValueOf(pointer)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		panic(notAStruct(pointer))
	}
	return v.Elem()
}

func notAStruct(given any) string {
	if v := reflect.ValueOf(given); v.Kind() == reflect.Pointer && v.IsNil() {
		return fmt.Sprintf("config: it takes a pointer to a struct, not a nil %T", given)
	}
	return fmt.Sprintf("config: it takes a pointer to a struct, not %T", given)
}

// schemaOf panics when something is wrong with the struct itself; see check for what it contains.
func schemaOf(t reflect.Type) *schema {
	if s, ok := schemas.Load(t); ok {
		return s.(*schema)
	}
	s := &schema{fields: make([]field, 0, t.NumField()), blank: reflect.New(t).Elem(), shared: -1}
	s.addFields(t, nil, []reflect.Type{t})
	s.byName = make(map[string]*field, len(s.fields))
	for i := range s.fields {
		f := &s.fields[i]
		if len(f.index) > 1 && t.Field(f.index[0]).Type.Kind() == reflect.Pointer {
			s.share(t, f)
		}
	}
	for i := range s.fields {
		f := &s.fields[i]
		if f.name == "" {
			continue
		}
		if s.byName[f.name] != nil {
			panic(fmt.Sprintf("config: %s has two keys that are called %s", t, f.name))
		}
		s.byName[f.name] = f
		switch {
		case f.loose:
		case f.preset != "":
			err := setText(s.blank.FieldByIndex(f.index), f.preset)
			if err == nil {
				err = f.check(s.blank.FieldByIndex(f.index))
			}
			if err != nil {
				panic(fmt.Sprintf("config: default of %s of %s: %v", f.name, t, err))
			}
		case isTable(f.typ) && f.typ.Kind() == reflect.Struct:
			s.blank.FieldByIndex(f.index).Set(schemaOf(f.typ).blank)
		}
	}
	known, _ := schemas.LoadOrStore(t, s)
	return known.(*schema)
}

// check panics when something is wrong with the struct, or with any that it contains.
func check(t reflect.Type, within []reflect.Type) {
	within = enter(t, within)
	for _, f := range schemaOf(t).fields {
		if below := f.table(); below != nil {
			check(below, within)
		}
	}
}

func enter(t reflect.Type, within []reflect.Type) []reflect.Type {
	if slices.Contains(within, t) {
		panic(fmt.Sprintf("config: %s contains itself", t))
	}
	return append(within, t)
}

// share marks a field that is in an embedded pointer, and has that point to something.
func (s *schema) share(t reflect.Type, f *field) {
	embedded := t.Field(f.index[0])
	if !embedded.IsExported() || s.shared >= 0 && s.shared != f.index[0] {
		panic(fmt.Sprintf("config: %s embeds %s: one pointer can be embedded, to a struct whose name begins with a "+
			"capital letter", t, embedded.Type))
	}
	if s.shared < 0 {
		s.shared = f.index[0]
		s.blank.Field(s.shared).Set(reflect.New(embedded.Type.Elem()))
	}
	f.shared = true
}

// isOneValue tells the types with a way of their own to be written.
func isOneValue(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[Decoder]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// isTable tells the structs, and the pointers to them, that are tables from those that are one value.
func isTable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && !isOneValue(t)
}

// isTables tells the lists of tables.
func isTables(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && !isOneValue(t) && t.Elem().Kind() == reflect.Struct && isTable(t.Elem())
}

// isNamedTables tells the lists of tables that are written under their names.
func isNamedTables(t reflect.Type) bool {
	if !isTables(t) {
		return false
	}
	return slices.ContainsFunc(schemaOf(t.Elem()).fields, func(f field) bool { return f.name == "" })
}

func isNumber(t reflect.Type) bool {
	return reflect.Int <= t.Kind() && t.Kind() <= reflect.Float64 && t.Kind() != reflect.Uintptr
}

// canDecode tells the types that a key may have.
func canDecode(t reflect.Type) bool {
	one := func(t reflect.Type) bool {
		return isOneValue(t) || isNumber(t) || t.Kind() == reflect.String || t.Kind() == reflect.Bool
	}
	switch {
	case one(t), isTable(t), isTables(t):
		return true
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice:
		return one(t.Elem())
	case t.Kind() == reflect.Map:
		return t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String
	}
	return false
}

// addFields lists the keys of a table, those of embedded structs included; at is where t is embedded.
func (s *schema) addFields(t reflect.Type, at []int, within []reflect.Type) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(slices.Clip(at), i)
		if inner := embedded(sf); inner != nil {
			s.fields = slices.Grow(s.fields, inner.NumField())
			s.addFields(inner, index, enter(inner, within))
		}
		tag, ok := sf.Tag.Lookup("toml")
		if !ok {
			continue
		}
		if !sf.IsExported() && sf.Name != "_" {
			panic(fmt.Sprintf("config: %s.%s cannot be a key: it has to begin with a capital letter", t, sf.Name))
		}
		f := field{typ: sf.Type, index: index, loose: sf.Name == "_", tag: sf.Tag, preset: sf.Tag.Get("default")}
		if f.loose {
			f.typ = sf.Type.Elem()
		}
		if !canDecode(f.typ) {
			panic(fmt.Sprintf("config: %s.%s cannot be a key: it is a %s", t, sf.Name, f.typ))
		}
		var option string
		if f.name, option, _ = strings.Cut(tag, ","); option == "include" {
			s.include = f.name
		}
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
		if wrong := f.wrong(); wrong != "" {
			panic(fmt.Sprintf("config: %s of %s: %s", f.name, t, wrong))
		}
		s.fields = append(s.fields, f)
	}
}

// wrong says what no value could be held against, or what would be passed over: "" is nothing.
func (f *field) wrong() string {
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	item := t
	if t.Kind() == reflect.Slice && !isOneValue(t) {
		item = t.Elem()
	}
	switch {
	case f.required && f.preset != "":
		return "it is required, and has a default"
	case f.positive && !reflect.Zero(t).CanInt():
		return fmt.Sprintf("%s cannot be positive, as a duration can", t)
	case f.bounds != nil && !isNumber(item):
		return fmt.Sprintf("%s has no bounds, as a number has", t)
	case (len(f.words) > 0 || f.path) && t.Kind() != reflect.String:
		return fmt.Sprintf("%s is no word, as a string is", t)
	case f.tag.Get("reload") != "" && !f.permanent():
		return `of a reload it can say reload:"no", or nothing`
	}
	return ""
}

// embedded is the struct that is embedded by a field, itself or by a pointer; nil: none.
func embedded(sf reflect.StructField) reflect.Type {
	t := sf.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !sf.Anonymous || t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

func boundsOf(word string) *bounds {
	least, most, _ := strings.Cut(word, "..")
	b := &bounds{most: math.MaxInt64}
	var err error
	if b.least, err = strconv.ParseInt(least, 10, 64); err == nil && most != "" {
		b.most, err = strconv.ParseInt(most, 10, 64)
	}
	if err != nil {
		panic(fmt.Sprintf("config: bounds %s: %v", word, err))
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

// holds tells whether a number is within the bounds.
func (b *bounds) holds(v reflect.Value) bool {
	switch {
	case v.CanFloat():
		return float64(b.least) <= v.Float() && v.Float() <= float64(b.most)
	case v.CanUint():
		return uint64(max(b.least, 0)) <= v.Uint() && (b.most == math.MaxInt64 || v.Uint() <= uint64(max(b.most, 0)))
	}
	return b.least <= v.Int() && v.Int() <= b.most
}

// check holds a value of the right type against the field's "is" tag.
func (f *field) check(v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if f.positive && v.Int() <= 0 {
		return fmt.Errorf("must be more than zero, such as %q", f.example())
	}
	if f.bounds != nil && !f.bounds.holds(v) {
		return fmt.Errorf("must be %v, not %v", f.bounds, v)
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

// example is a duration that is allowed.
func (f *field) example() string {
	if f.preset == "" {
		return "10s"
	}
	return f.preset
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
