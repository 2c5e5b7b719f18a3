package config

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Value is one value of a file, and where it stands. A nil Value is one that is not there: only At may be called on it.
type Value struct {
	src     *Source
	parent  *Value // nil for the root
	name    string
	keyAt   uint32
	valueAt uint32
	kind    kind
	origin  origin
	text    []byte   // of a scalar: its content; may be part of src.data
	items   []*Value // of a list; they share the list's name and parent
	fields  fields   // of a table
}

// kind is what TOML knows, without how a table or a list is written.
type kind uint8

const (
	tableKind kind = iota + 1
	listKind
	stringKind
	boolKind
	integerKind
	floatKind
	timeKind
)

// origin is how a table or list came to be: TOML lets each be added to in its own way.
type origin uint8

const (
	written origin = iota // as a value, { } or [ ]: complete, nothing may be added
	dotted                // by a.b = value: dotted keys may add
	implied               // a, by [a.b]: may yet get its own header
	headed                // by [a] or [[a]]
)

// Document is what the value is part of.
func (n *Value) Document() *Document { return n.src.document }

// At is the value of a key, or of a key in a table in n, and so on; nil when it is not there.
func (n *Value) At(keys ...string) *Value {
	if n == nil || len(keys) == 0 {
		return n
	}
	return n.fields.get([]byte(keys[0])).At(keys[1:]...)
}

// Name is the last part of the key. The items of a list have the list's.
func (n *Value) Name() string { return n.name }

// Key is the dotted name, as TOML would write it; empty for the file as a whole.
func (n *Value) Key() string {
	if n.parent == nil {
		return ""
	}
	return n.parent.sub(n.name)
}

// sub is the dotted name that a key called name has, or would have, in n.
func (n *Value) sub(name string) string {
	var parts []string
	for ; n.parent != nil; n = n.parent {
		parts = append(parts, QuoteKey(n.name))
	}
	slices.Reverse(parts)
	return strings.Join(append(parts, QuoteKey(name)), ".")
}

// IsTable tells whether the file has a table: [NAME], dotted keys, or { … }.
func (n *Value) IsTable() bool { return n.kind == tableKind }

// IsList tells whether it has a list, [ … ] or [[NAME]].
func (n *Value) IsList() bool { return n.kind == listKind }

// IsString tells whether it has a string.
func (n *Value) IsString() bool { return n.kind == stringKind }

// IsInteger tells whether it has a whole number.
func (n *Value) IsInteger() bool { return n.kind == integerKind }

// Text is the content of a string, or a number, boolean or time as the file has it; "" for lists and tables.
func (n *Value) Text() string { return string(n.text) }

// Items are those of a list; do not change them.
func (n *Value) Items() []*Value { return n.items }

// Fields are what a table has, in the order of the file; do not change them.
func (n *Value) Fields() []*Value { return n.fields.list }

// Describe says in words what the file has, such as "a string", for messages that say "must be …, not …".
func (n *Value) Describe() string {
	switch n.kind {
	case stringKind:
		return "a string"
	case boolKind:
		return "a boolean"
	case integerKind:
		return "a number"
	case floatKind:
		return "a fraction"
	case listKind:
		if n.origin == headed {
			return fmt.Sprintf("a list of tables, [[%s]]", n.Key())
		}
		return "a list"
	case tableKind:
		return "a table"
	default:
		return "a date or time"
	}
}

// Decode fills what a pointer points to, by the rules of the package, and says whether that went well. What is
// wrong has been reported.
func (n *Value) Decode(into any) (ok bool) {
	return n.Document().value(reflect.ValueOf(into).Elem(), n)
}

// Mistake is one about the value, at its place. Nobody has been told of it.
func (n *Value) Mistake(err error) *Error { return n.src.Mistake(n.valueAt, n.Key(), err) }

// keyMistake is one about the key.
func (n *Value) keyMistake(err error) *Error { return n.src.Mistake(n.keyAt, n.Key(), err) }

// Report records a mistake about the value.
func (n *Value) Report(err error) { n.Document().Report(n.Mistake(err)) }

// appendTo appends all that the decoder sees of n, so that values are equal when what they append is.
func (n *Value) appendTo(b []byte) []byte {
	b = append(b, byte(n.kind), byte(n.origin))
	b = binary.AppendUvarint(b, uint64(len(n.name)))
	b = append(b, n.name...)
	b = binary.AppendUvarint(b, uint64(len(n.text)))
	b = append(b, n.text...)
	for _, below := range [][]*Value{n.items, n.fields.list} {
		b = binary.AppendUvarint(b, uint64(len(below)))
		for _, child := range below {
			b = child.appendTo(b)
		}
	}
	return b
}
