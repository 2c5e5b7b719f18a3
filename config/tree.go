package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// This file is the only one that knows go-toml. Its own decoder is not used because its time grows with the square of
// the number of sibling tables, and because it stops at the first mistake.

// kinds are ours by the parser's.
var kinds = [...]kind{
	unstable.Array: listKind, unstable.InlineTable: tableKind, unstable.String: stringKind, unstable.Bool: boolKind,
	unstable.Integer: integerKind, unstable.Float: floatKind,
	unstable.LocalDate: timeKind, unstable.LocalTime: timeKind, unstable.LocalDateTime: timeKind,
	unstable.DateTime: timeKind,
}

// parse reads a document. Its time is linear in the document's length. The root is nil when the
// document is not TOML at all: then what was read so far would only mislead. A key that is defined
// twice is a mistake too, but the root has its first value.
func (d *Document) parse(src *Source) (root *Value, mistakes []*Error) {
	src.document = d
	b := &builder{document: d, src: src, root: &Value{src: src, kind: tableKind, origin: headed}}
	b.table = b.root
	b.parser.Reset(src.data)
	for b.parser.NextExpression() {
		switch e := b.parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			b.table = b.header(e)
		case unstable.KeyValue:
			b.assign(b.table, e)
		}
	}
	if err := b.parser.Error(); err != nil {
		at := uint32(max(len(src.data)-1, 0))
		var pe *unstable.ParserError
		if errors.As(err, &pe) {
			at = uint32(cap(src.data) - cap(pe.Highlight))
		}
		return nil, b.notTOML(at, err)
	}
	return b.root, b.mistakes
}

type builder struct {
	parser   unstable.Parser
	document *Document
	src      *Source
	root     *Value
	table    *Value // that the last header named
	mistakes []*Error
	chunk    []Value // from which nodes are taken: one allocation for many
}

func (b *builder) value(n Value) *Value {
	if len(b.chunk) == cap(b.chunk) {
		b.chunk = make([]Value, 0, 64)
	}
	b.chunk = append(b.chunk, n)
	return &b.chunk[len(b.chunk)-1]
}

// header finds or makes the table that [a.b.c] or [[a.b.c]] names.
func (b *builder) header(e *unstable.Node) *Value {
	table := b.root
	for it := e.Key(); it.Next(); {
		part := it.Node()
		n := table.fields.get(part.Data)
		switch last := it.IsLast(); {
		case n == nil && last && e.Kind == unstable.ArrayTable:
			n = b.add(table, part, listKind, headed)
			n = n.appendTable(part.Raw.Offset)
		case n == nil && last:
			n = b.add(table, part, tableKind, headed)
		case n == nil:
			n = b.add(table, part, tableKind, implied)
		case n.origin == written:
			return b.twice(table, n, part)
		case last && e.Kind == unstable.ArrayTable:
			if n.kind != listKind {
				return b.twice(table, n, part)
			}
			n = n.appendTable(part.Raw.Offset)
		case last:
			if n.origin != implied {
				return b.twice(table, n, part)
			}
			n.origin = headed
			n.keyAt, n.valueAt = part.Raw.Offset, part.Raw.Offset
		case n.kind == listKind:
			n = n.items[len(n.items)-1]
		}
		table = n
	}
	return table
}

// appendTable adds the table of one more [[n]].
func (n *Value) appendTable(at uint32) *Value {
	item := &Value{src: n.src, parent: n.parent, name: n.name, keyAt: at, valueAt: at, kind: tableKind, origin: headed}
	n.items = append(n.items, item)
	return item
}

// assign adds a.b.c = value to the table.
func (b *builder) assign(table *Value, e *unstable.Node) {
	for it := e.Key(); it.Next(); {
		part := it.Node()
		n := table.fields.get(part.Data)
		switch {
		case n != nil && (it.IsLast() || n.origin != dotted):
			b.twice(table, n, part)
			return
		case it.IsLast():
			n = b.add(table, part, 0, written)
			b.fill(n, e.Value(), b.valueOffset(part))
		case n == nil:
			n = b.add(table, part, tableKind, dotted)
		}
		table = n
	}
}

// fill gives n the value v, which begins at the offset at unless it knows better.
func (b *builder) fill(n *Value, v *unstable.Node, at uint32) {
	n.kind, n.valueAt = kinds[v.Kind], at
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			b.assign(n, it.Node())
		}
	case unstable.Array:
		for it := v.Children(); it.Next(); {
			item := b.value(Value{src: n.src, parent: n.parent, name: n.name, keyAt: n.keyAt})
			at := n.valueAt
			if raw := it.Node().Raw; raw.Length > 0 {
				at = raw.Offset
			}
			b.fill(item, it.Node(), at)
			n.items = append(n.items, item)
		}
	default:
		n.text = v.Data
	}
}

// valueOffset is where the value begins whose key ends with part. The parser does not tell it for arrays.
func (b *builder) valueOffset(part *unstable.Node) uint32 {
	at := part.Raw.Offset + part.Raw.Length
	for strings.IndexByte(" \t=", b.src.data[at]) >= 0 {
		at++
	}
	return at
}

func (b *builder) add(table *Value, part *unstable.Node, kind kind, origin origin) *Value {
	at := part.Raw.Offset
	n := b.value(Value{
		src: b.src, parent: table, name: string(part.Data), keyAt: at, valueAt: at, kind: kind, origin: origin,
	})
	table.fields.add(n)
	return n
}

// twice records that part is in the table already, as n, and returns a table of no consequence
// for what follows it.
func (b *builder) twice(table, n *Value, part *unstable.Node) *Value {
	b.mistakes = append(b.mistakes, b.src.Mistake(part.Raw.Offset, table.sub(n.name), definedTwice(n, b.src)))
	return &Value{src: b.src, parent: table, name: n.name, kind: tableKind, origin: headed}
}

func definedTwice(first *Value, from *Source) error {
	return fmt.Errorf("defined twice, first at %s; remove one", first.src.where(first.keyAt, from))
}
