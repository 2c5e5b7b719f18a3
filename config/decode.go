package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// decoder fills values from nodes. It collects every mistake and goes on, so a value is only to be
// used when mistakes is empty.
type decoder struct {
	mistakes Errors
	warnings Errors
	path     string // of the main file
	files    files
	users    users
	texts    map[string]string
	shared   map[string]reflect.Value // embedded pointers, by what the file has
	envFiles map[string]*envFile      // by path
	sections map[string]*section      // with instances, by name
}

func newDecoder(files files) *decoder {
	return &decoder{
		files: files, users: users{}, texts: map[string]string{},
		shared: map[string]reflect.Value{}, envFiles: map[string]*envFile{},
		sections: map[string]*section{},
	}
}

func (d *decoder) report(mistakes ...*Error) { d.mistakes = append(d.mistakes, mistakes...) }

// table fills the struct v from the table n, its defaults included.
func (d *decoder) table(v reflect.Value, n *node) {
	s := schemaOf(v.Type())
	v.Set(s.blank)
	t := given{decoder: d, node: n}
	embedded, known := d.embedded(v, s, n)
	var misspelt []string // keys of s, as they should be
	for _, child := range n.fields.list {
		f := s.byName[child.name]
		if f == nil {
			meant, err := d.unknownKey(child, s)
			d.report(child.keyError(err))
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
		ok := d.value(fv, child)
		if ok || fv.Kind() == reflect.Slice { // of a list all items are told of
			ok = d.holds(f, fv, child) && ok
		}
		if ok {
			continue
		}
		t.mistaken = append(t.mistaken, f.name)
		if !f.loose && !isTable(f.typ) && !isTables(f.typ) {
			fv.Set(s.blank.FieldByIndex(f.index)) // the mistake is told, and Salvage has something sensible
		}
	}
	for i := range s.fields {
		f := &s.fields[i]
		if f.name == "" {
			v.FieldByIndex(f.index).SetString(d.text(n.name))
		} else if f.required && n.fields.get([]byte(f.name)) == nil && !slices.Contains(misspelt, f.name) {
			d.report(n.src.errorAt(n.keyAt, n.sub(f.name), fmt.Errorf("missing; add it to [%s]", n.key())))
		}
	}
	if r, ok := v.Addr().Interface().(ruler); ok {
		r.rule(&t)
	}
	if embedded != "" && len(t.mistaken) == 0 {
		d.shared[embedded] = v.Field(s.shared)
	}
}

// embedded gives v's embedded pointer, if it has one, something to point to: what all tables have that set
// none of its keys, what an earlier table has that set them to the same, or else something of its own.
// What is returned tells which keys are set, and to what.
func (d *decoder) embedded(v reflect.Value, s *schema, n *node) (key string, known bool) {
	var b []byte
	for _, child := range n.fields.list {
		if f := s.byName[child.name]; f != nil && f.shared {
			b = child.appendTo(b)
		}
	}
	if b == nil {
		return "", false
	}
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
func (d *decoder) holds(f *field, v reflect.Value, n *node) bool {
	before := len(d.mistakes)
	switch {
	case v.Kind() != reflect.Slice:
		if err := f.check(v); err != nil {
			d.report(n.valueError(err))
		}
	case f.bounds != nil:
		for i := range v.Len() {
			if err := f.check(v.Index(i)); err != nil {
				d.report(n.items[i].valueError(err))
			}
		}
	}
	return len(d.mistakes) == before
}

// value fills v from n and says whether that went well.
func (d *decoder) value(v reflect.Value, n *node) bool {
	before := len(d.mistakes)
	if err := d.set(v, n); err != nil {
		d.report(n.valueError(err))
	}
	if c, ok := v.Addr().Interface().(*Command); ok && len(d.mistakes) == before {
		if err := d.command(*c); err != nil {
			d.report(n.valueError(err))
		}
	}
	return len(d.mistakes) == before
}

// set returns what is wrong with n itself; it reports what is wrong within it.
func (d *decoder) set(v reflect.Value, n *node) error {
	if u, ok := v.Addr().Interface().(**User); ok {
		spec, err := stringOf(n)
		if err != nil {
			return err
		}
		f := d.users.lookup(spec)
		*u = f.user
		return f.wrong
	}
	if l, ok := v.Addr().Interface().(*Limits); ok {
		return l.decode(d, n)
	}
	if s, ok := v.Addr().Interface().(*Sockets); ok {
		return s.decode(d, n)
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if _, ok := u.(numeric); ok && n.kind != unstable.String {
			if n.kind != unstable.Integer {
				return fmt.Errorf(`must be a whole number, or "unlimited" or "SOFT:HARD" in quotes, not %s`, describe(n))
			}
			i, err := strconv.ParseInt(string(n.text), 0, 64)
			if err != nil {
				return fmt.Errorf("%s is too large", n.text)
			}
			if i < 0 {
				return fmt.Errorf("must not be negative, as %d is", i)
			}
			return setText(v, strconv.FormatInt(i, 10))
		}
		spec, err := stringOf(n)
		if err != nil {
			return err
		}
		return setText(v, spec)
	}
	if v.Type() == durationType {
		if n.kind != unstable.String {
			return fmt.Errorf("must be a duration with a unit; write %q", durationLike(n))
		}
		return setText(v, string(n.text))
	}
	switch v.Kind() {
	case reflect.String:
		s, err := stringOf(n)
		v.SetString(d.text(s))
		return err
	case reflect.Bool:
		if n.kind != unstable.Bool {
			return fmt.Errorf("must be true or false without quotes, not %s", describe(n))
		}
		return setText(v, string(n.text))
	case reflect.Int:
		if n.kind != unstable.Integer {
			return fmt.Errorf("must be a whole number without quotes, not %s", describe(n))
		}
		return setText(v, string(n.text))
	case reflect.Slice:
		if isTables(v.Type()) {
			return d.setTables(v, n)
		}
		return d.setList(v, n)
	case reflect.Map:
		return d.setMap(v, n)
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.value(p.Elem(), n)
		v.Set(p)
		return nil
	case reflect.Struct:
		if n.kind != unstable.Table {
			return fmt.Errorf("must be a table, [%s], not %s", n.key(), describe(n))
		}
		d.table(v, n)
		return nil
	}
	panic(fmt.Sprintf("%s: cannot decode into %s", n.key(), v.Type()))
}

// setTables fills a slice of structs from a table of tables, sorted by their names.
func (d *decoder) setTables(v reflect.Value, n *node) error {
	if n.kind != unstable.Table {
		return fmt.Errorf("must be tables, [%s.NAME], not %s", n.key(), describe(n))
	}
	if len(n.fields.list) == 0 {
		return nil
	}
	children := slices.Clone(n.fields.list)
	slices.SortFunc(children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	v.Set(reflect.MakeSlice(v.Type(), len(children), len(children)))
	for i, child := range children {
		if child.kind != unstable.Table {
			d.report(child.valueError(fmt.Errorf("must be a table, [%s], not %s", child.key(), describe(child))))
			continue
		}
		if namer, ok := v.Index(i).Interface().(nameChecker); ok {
			if err := namer.checkName(child.name); err != nil {
				d.report(child.keyError(err))
			}
		}
		d.value(v.Index(i), child)
	}
	return nil
}

func (d *decoder) setList(v reflect.Value, n *node) error {
	if n.kind != unstable.Array || n.origin != written {
		if v.Type().Elem().Kind() == reflect.Int {
			return fmt.Errorf(`must be a list of whole numbers, [1, 2], not %s`, describe(n))
		}
		if v.Type() == reflect.TypeFor[Command]() && n.kind == unstable.String {
			if text := string(n.text); strings.TrimSpace(text) != "" {
				return fmt.Errorf(`must be a list of strings, not a string; write %s`, listFor(d.files, text))
			}
		}
		return fmt.Errorf(`must be a list of strings, ["a", "b"], not %s`, describe(n))
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

func (d *decoder) setMap(v reflect.Value, n *node) error {
	if n.kind != unstable.Table {
		return fmt.Errorf(`must be a table of strings, { NAME = "value" }, not %s`, describe(n))
	}
	if len(n.fields.list) == 0 {
		return nil
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.fields.list)))
	namer, _ := v.Interface().(nameChecker)
	for _, child := range n.fields.list {
		if namer != nil {
			if err := namer.checkName(child.name); err != nil {
				d.report(child.keyError(err))
			}
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(elem, child)
		v.SetMapIndex(reflect.ValueOf(d.text(child.name)), elem)
	}
	return nil
}

// text returns one copy of each string, whatever the number of programs that have it.
func (d *decoder) text(s string) string {
	if known, ok := d.texts[s]; ok {
		return known
	}
	d.texts[s] = s
	return s
}
