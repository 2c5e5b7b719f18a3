package settings

import (
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A section with instances is decoded, and ordered, once, as any other is: what is wrong with it is told once. Then the
// programs that it makes are made.

// section is a section with instances as the file has it.
type section struct {
	program         Program
	environmentFile string // was not read for the program, which has none of the marks in it replaced
}

// names are the names of the instances.
func (s *section) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range *s.program.Instances {
			if !yield(s.program.Name + ":" + strconv.Itoa(i+1)) {
				return
			}
		}
	}
}

// section gives the NAME of the [program.NAME] that p comes from, and the number of an instance, else "": the file can
// give no program a name with a colon.
func (p *Program) section() (name, number string) {
	name, number, _ = strings.Cut(p.Name, ":")
	return name, number
}

// instances puts what sections with instances make in their place.
func (l *loader) instances(c *Config) {
	if len(l.sections) == 0 {
		return
	}
	l.nameInstances(c.Programs)
	var all []Program
	for _, p := range c.Programs {
		if s := l.sections[p.Name]; s == nil {
			all = append(all, p)
		} else {
			all = l.appendInstances(all, s)
		}
	}
	c.Programs, c.sections = all, l.sections
}

// nameInstances has programs wait for the instances of the sections that they name. It does so once for all that share
// their settings.
func (l *loader) nameInstances(programs []Program) {
	seen := map[*Settings]bool{nil: true} // nil in what is no table
	for i := range programs {
		settings := programs[i].Settings
		if seen[settings] {
			continue
		}
		seen[settings] = true
		for _, list := range []*[]string{&settings.After, &settings.Requires} {
			if !slices.ContainsFunc(*list, func(name string) bool { return l.sections[name] != nil }) {
				continue
			}
			var all []string
			for _, name := range *list {
				if s := l.sections[name]; s == nil {
					all = append(all, name)
				} else {
					all = slices.AppendSeq(all, s.names())
				}
			}
			*list = all
		}
	}
}

// appendInstances appends the instances of a section. They share what is the same for all of them.
func (l *loader) appendInstances(all []Program, s *section) []Program {
	same := s.program
	file, fixed := s.environmentFile, !strings.Contains(s.environmentFile, "%") && !marked(s.program.Environment)
	if fixed && file != "" {
		l.addFile(&same, file)
	}
	told := false
	for name := range s.names() {
		_, number, _ := strings.Cut(name, ":")
		m := marksFor(number)
		v, _ := m.in(reflect.ValueOf(s.program))
		p := v.Interface().(Program)
		p.Name = name
		if u := p.User; u != nil && strings.Contains(u.spec, "%") {
			f := l.users.lookup(m.Replace(u.spec))
			p.User = f.user
			if f.wrong != nil && !told {
				told = true
				l.Root.At("program", s.program.Name, "user").Report(f.wrong)
			}
		}
		if fixed {
			p.Environment, p.ReadEnvironment = same.Environment, same.ReadEnvironment
		} else if file != "" {
			l.addFile(&p, m.Replace(file))
		}
		all = append(all, p)
	}
	return all
}
