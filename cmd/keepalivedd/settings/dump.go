package settings

import (
	"bytes"
	"fmt"
	"io"

	"github.com/keepalivedd/keepalivedd/config"
)

// Dump writes the configuration as it was understood, as TOML: defaults filled in, includes merged,
// programs sorted by name, a section with instances once, as it is. [Load] reads an equal Config from it.
func (c *Config) Dump(w io.Writer) error {
	var b bytes.Buffer
	top := *c
	top.Programs = nil
	err := config.Dump(&b, &top)
	for i := 0; i < len(c.Programs) && err == nil; i++ {
		p, file := &c.Programs[i], ""
		name, number := p.section()
		if s := c.sections[name]; s != nil && number == "1" {
			p, file = &s.program, s.environmentFile
		} else if s != nil {
			continue
		}
		err = config.DumpTable(&b, "program."+config.QuoteKey(name), p)
		if file != "" {
			fmt.Fprintf(&b, "environment_file = %s\n", config.Quote(file))
		}
	}
	if err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// Keys lists every key, in the order of the schema, the keys of a table after those of the table it is in.
func Keys() []config.Key { return config.Keys(new(Config)) }

// NeedsRestart names the keys that differ between c and next and that a running daemon cannot
// change; it is nil when next can be put in force.
func (c *Config) NeedsRestart(next *Config) []string {
	_, fixed := c.differ(next)
	return fixed
}

// Differing names the keys that differ between c and next, but for those of programs; a table that only one of them has
// is one key.
func (c *Config) Differing(next *Config) []string {
	keys, _ := c.differ(next)
	return keys
}

func (c *Config) differ(next *Config) (keys, fixed []string) {
	a, b := *c, *next
	a.Programs, b.Programs = nil, nil
	return config.Differ(&a, &b)
}
