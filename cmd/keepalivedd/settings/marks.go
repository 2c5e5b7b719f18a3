package settings

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/keepalivedd/keepalivedd/config"
)

// marks replaces what stands in the strings of a section with instances: %i, the number of one, and %%, a percent sign.
type marks struct{ number string }

func marksFor(number string) marks { return marks{number} }

// Replace takes each %% for what it is before it looks for %i in what is left.
func (m marks) Replace(s string) string {
	parts := strings.Split(s, "%%")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], "%i", m.number)
	}
	return strings.Join(parts, "%")
}

// in is v with the marks in its strings replaced, those in its lists and tables included. What has none is not copied,
// and has not changed.
func (m marks) in(v reflect.Value) (_ reflect.Value, changed bool) {
	t := v.Type()
	switch {
	case t.Kind() == reflect.String && strings.Contains(v.String(), "%"):
		s := reflect.New(t).Elem()
		s.SetString(m.Replace(v.String()))
		return s, true
	case t.Kind() == reflect.Pointer && isTable(t) && !v.IsNil():
		to, changed := m.in(v.Elem())
		if !changed {
			return v, false
		}
		p := reflect.New(t.Elem())
		p.Elem().Set(to)
		return p, true
	case t.Kind() == reflect.Slice:
		for i := range v.Len() {
			if item, now := m.in(v.Index(i)); now {
				if !changed {
					clone := reflect.MakeSlice(t, v.Len(), v.Len())
					reflect.Copy(clone, v)
					v, changed = clone, true
				}
				v.Index(i).Set(item)
			}
		}
	case t.Kind() == reflect.Map:
		clone := reflect.MakeMapWithSize(t, v.Len())
		for it := v.MapRange(); it.Next(); {
			value, now := m.in(it.Value())
			clone.SetMapIndex(it.Key(), value)
			changed = changed || now
		}
		if changed {
			return clone, true
		}
	case t.Kind() == reflect.Struct && isTable(t):
		for i := range v.NumField() {
			if !v.Field(i).CanInterface() { // unexported
				continue
			}
			if field, now := m.in(v.Field(i)); now {
				if !changed {
					clone := reflect.New(t).Elem()
					clone.Set(v)
					v, changed = clone, true
				}
				v.Field(i).Set(field)
			}
		}
	}
	return v, changed
}

// isTable tells the structs, and the pointers to them, that have keys from those that are one value.
func isTable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// marked tells whether there is anything to replace in v.
func marked(v any) bool {
	_, changed := marksFor("").in(reflect.ValueOf(v))
	return changed
}

// checkMarks reports each % in the strings of a table that stands for nothing.
// What is wrong in another way was told of.
func checkMarks(t *config.Table) {
	for _, n := range t.Fields() {
		if !t.Mistaken(n.Name()) {
			checkMarksBelow(n)
		}
	}
}

func checkMarksBelow(n *config.Value) {
	if mark := strayMark(n.Text()); n.IsString() && mark != "" {
		n.Report(fmt.Errorf("%q means nothing where instances is set; write %%i for the number of the instance, "+
			"%%%% for a percent sign", mark))
	}
	for _, below := range [][]*config.Value{n.Items(), n.Fields()} {
		for _, child := range below {
			checkMarksBelow(child)
		}
	}
}

// strayMark is the first % that stands for nothing, with what follows it; "" if there is none.
func strayMark(text string) string {
	for {
		_, after, found := strings.Cut(text, "%")
		if !found {
			return ""
		}
		if after == "" || after[0] != '%' && after[0] != 'i' {
			_, size := utf8.DecodeRuneInString(after)
			return "%" + after[:size]
		}
		text = after[1:]
	}
}
