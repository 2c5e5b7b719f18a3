package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/cycle"
)

// maxSuggestions bounds how often all names are searched for a near one.
const maxSuggestions = 50

// order checks what programs say of each other, in after and requires.
func (l *loader) order(programs []Program) {
	root := l.Root.At("program")
	if root == nil || len(programs) == 0 {
		return
	}
	o := &ordering{loader: l, root: root, needs: map[string][]need{}}
	for i := range programs {
		if programs[i].Settings != nil { // nil in what is no table
			o.collect(&programs[i])
		}
	}
	o.cycles()
}

// need is one name in a list, and the place of it.
type need struct {
	name string
	at   *config.Value
}

type ordering struct {
	*loader
	root      *config.Value
	needs     map[string][]need // of each program that has any
	suggested int
}

// collect checks the names in the lists of one program, and keeps the good ones.
func (o *ordering) collect(p *Program) {
	for i, list := range [][]string{p.After, p.Requires} {
		if len(list) == 0 {
			continue
		}
		key := [...]string{"after", "requires"}[i]
		n := o.root.At(p.Name, key)
		seen := make(map[string]bool, len(list))
		for j, name := range list {
			if at := n.Items()[j]; seen[name] {
				at.Report(fmt.Errorf("%q is there twice; remove one", name))
			} else if p.Instances == nil || !strings.Contains(name, "%") {
				o.need(p, name, at)
			} else {
				for i := range *p.Instances {
					if !o.need(p, marksFor(strconv.Itoa(i+1)).Replace(name), at) {
						break // once is enough
					}
				}
			}
			seen[name] = true
		}
	}
}

// need takes one name, and says whether it is good. Instances need, and are needed, together: whoever waits for one of
// those that wait for it in turn waits for itself.
func (o *ordering) need(p *Program, name string, at *config.Value) bool {
	section := o.sectionOf(name)
	switch needs := o.needs[p.Name]; {
	case section == "":
		o.unknown(name, at)
		return false
	case section == p.Name && p.Instances != nil:
		at.Report(errors.New("the instances of a section cannot wait for each other; remove it"))
		return false
	case section == p.Name:
		at.Report(errors.New("a program cannot wait for itself; remove it"))
		return false
	case section == name && o.pairs(p, section) > maxPairs:
		at.Report(fmt.Errorf("%d instances would wait for each of %d, which takes long at each start and stop; "+
			"%q has each wait for one of its number", *p.Instances, *o.sections[section].program.Instances, section+":%i"))
		return false
	case len(needs) == 0 || needs[len(needs)-1] != need{section, at}:
		o.needs[p.Name] = append(needs, need{section, at})
	}
	return true
}

// maxPairs bounds how many instances of one section may wait for how many of another: each end of one has all of the
// others looked at.
const maxPairs = 100_000

// pairs is the number of those that wait for each other's sections as a whole, 0 where only one has instances.
func (o *ordering) pairs(p *Program, section string) int {
	if s := o.sections[section]; s != nil && p.Instances != nil {
		return *p.Instances * *s.program.Instances
	}
	return 0
}

// sectionOf is the section that makes the program of that name, or all programs if it is the section's;
// "" if none does.
func (o *ordering) sectionOf(name string) string {
	if o.root.At(name) != nil {
		return name
	}
	section, number, _ := strings.Cut(name, ":")
	if s := o.sections[section]; s != nil {
		if n, err := strconv.Atoi(number); err == nil && strconv.Itoa(n) == number && 1 <= n && n <= *s.program.Instances {
			return section
		}
	}
	return ""
}

func (o *ordering) unknown(name string, at *config.Value) {
	if o.Partial {
		return // it may be in what could not be read, of which has been told
	}
	if section, number, numbered := strings.Cut(name, ":"); numbered && o.root.At(section) != nil {
		if s := o.sections[section]; s != nil {
			at.Report(fmt.Errorf("there is no program %q; %s has instances 1 to %d", name, section, *s.program.Instances))
			return
		} else if isNumber(number) {
			at.Report(fmt.Errorf("there is no program %q; %s has no instances", name, section))
			return
		}
	}
	if o.suggested++; o.suggested <= maxSuggestions {
		near := config.Nearest(name, func(yield func(string) bool) {
			for _, n := range o.root.Fields() {
				if !yield(n.Name()) {
					return
				}
			}
		})
		if near != "" {
			at.Report(fmt.Errorf("there is no program %q; did you mean %q?", name, near))
			return
		}
	}
	at.Report(fmt.Errorf("there is no program %q", name))
}

// cycles reports one cycle for each set of programs that all wait for each other.
func (o *ordering) cycles() {
	names := make(map[string][]string, len(o.needs))
	for name, needs := range o.needs {
		list := make([]string, len(needs))
		for i, need := range needs {
			list[i] = need.name
		}
		names[name] = list
	}
	for _, way := range cycle.Find(names) {
		o.reportCycle(way)
	}
}

// maxNamed bounds the names in a message.
const maxNamed = 12

func (o *ordering) reportCycle(way []string) {
	first := way[0]
	second := way[1]
	if more := len(way) - maxNamed; more > 1 {
		way = append(append(way[:maxNamed/2:maxNamed/2], fmt.Sprintf("… (%d more)", more)), way[len(way)-maxNamed/2:]...)
	}
	for _, need := range o.needs[first] {
		if need.name == second {
			need.at.Report(fmt.Errorf("programs wait for each other: %s; break the circle", strings.Join(way, " needs ")))
			return
		}
	}
}
