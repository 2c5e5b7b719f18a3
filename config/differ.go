package config

import (
	"fmt"
	"reflect"
)

// Differ names the keys that differ between two structs of the same type, and those of them that a running daemon
// cannot change: the ones with reload:"no". A list of tables, and a table that only one of them has, is one key. Both
// are given by pointers, as [Load] takes them; both results are nil when all is the same. It panics if they are not.
func Differ(now, next any) (keys, fixed []string) {
	var d difference
	a, b := structAt(now), structAt(next)
	if a.Type() != b.Type() {
		panic(fmt.Sprintf("config: a %s cannot differ from a %s", a.Type(), b.Type()))
	}
	d.between(a, b, "")
	return d.keys, d.fixed
}

type difference struct{ keys, fixed []string }

func (d *difference) between(a, b reflect.Value, prefix string) {
	s := schemaOf(a.Type())
	for i := range s.fields {
		f := &s.fields[i]
		if f.loose {
			continue
		}
		x, y := a.FieldByIndex(f.index), b.FieldByIndex(f.index)
		if isTable(f.typ) && f.typ.Kind() == reflect.Pointer && !x.IsNil() && !y.IsNil() {
			x, y = x.Elem(), y.Elem()
		}
		if isTable(f.typ) && x.Kind() == reflect.Struct {
			d.between(x, y, prefix+f.name+".")
			continue
		}
		if reflect.DeepEqual(x.Interface(), y.Interface()) {
			continue
		}
		d.keys = append(d.keys, prefix+f.name)
		if f.permanent() {
			d.fixed = append(d.fixed, prefix+f.name)
		}
	}
}
