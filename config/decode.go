package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// decoder fills values from nodes. It collects every mistake and goes on, so a value is only to be
// used when mistakes is empty.
type decoder struct {
	mistakes Errors
	users    users
	schemas  map[reflect.Type][]field
	texts    map[string]string
}

func newDecoder() *decoder {
	return &decoder{users: users{}, schemas: map[reflect.Type][]field{}, texts: map[string]string{}}
}

func (d *decoder) report(mistakes ...*Error) { d.mistakes = append(d.mistakes, mistakes...) }

func (d *decoder) fields(t reflect.Type) []field {
	fields, ok := d.schemas[t]
	if !ok {
		fields = fieldsOf(t)
		d.schemas[t] = fields
	}
	return fields
}

// table fills the struct v from the table n, its defaults included.
func (d *decoder) table(v reflect.Value, n *node) {
	fields := d.fields(v.Type())
	known := 0
	for i := range fields {
		f := &fields[i]
		fv := v.FieldByIndex(f.index)
		child := n.fields.get([]byte(f.name))
		switch {
		case f.name == "":
			fv.SetString(d.text(n.name))
			continue
		case child != nil:
			known++
			if !d.value(fv, child) {
				preset(fv, f) // the mistake is told, and Salvage has something sensible
			} else if err := f.check(fv); err != nil {
				d.report(child.valueError(err))
				preset(fv, f)
			}
		case f.required:
			d.report(n.src.errorAt(n.keyAt, n.sub(f.name), fmt.Errorf("missing; add it to [%s]", n.key())))
		case f.preset != "":
			preset(fv, f)
		case fv.Kind() == reflect.Struct:
			d.table(fv, &node{src: n.src, parent: n, name: f.name})
		}
	}
	if known == len(n.fields.list) {
		return
	}
	for _, child := range n.fields.list {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == child.name && f.name != "" }) {
			d.report(child.keyError(unknownKey(child.name, fields)))
		}
	}
}

func preset(v reflect.Value, f *field) {
	if f.preset == "" {
		return
	}
	if err := setText(v, f.preset); err != nil {
		panic(fmt.Sprintf("default of %s: %v", f.name, err))
	}
}

func unknownKey(name string, fields []field) error {
	if near := nearest(name, fields); near != "" {
		return fmt.Errorf("unknown key; did you mean %q?", near)
	}
	return errors.New("unknown key")
}

// value fills v from n and says whether that went well.
func (d *decoder) value(v reflect.Value, n *node) bool {
	before := len(d.mistakes)
	if err := d.set(v, n); err != nil {
		d.report(n.valueError(err))
	}
	if c, ok := v.Addr().Interface().(checker); ok && len(d.mistakes) == before {
		if err := c.check(); err != nil {
			d.report(n.valueError(err))
		}
	}
	return len(d.mistakes) == before
}

// set returns what is wrong with n itself; it reports what is wrong within it.
func (d *decoder) set(v reflect.Value, n *node) error {
	if u, ok := v.Addr().Interface().(**User); ok {
		spec, err := stringOf(n)
		if err == nil {
			*u, err = d.users.lookup(spec)
		}
		return err
	}
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
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
		if v.Type().Elem().Kind() == reflect.Struct {
			return d.setTables(v, n)
		}
		return d.setList(v, n)
	case reflect.Map:
		return d.setMap(v, n)
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

// setText fills a value from its text: the content of a string, or a number or boolean as TOML writes it.
func setText(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	if v.Type() == durationType {
		dur, err := duration(text)
		v.SetInt(int64(dur))
		return err
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(text == "true")
	case reflect.Int:
		// Base 0 reads every form that TOML has; the one that TOML has not, 017, was refused by the parser.
		i, err := strconv.ParseInt(text, 0, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%s is too large", text)
		}
		v.SetInt(i)
	default:
		panic(fmt.Sprintf("no text for %s", v.Type()))
	}
	return nil
}

func duration(text string) (time.Duration, error) {
	dur, err := time.ParseDuration(text)
	if err != nil {
		if _, bare := strconv.ParseFloat(text, 64); bare == nil {
			return 0, fmt.Errorf("%q has no unit; write %q", text, text+"s")
		}
		return 0, fmt.Errorf(`%q is not a duration; write a number and a unit, such as "500ms", "10s" or "1m30s"`, text)
	}
	if dur < 0 {
		return 0, fmt.Errorf("must not be negative, as %q is", text)
	}
	return dur, nil
}

// durationLike is what was probably meant by a value that is no string.
func durationLike(n *node) string {
	if text := string(n.text); text != "" && len(text) < 10 && strings.Trim(text, "0123456789.") == "" {
		return text + "s"
	}
	return "10s"
}

// stringOf is the string in n. No string may have a NUL: the kernel would take it for the end.
func stringOf(n *node) (string, error) {
	if n.kind != unstable.String {
		return "", fmt.Errorf("must be a string in quotes, not %s", describe(n))
	}
	s := string(n.text)
	if strings.IndexByte(s, 0) >= 0 {
		return "", errors.New("must not contain a NUL character")
	}
	return s, nil
}

// describe says in words what n is.
func describe(n *node) string {
	switch n.kind {
	case unstable.String:
		return "a string"
	case unstable.Bool:
		return "a boolean"
	case unstable.Integer, unstable.Float:
		return "a number"
	case unstable.Array:
		if n.origin == headed {
			return fmt.Sprintf("a list of tables, [[%s]]", n.key())
		}
		return "a list"
	case unstable.Table:
		return "a table"
	default:
		return "a date or time"
	}
}
