package config

import (
	"fmt"
	"slices"
)

// What a type of your own may say of itself. None of it is needed: a type that has [encoding.TextUnmarshaler] is
// written as a string, and with [encoding.TextMarshaler] can be dumped.

// A Decoder is written in a way of its own. It is asked with what the file has, returns what is wrong with that as a
// whole, and reports what is wrong within it. What it has been filled with then is not used.
type Decoder interface{ Decode(from *Value) error }

// An Encoder is dumped as something else: what Encode returns.
type Encoder interface{ Encode() any }

// A Described type says in words what its value must be, for [Keys]: "signal".
type Described interface{ Kind() string }

// A Tabular type has the keys of a struct, though it is none: they are those of what Table returns.
type Tabular interface{ Table() any }

// A Guesser knows how a text was probably meant that has no quotes where a value of the type belongs: why it is wrong,
// and the value as it would be written; "" if that is anybody's guess. It is asked of a zero value.
type Guesser interface {
	Guess(d *Document, text string) (why, meant string)
}

// A NameValidator says what is wrong with a name that the file may choose: that of a table, or a key of a map.
type NameValidator interface{ ValidateName(name string) error }

// A Validator knows what holds across the keys of a table. It is asked when they have been decoded, those that are
// wrong in themselves included, which have their defaults; see [Table.Has].
type Validator interface{ Validate(t *Table) }

// Table is a table as its file has it.
type Table struct {
	*Value
	mistaken []string
}

// Has tells whether the key is there, and right in itself.
func (t *Table) Has(key string) bool { return t.At(key) != nil && !slices.Contains(t.mistaken, key) }

// Mistaken tells whether any key, or one of these if there are any, is wrong in itself.
func (t *Table) Mistaken(keys ...string) bool {
	return len(keys) == 0 && len(t.mistaken) > 0 ||
		slices.ContainsFunc(keys, func(key string) bool { return slices.Contains(t.mistaken, key) })
}

// Wrong reports a mistake about the value of a key; of one that is not there, at the table.
func (t *Table) Wrong(key, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if n := t.At(key); n != nil {
		n.Report(err)
		return
	}
	t.Document().Report(t.src.Mistake(t.keyAt, t.sub(key), err))
}

// Warn records what may not be meant, at the first of the keys that is there and right in itself; nothing when none is.
func (t *Table) Warn(format string, args []any, keys ...string) {
	for _, key := range keys {
		if t.Has(key) {
			d := t.Document()
			d.Warnings = append(d.Warnings, t.At(key).Mistake(fmt.Errorf(format, args...)))
			return
		}
	}
}
