package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
)

// field is one key as the struct tags describe it; the package comment tells what the tags mean.
type field struct {
	name      string // as the file has it; empty for the field that takes the table's own name
	index     []int  // for reflect.Value.FieldByIndex
	preset    string
	required  bool
	positive  bool
	path      bool     // an absolute path is allowed
	words     []string // are allowed
	permanent bool     // cannot change at run time
}

// fieldsOf lists the keys of a table, those of embedded structs included.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for _, sf := range reflect.VisibleFields(t) {
		tag, ok := sf.Tag.Lookup("toml")
		if !ok || !sf.IsExported() {
			continue
		}
		f := field{index: sf.Index, preset: sf.Tag.Get("default"), permanent: sf.Tag.Get("reload") == "no"}
		f.name, _, _ = strings.Cut(tag, ",")
		for word := range strings.FieldsSeq(sf.Tag.Get("is")) {
			switch word {
			case "required":
				f.required = true
			case "positive":
				f.positive = true
			case "/":
				f.path = true
			default:
				f.words = append(f.words, word)
			}
		}
		fields = append(fields, f)
	}
	return fields
}

// check holds a value of the right type against the field's "is" tag.
func (f *field) check(v reflect.Value) error {
	if f.positive && v.Int() <= 0 {
		return fmt.Errorf("must be more than zero, such as %q", f.preset)
	}
	if len(f.words) == 0 && !f.path {
		return nil
	}
	s := v.String()
	if slices.Contains(f.words, s) || f.path && filepath.IsAbs(s) {
		return nil
	}
	var allowed []string
	for _, word := range f.words {
		allowed = append(allowed, fmt.Sprintf("%q", word))
	}
	if f.path {
		allowed = append(allowed, "an absolute path")
	}
	last := len(allowed) - 1
	list := allowed[last]
	if last > 0 {
		list = strings.Join(allowed[:last], ", ") + " or " + list
	}
	return fmt.Errorf("must be %s, not %q", list, s)
}

// NeedsRestart names the keys that differ between c and next and that a running daemon cannot
// change; it is nil when next can be put in force.
func (c *Config) NeedsRestart(next *Config) []string {
	return differing(reflect.ValueOf(c).Elem(), reflect.ValueOf(next).Elem(), "")
}

func differing(a, b reflect.Value, prefix string) (keys []string) {
	for _, f := range fieldsOf(a.Type()) {
		x, y := a.FieldByIndex(f.index), b.FieldByIndex(f.index)
		switch {
		case f.permanent && !reflect.DeepEqual(x.Interface(), y.Interface()):
			keys = append(keys, prefix+f.name)
		case x.Kind() == reflect.Struct:
			keys = append(keys, differing(x, y, prefix+f.name+".")...)
		}
	}
	return keys
}

// nearest is the known key that was probably meant, or "" when none is near enough.
func nearest(name string, fields []field) string {
	best, least := "", 0
	for _, f := range fields {
		// One slip in three letters: "usr" is user, "pid" is anything.
		limit := (len(f.name) + 2) / 3
		if f.name == "" || max(len(name)-len(f.name), len(f.name)-len(name)) > limit {
			continue
		}
		if d := distance(name, f.name); d <= limit && (best == "" || d < least) {
			best, least = f.name, d
		}
	}
	return best
}

// distance is Levenshtein's, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

var durationType = reflect.TypeFor[time.Duration]()
