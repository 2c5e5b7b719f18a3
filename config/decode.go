package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// The methods of a Document in this file fill values. They report every mistake and go on, so a value is only to be
// used when none was reported.

// table fills the struct v from the table n, its defaults included.
func (d *Document) table(v reflect.Value, n *Value) {
	s := schemaOf(v.Type())
	v.Set(s.blank)
	t := Table{Value: n}
	embedded, known := d.embedded(v, s, n)
	var misspelt []string // keys of s, as they should be
	for _, child := range n.fields.list {
		f := s.byName[child.name]
		if f == nil {
			meant, err := d.unknownKey(child, s)
			d.Report(child.keyMistake(err))
			misspelt = append(misspelt, meant)
			continue
		}
		if known && f.shared {
			continue
		}
		var fv reflect.Value
		if f.loose {
			fv = reflect.New(f.typ).Elem()
		} else {
			fv = v.FieldByIndex(f.index)
		}
		ok := false
		if (len(f.words) > 0 || f.path) && fv.Kind() == reflect.String && !child.IsString() {
			child.Report(fmt.Errorf("must be %s, not %s", f.allowed(), child.Describe()))
		} else {
			ok = d.value(fv, child)
		}
		if ok || fv.Kind() == reflect.Slice { // of a list all items are told of
			ok = d.holds(f, fv, child) && ok
		}
		if ok {
			continue
		}
		t.mistaken = append(t.mistaken, f.name)
		if !f.loose && !isTable(f.typ) && !isTables(f.typ) {
			fv.Set(s.blank.FieldByIndex(f.index)) // the mistake is told, and who reads on has something sensible
		}
	}
	for i := range s.fields {
		f := &s.fields[i]
		if f.name == "" {
			v.FieldByIndex(f.index).SetString(d.text(n.name))
		} else if f.required && n.fields.get([]byte(f.name)) == nil && !slices.Contains(misspelt, f.name) {
			d.Report(n.src.Mistake(n.keyAt, n.sub(f.name), fmt.Errorf("missing; add it %s", n.place())))
		}
	}
	if r, ok := v.Addr().Interface().(Validator); ok {
		r.Validate(&t)
	}
	if embedded != "" && len(t.mistaken) == 0 {
		d.shared[embedded] = v.Field(s.shared)
	}
}

// place says where a key of the table is added.
func (n *Value) place() string {
	if n.parent == nil {
		return "at the top"
	}
	return "to [" + n.Key() + "]"
}

// embedded gives v's embedded pointer, if it has one, something to point to: what all tables have that set
// none of its keys, what an earlier table has that set them to the same, or else something of its own.
// What is returned tells which keys are set, and to what.
func (d *Document) embedded(v reflect.Value, s *schema, n *Value) (key string, known bool) {
	var b []byte
	for _, child := range n.fields.list {
		if f := s.byName[child.name]; f != nil && f.shared {
			b = child.appendTo(b)
		}
	}
	if b == nil {
		return "", false
	}
	b = append(b, v.Type().String()...)
	p := v.Field(s.shared)
	if earlier, ok := d.shared[string(b)]; ok {
		p.Set(earlier)
		return string(b), true
	}
	own := reflect.New(p.Type().Elem())
	own.Elem().Set(p.Elem())
	p.Set(own)
	return string(b), false
}

// holds reports what the field's tags forbid, in a list item by item.
func (d *Document) holds(f *field, v reflect.Value, n *Value) bool {
	before := len(d.mistakes)
	switch {
	case v.Kind() != reflect.Slice:
		if err := f.check(v); err != nil {
			n.Report(err)
		}
	case f.bounds != nil:
		for i := range v.Len() {
			if err := f.check(v.Index(i)); err != nil {
				n.items[i].Report(err)
			}
		}
	}
	return len(d.mistakes) == before
}

// value fills v from n and says whether that went well.
func (d *Document) value(v reflect.Value, n *Value) bool {
	before := len(d.mistakes)
	if err := d.set(v, n); err != nil {
		n.Report(err)
	}
	return len(d.mistakes) == before
}

// set returns what is wrong with n itself; it reports what is wrong within it.
func (d *Document) set(v reflect.Value, n *Value) error {
	switch own := v.Addr().Interface().(type) {
	case Decoder:
		return own.Decode(n)
	case encoding.TextUnmarshaler:
		text, err := n.string()
		if err != nil {
			return err
		}
		return setText(v, text)
	}
	if v.Type() == durationType {
		if !n.IsString() {
			return fmt.Errorf("must be a duration with a unit; write %q", durationLike(n))
		}
		return setText(v, string(n.text))
	}
	switch kind := v.Kind(); {
	case kind == reflect.String:
		s, err := n.string()
		v.SetString(d.text(s))
		return err
	case kind == reflect.Bool:
		if n.kind != boolKind {
			return fmt.Errorf("must be true or false without quotes, not %s", n.Describe())
		}
		return setText(v, string(n.text))
	case v.CanInt(), v.CanUint():
		if !n.IsInteger() {
			return fmt.Errorf("must be a whole number without quotes, not %s", n.Describe())
		}
		return setText(v, string(n.text))
	case v.CanFloat():
		if !n.IsInteger() && n.kind != floatKind {
			return fmt.Errorf("must be a number without quotes, not %s", n.Describe())
		}
		return setText(v, string(n.text))
	case isNamedTables(v.Type()):
		return d.setTables(v, n)
	case kind == reflect.Slice:
		return d.setList(v, n)
	case kind == reflect.Map:
		return d.setMap(v, n)
	case kind == reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.value(p.Elem(), n)
		v.Set(p)
		return nil
	case kind == reflect.Struct:
		if !n.IsTable() {
			return fmt.Errorf("must be a table, [%s], not %s", n.Key(), n.Describe())
		}
		d.table(v, n)
		return nil
	}
	panic(fmt.Sprintf("%s: cannot decode into %s", n.Key(), v.Type()))
}

// setTables fills a slice of structs from a table of tables, sorted by their names.
func (d *Document) setTables(v reflect.Value, n *Value) error {
	if !n.IsTable() {
		return fmt.Errorf("must be tables, [%s.NAME], not %s", n.Key(), n.Describe())
	}
	if len(n.fields.list) == 0 {
		return nil
	}
	children := slices.Clone(n.fields.list)
	slices.SortFunc(children, func(a, b *Value) int { return strings.Compare(a.name, b.name) })
	v.Set(reflect.MakeSlice(v.Type(), len(children), len(children)))
	for i, child := range children {
		if !child.IsTable() {
			child.Report(fmt.Errorf("must be a table, [%s], not %s", child.Key(), child.Describe()))
			continue
		}
		if namer, ok := v.Index(i).Addr().Interface().(NameValidator); ok {
			if err := namer.ValidateName(child.name); err != nil {
				d.Report(child.keyMistake(err))
			}
		}
		d.value(v.Index(i), child)
	}
	return nil
}

func (d *Document) setList(v reflect.Value, n *Value) error {
	tables := isTables(v.Type())
	if !n.IsList() || !tables && n.origin != written {
		return fmt.Errorf("must be a list of %s, not %s", listLike(v.Type().Elem(), n), n.Describe())
	}
	if len(n.items) == 0 {
		return nil // nothing is nil, as it is when the key is left out
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		d.value(v.Index(i), item)
	}
	return nil
}

// listLike says what a list is of, with an example.
func listLike(t reflect.Type, n *Value) string {
	switch {
	case isTable(t):
		return fmt.Sprintf("tables, [[%s]]", n.Key())
	case t == durationType:
		return `durations, ["1s", "10s"]`
	case isOneValue(t) || !isNumber(t):
		return `strings, ["a", "b"]`
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return "numbers, [1.5, 2]"
	default:
		return "whole numbers, [1, 2]"
	}
}

func (d *Document) setMap(v reflect.Value, n *Value) error {
	if !n.IsTable() {
		return fmt.Errorf(`must be a table of strings, { NAME = "value" }, not %s`, n.Describe())
	}
	if len(n.fields.list) == 0 {
		return nil
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.fields.list)))
	namer, _ := v.Interface().(NameValidator)
	key := reflect.New(v.Type().Key()).Elem()
	for _, child := range n.fields.list {
		if namer != nil {
			if err := namer.ValidateName(child.name); err != nil {
				d.Report(child.keyMistake(err))
			}
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(elem, child)
		key.SetString(d.text(child.name))
		v.SetMapIndex(key, elem)
	}
	return nil
}

// text returns one copy of each string, whatever the number of tables that have it.
func (d *Document) text(s string) string {
	if known, ok := d.texts[s]; ok {
		return known
	}
	d.texts[s] = s
	return s
}
