package config

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
)

// unknownKey says what was probably meant by a key that its table, of schema s, does not know. In TOML a key belongs to
// the last [section] above it, whatever its author had in mind. Meant is the key of the same table, if it was probably
// one.
func (d *Document) unknownKey(n *Value, s *schema) (meant string, err error) {
	for i := range s.fields {
		if f := &s.fields[i]; slices.ContainsFunc(f.elsewhere(), func(name string) bool { return sameWords(name, n.name) }) {
			return f.name, fmt.Errorf("unknown key; did you mean %q?", f.name)
		}
	}
	for up := n.parent.parent; up != nil; up = up.parent {
		t := d.typeAt(up)
		if t == nil || !isTable(t) || schemaOf(t).byName[n.name] == nil {
			continue
		}
		switch {
		case up.parent == nil && n.src.path != d.path:
			return "", fmt.Errorf("belongs at the top of the main file, %s", d.path)
		case n.origin == headed || n.origin == implied:
			return "", fmt.Errorf("unknown key; did you mean [%s]?", up.sub(n.name))
		case up.parent == nil:
			return "", errors.New("belongs at the top, before the first [section]")
		case n.parent.origin == headed:
			return "", fmt.Errorf("belongs in [%s], before [%s]", up.Key(), n.parent.Key())
		}
		return "", fmt.Errorf("belongs in [%s]", up.Key())
	}
	if n.parent.parent == nil {
		for _, f := range s.fields {
			if isNamedTables(f.typ) {
				if err := misplaced(n, &f); err != nil {
					return "", err
				}
			}
		}
	}
	if near := s.nearest(n.name); near != "" {
		return near, fmt.Errorf("unknown key; did you mean %q?", near)
	}
	return "", errors.New("unknown key")
}

// sameWords compares keys of different manners: exec_start is ExecStart elsewhere.
func sameWords(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, "_", ""), strings.ReplaceAll(b, "_", ""))
}

// misplaced says what is wrong with a key at the top if it, or what is in it, belongs to a named table; nil if it
// does not look like that.
func misplaced(n *Value, f *field) error {
	s := schemaOf(f.typ.Elem())
	has := func(f field) bool { return f.required && n.At(f.name) != nil }
	if n.origin == headed && slices.ContainsFunc(s.fields, has) {
		return fmt.Errorf("unknown key; %s is [%s.%s]", one(f.name), f.name, QuoteKey(n.name))
	}
	if n.origin == written && s.byName[n.name] != nil {
		return fmt.Errorf("belongs to %s: write it below its [%s.NAME]", one(f.name), f.name)
	}
	return nil
}

// one is a noun with its article.
func one(noun string) string {
	if noun != "" && strings.IndexByte("aeiou", noun[0]) >= 0 {
		return "an " + noun
	}
	return "a " + noun
}

// typeAt is what the table n is decoded into, nil if it is nothing that is known.
func (d *Document) typeAt(n *Value) reflect.Type {
	if n.parent == nil {
		return d.schema
	}
	t := d.typeAt(n.parent)
	switch {
	case t == nil:
		return nil
	case isNamedTables(t):
		return t.Elem()
	case !isTable(t):
		return nil
	}
	f := schemaOf(t).byName[n.name]
	switch {
	case f == nil:
		return nil
	case f.table() != nil && !isNamedTables(f.typ):
		return f.table()
	}
	return f.typ
}

// fieldNamed finds a key by its name alone, in t or in a table in it; nil when there is none.
func fieldNamed(name string, t reflect.Type) *field {
	s := schemaOf(t)
	if f := s.byName[name]; f != nil {
		return f
	}
	for _, f := range s.fields {
		if below := f.table(); below != nil {
			if found := fieldNamed(name, below); found != nil {
				return found
			}
		}
	}
	return nil
}

// nearest is the known key that was probably meant, or "" when none is near enough.
func (s *schema) nearest(name string) string {
	return Nearest(name, func(yield func(string) bool) {
		for _, f := range s.fields {
			if f.name != "" && !yield(f.name) {
				return
			}
		}
	})
}

// Nearest is the one of the known names that was probably meant by name, or "" when none is near enough.
// A capital is no slip.
func Nearest(name string, known iter.Seq[string]) string {
	best, least := "", 0
	name = strings.ToLower(name)
	for other := range known {
		// One slip in three letters: "usr" is user, "pid" is anything.
		limit := (len(other) + 2) / 3
		if limit == len(other) || max(len(name)-len(other), len(other)-len(name)) > limit {
			continue
		}
		if d := distance(name, strings.ToLower(other)); d <= limit && (best == "" || d < least) {
			best, least = other, d
		}
	}
	return best
}

// distance is Levenshtein's, in bytes; two that have changed places are one slip too.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			row[j+1] = last[j]
			if a[i] != b[j] {
				row[j+1] = 1 + min(last[j], last[j+1], row[j])
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
