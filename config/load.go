package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
)

// Load reads the file, and all that it includes, into the struct that into points to. A relative path means the working
// directory at the time of the call. Every field with a toml tag is set, to its default if to nothing else, and all
// others to zero. Any goroutine may call it.
//
// The error is of type [Errors] and holds every mistake that can be told at once; a file that is not TOML gives its
// first syntax error only. Then into is as it was. Load panics when the struct is none that the package comment allows.
func Load(path string, into any) error {
	var d Document
	to := structAt(into)
	check(to.Type(), nil)
	next := reflect.New(to.Type())
	d.Read(path, next.Interface())
	if mistakes := d.Mistakes(); len(mistakes) > 0 {
		return mistakes
	}
	to.Set(next.Elem())
	return nil
}

// Document is a file that is read, with what it includes, by somebody who wants to know more than [Load] tells. Its
// zero value is ready to read, once. It is for one goroutine.
type Document struct {
	// Format says what is to be done about a file in another format, such as "httpd is configured in TOML, see
	// httpd.toml(5)".
	Format string
	// Foreign names the format that a line gives away; "" when it does not. JSON and YAML are known without
	// it; nil: nothing else.
	Foreign func(line string) string
	// Files is where files are read; nil means the machine's file system.
	Files Files
	// Data is for the methods of the struct's own types, who find it with [Value.Document].
	Data any

	// Root is the file as it stands, with the tables that included files bring; nil when it could not be read as TOML.
	Root *Value
	// Sources are the files that were read, the main one first.
	Sources []string
	// Partial tells that something could not be read: what seems to be missing may be there.
	Partial bool
	// Warnings are what is right, and may still not be what was meant.
	Warnings Errors

	mistakes Errors
	path     string       // of the main file
	schema   reflect.Type // of the main file
	texts    map[string]string
	shared   map[string]reflect.Value // embedded pointers, by what the file has
	seen     map[ID]bool              // true while the file's own includes are being read
	active   []string                 // the files being read, each included by the one before it
}

// Read fills the struct that into points to with what can be understood: whatever is wrong or cannot be read has its
// default. See [Document.Mistakes]. Each file is read once: the bytes that are checked are the bytes that are used.
//
// A struct that is none that the package comment allows makes Read panic when it comes to the table which that is, as a
// start with few of many tables is not to wait for the rest; [Load] and [Keys] look at all of them at once.
func (d *Document) Read(path string, into any) {
	to := structAt(into)
	to.Set(schemaOf(to.Type()).blank)
	d.schema = to.Type()
	d.texts, d.shared, d.seen = map[string]string{}, map[string]reflect.Value{}, map[ID]bool{}
	if d.Files == nil {
		d.Files = Disk{}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		d.Report(&Error{File: path, Err: err})
		return
	}
	d.path = abs
	if err := d.file(abs, nil); err != nil {
		d.Report(&Error{File: abs, Err: err})
	} else if d.Root != nil {
		d.table(to, d.Root)
	}
	d.Warnings.sort()
}

// Report records mistakes.
func (d *Document) Report(mistakes ...*Error) { d.mistakes = append(d.mistakes, mistakes...) }

// Mistakes are all that were reported, by their places; nil when there is none.
func (d *Document) Mistakes() Errors {
	d.mistakes.sort()
	return d.mistakes
}

// file reads one file and merges it into the tree. The values remember where they come from, so that decoding need
// not know of files. parent is nil for the main file. The error is about the file as a whole, and is for whoever
// named the file to report.
func (d *Document) file(path string, parent *Value) error {
	data, id, err := d.Files.Read(path)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", what(path, parent), err)
	}
	if reading, ok := d.seen[id]; reading {
		return fmt.Errorf("files include each other: %s", strings.Join(append(d.active, path), " includes "))
	} else if ok {
		return nil // two patterns match it
	}
	d.seen[id] = true
	d.active = append(d.active, path)
	d.Sources = append(d.Sources, path)

	root, mistakes := d.parse(NewSource(path, data))
	d.Report(mistakes...)
	d.Partial = d.Partial || root == nil
	if root != nil {
		var include *Value
		if key := schemaOf(d.schema).include; key != "" {
			include = root.fields.take(key)
		}
		if parent == nil {
			d.Root = root
		} else {
			d.merge(root)
		}
		if include != nil {
			d.include(path, include)
		}
	}
	d.active = d.active[:len(d.active)-1]
	d.seen[id] = false
	return nil
}

// what names a file in a message that has the name already when it is the main file.
func what(path string, parent *Value) string {
	if parent == nil {
		return "the configuration"
	}
	return path
}

// include reads what the patterns of one file match.
func (d *Document) include(path string, n *Value) {
	var patterns []string
	if !n.Decode(&patterns) {
		d.Partial = true
		return
	}
	for i, pattern := range patterns {
		at := n.items[i]
		matches, err := expand(d.Files, filepath.Dir(path), pattern)
		if err != nil {
			d.Partial = true
			at.Report(err)
		}
		for _, match := range matches {
			err := d.file(match, at)
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w; create it, or write a pattern with *, which may match nothing", err)
			}
			if err != nil {
				d.Partial = true
				at.Report(err)
			}
		}
	}
}

// merge adds an included file's named tables to those of the main file.
func (d *Document) merge(root *Value) {
	s := schemaOf(d.schema)
	for _, n := range root.fields.list {
		f := s.byName[n.name]
		switch {
		case f == nil:
			_, err := d.unknownKey(n, s)
			d.Report(n.keyMistake(err))
		case !isNamedTables(f.typ):
			d.Report(n.keyMistake(fmt.Errorf("belongs in the main file, %s; an included file may hold only %s",
				d.path, s.includable())))
		case !n.IsTable():
			n.Report(fmt.Errorf("must be tables, [%s.NAME], not %s", n.Key(), n.Describe()))
		default:
			d.mergeTables(n)
		}
	}
}

// includable lists what an included file may hold.
func (s *schema) includable() string {
	var all []string
	for _, f := range s.fields {
		if isNamedTables(f.typ) {
			all = append(all, "["+f.name+".NAME]")
		}
	}
	return strings.Join(append(all, s.include), " and ")
}

func (d *Document) mergeTables(from *Value) {
	to := d.Root.fields.get([]byte(from.name))
	if to == nil {
		to = &Value{src: from.src, parent: d.Root, name: from.name, kind: tableKind}
		d.Root.fields.add(to)
	}
	if !to.IsTable() {
		return // the decoder will say so
	}
	for _, n := range from.fields.list {
		if first := to.fields.get([]byte(n.name)); first != nil {
			d.Report(n.keyMistake(definedTwice(first, n.src)))
			continue
		}
		to.fields.add(n)
	}
}
