package config

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// node is one value of a TOML document, and where it stands. go-toml's own decoder is not used because
// its time grows with the square of the number of sibling tables, and because it stops at the first mistake.
type node struct {
	src     *source
	parent  *node // nil for the root
	name    string
	keyAt   uint32
	valueAt uint32
	kind    unstable.Kind // Table for every sort of table, Array for every sort of array
	origin  origin
	text    []byte  // of a scalar: its content; may be part of src.data
	items   []*node // of an Array; they share the array's name and parent
	fields  fields  // of a Table
}

// origin is how a table or array came to be: TOML lets each be added to in its own way.
type origin uint8

const (
	written origin = iota // as a value, { } or [ ]: complete, nothing may be added
	dotted                // by a.b = value: dotted keys may add
	implied               // a, by [a.b]: may yet get its own header
	headed                // by [a] or [[a]]
)

// key is the dotted name of the node.
func (n *node) key() string {
	if n.parent == nil {
		return ""
	}
	return n.parent.sub(n.name)
}

// sub is the dotted name that a key called name has, or would have, in n.
func (n *node) sub(name string) string {
	var parts []string
	for ; n.parent != nil; n = n.parent {
		parts = append(parts, quoteKey(n.name))
	}
	slices.Reverse(parts)
	return strings.Join(append(parts, quoteKey(name)), ".")
}

// appendTo appends all that the decoder sees of n, so that nodes are equal when what they append is.
func (n *node) appendTo(b []byte) []byte {
	b = append(b, byte(n.kind), byte(n.origin))
	b = binary.AppendUvarint(b, uint64(len(n.name)))
	b = append(b, n.name...)
	b = binary.AppendUvarint(b, uint64(len(n.text)))
	b = append(b, n.text...)
	for _, below := range [][]*node{n.items, n.fields.list} {
		b = binary.AppendUvarint(b, uint64(len(below)))
		for _, child := range below {
			b = child.appendTo(b)
		}
	}
	return b
}

// below is the value of a key, or of a key in a table in n, and so on; nil when it is not there.
func (n *node) below(keys ...string) *node {
	for _, key := range keys {
		if n != nil {
			n = n.fields.get([]byte(key))
		}
	}
	return n
}

// keyError is a mistake about the key itself, valueError one about its value.
func (n *node) keyError(err error) *Error   { return n.src.errorAt(n.keyAt, n.key(), err) }
func (n *node) valueError(err error) *Error { return n.src.errorAt(n.valueAt, n.key(), err) }

// parse reads a document. Its time is linear in the document's length. The root is nil when the
// document is not TOML at all: then what was read so far would only mislead. A key that is defined
// twice is a mistake too, but the root has its first value.
func parse(src *source, files files) (root *node, mistakes []*Error) {
	b := &builder{src: src, files: files, root: &node{src: src, kind: unstable.Table, origin: headed}}
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
	src      *source
	files    files // where what was meant is looked for
	root     *node
	table    *node // that the last header named
	mistakes []*Error
	chunk    []node // from which nodes are taken: one allocation for many
}

func (b *builder) node(n node) *node {
	if len(b.chunk) == cap(b.chunk) {
		b.chunk = make([]node, 0, 64)
	}
	b.chunk = append(b.chunk, n)
	return &b.chunk[len(b.chunk)-1]
}

// header finds or makes the table that [a.b.c] or [[a.b.c]] names.
func (b *builder) header(e *unstable.Node) *node {
	table := b.root
	for it := e.Key(); it.Next(); {
		part := it.Node()
		n := table.fields.get(part.Data)
		switch last := it.IsLast(); {
		case n == nil && last && e.Kind == unstable.ArrayTable:
			n = b.add(table, part, unstable.Array, headed)
			n = n.appendTable(part.Raw.Offset)
		case n == nil && last:
			n = b.add(table, part, unstable.Table, headed)
		case n == nil:
			n = b.add(table, part, unstable.Table, implied)
		case n.origin == written:
			return b.twice(table, n, part)
		case last && e.Kind == unstable.ArrayTable:
			if n.kind != unstable.Array {
				return b.twice(table, n, part)
			}
			n = n.appendTable(part.Raw.Offset)
		case last:
			if n.origin != implied {
				return b.twice(table, n, part)
			}
			n.origin = headed
			n.keyAt, n.valueAt = part.Raw.Offset, part.Raw.Offset
		case n.kind == unstable.Array:
			n = n.items[len(n.items)-1]
		}
		table = n
	}
	return table
}

// appendTable adds the table of one more [[n]].
func (n *node) appendTable(at uint32) *node {
	item := &node{src: n.src, parent: n.parent, name: n.name, keyAt: at, valueAt: at, kind: unstable.Table, origin: headed}
	n.items = append(n.items, item)
	return item
}

// assign adds a.b.c = value to the table.
func (b *builder) assign(table *node, e *unstable.Node) {
	for it := e.Key(); it.Next(); {
		part := it.Node()
		n := table.fields.get(part.Data)
		switch {
		case n != nil && (it.IsLast() || n.origin != dotted):
			b.twice(table, n, part)
			return
		case it.IsLast():
			n = b.add(table, part, unstable.Invalid, written)
			b.fill(n, e.Value(), b.valueOffset(part))
		case n == nil:
			n = b.add(table, part, unstable.Table, dotted)
		}
		table = n
	}
}

// fill gives n the value v, which begins at the offset at unless it knows better.
func (b *builder) fill(n *node, v *unstable.Node, at uint32) {
	n.kind, n.valueAt = v.Kind, at
	switch v.Kind {
	case unstable.InlineTable:
		n.kind = unstable.Table
		for it := v.Children(); it.Next(); {
			b.assign(n, it.Node())
		}
	case unstable.Array:
		for it := v.Children(); it.Next(); {
			item := b.node(node{src: n.src, parent: n.parent, name: n.name, keyAt: n.keyAt})
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

func (b *builder) add(table *node, part *unstable.Node, kind unstable.Kind, origin origin) *node {
	at := part.Raw.Offset
	n := b.node(node{
		src: b.src, parent: table, name: string(part.Data), keyAt: at, valueAt: at, kind: kind, origin: origin,
	})
	table.fields.add(n)
	return n
}

// twice records that part is in the table already, as n, and returns a table of no consequence
// for what follows it.
func (b *builder) twice(table, n *node, part *unstable.Node) *node {
	b.mistakes = append(b.mistakes, b.src.errorAt(part.Raw.Offset, table.sub(n.name), definedTwice(n, b.src)))
	return &node{src: b.src, parent: table, name: n.name, kind: unstable.Table, origin: headed}
}

func definedTwice(first *node, from *source) error {
	return fmt.Errorf("defined twice, first at %s; remove one", first.src.where(first.keyAt, from))
}
