package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Load reads the file and all that it includes, each once: the bytes that are checked are the bytes
// that are used. A relative path means the working directory at the time of the call.
//
// The error is of type [Errors] and holds every mistake that can be told at once, what is lacking included: a file that
// is not TOML gives its first syntax error only. When nothing is wrong it is nil, and Config.Lacking has what is lacking.
func Load(path string) (*Config, error) { return LoadOn(Machine{}, path) }

// Machine finds what this package does not know how to look for. What nobody can look for is not lacking.
type Machine struct {
	// Cgroup tells why no program can be given a cgroup with these controllers, "memory" and the like. Nil: nobody can look.
	Cgroup func(controllers ...string) error
}

// LoadOn is Load, with more that is looked for.
func LoadOn(m Machine, path string) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, Errors{{File: path, Err: err}}
	}
	return loadOn(m, abs, disk{})
}

// document is what a file may hold. Include never outlives the reading: Config has what it brought in.
type document struct {
	Include []string `toml:"include" doc:"files to read too, as patterns relative to this file's directory; they hold programs only"`
	Config
}

func load(path string, files files) (*Config, error) { return loadOn(Machine{}, path, files) }

func loadOn(m Machine, path string, files files) (*Config, error) {
	l, c := read(path, files)
	if l.main != nil {
		c.Lacking = l.look(c, m)
	}
	if len(l.mistakes) == 0 {
		return c, nil
	}
	for _, lacking := range c.Lacking {
		if !errors.Is(lacking, fs.ErrPermission) && !isInUse(lacking) { // of this process, which may only be asking
			l.report(lacking)
		}
	}
	l.mistakes.sort()
	return nil, l.mistakes
}

// Salvage returns what can be understood of a configuration: whatever is wrong or cannot be read has its default. It is
// for finding the daemon that runs, to tell of it or to stop it; never start anything with it.
func Salvage(path string) *Config {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	_, c := read(abs, disk{})
	return c
}

func read(path string, files files) (*loader, *Config) {
	l := &loader{decoder: newDecoder(files), seen: map[fileID]bool{}}
	var doc document
	l.table(reflect.ValueOf(&doc).Elem(), &node{kind: unstable.Table}) // the defaults
	l.mistakes, l.path = nil, path
	if err := l.file(path, nil); err != nil {
		l.report(&Error{File: path, Err: err})
	} else if l.main != nil {
		l.table(reflect.ValueOf(&doc).Elem(), l.main)
		l.order(doc.Programs)
		l.cgroups(&doc.Config)
		l.instances(&doc.Config)
		l.listens(doc.Programs)
	}
	l.warnings.sort()
	doc.Warnings = l.warnings
	doc.Files = l.read
	l.mistakes.sort()
	return l, &doc.Config
}

// loader merges a file and its includes into one tree. The nodes remember where they come from, so
// that decoding need not know of files.
type loader struct {
	*decoder
	main    *node           // the main file's root, to which the programs of the included files are added
	read    []string        // the files, in this order
	seen    map[fileID]bool // true while the file's own includes are being read
	active  []string        // the files being read, each included by the one before it
	partial bool            // something could not be read: what seems to be missing may be there
}

// file reads one file; parent is nil for the main file. The error is about the file as a whole,
// and is for whoever named the file to report.
func (l *loader) file(path string, parent *node) error {
	data, id, err := l.files.read(path)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", what(path, parent), err)
	}
	if reading, ok := l.seen[id]; reading {
		return fmt.Errorf("files include each other: %s", strings.Join(append(l.active, path), " includes "))
	} else if ok {
		return nil // two patterns match it
	}
	l.seen[id] = true
	l.active = append(l.active, path)
	l.read = append(l.read, path)

	root, mistakes := parse(newSource(path, data), l.files)
	l.report(mistakes...)
	l.partial = l.partial || root == nil
	if root != nil {
		include := root.fields.take("include")
		if parent == nil {
			l.main = root
		} else {
			l.merge(root)
		}
		if include != nil {
			l.include(path, include)
		}
	}
	l.active = l.active[:len(l.active)-1]
	l.seen[id] = false
	return nil
}

// what names a file in a message that has the name already when it is the main file.
func what(path string, parent *node) string {
	if parent == nil {
		return "the configuration"
	}
	return path
}

// include reads what the patterns of one file match.
func (l *loader) include(path string, n *node) {
	var patterns []string
	if !l.value(reflect.ValueOf(&patterns).Elem(), n) {
		l.partial = true
		return
	}
	for i, pattern := range patterns {
		at := n.items[i]
		matches, err := expand(l.files, filepath.Dir(path), pattern)
		if err != nil {
			l.partial = true
			l.report(at.valueError(err))
		}
		for _, match := range matches {
			err := l.file(match, at)
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w; create it, or write a pattern with *, which may match nothing", err)
			}
			if err != nil {
				l.partial = true
				l.report(at.valueError(err))
			}
		}
	}
}

// merge adds an included file's programs to those of the main file.
func (l *loader) merge(root *node) {
	s := schemaOf(reflect.TypeFor[document]())
	for _, n := range root.fields.list {
		switch {
		case s.byName[n.name] == nil:
			_, err := l.unknownKey(n, s)
			l.report(n.keyError(err))
		case n.name != "program":
			l.report(n.keyError(fmt.Errorf("belongs in the main file, %s; an included file may hold only [program.NAME] and include", l.main.src.path)))
		case n.kind != unstable.Table:
			l.report(n.valueError(errors.New("must be tables, [program.NAME], not " + describe(n))))
		default:
			l.mergePrograms(n)
		}
	}
}

func (l *loader) mergePrograms(from *node) {
	to := l.main.fields.get([]byte("program"))
	if to == nil {
		to = &node{src: from.src, parent: l.main, name: "program", kind: unstable.Table}
		l.main.fields.add(to)
	}
	if to.kind != unstable.Table {
		return // the decoder will say so
	}
	for _, n := range from.fields.list {
		if first := to.fields.get([]byte(n.name)); first != nil {
			l.report(n.keyError(definedTwice(first, n.src)))
			continue
		}
		to.fields.add(n)
	}
}
