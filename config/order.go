package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxSuggestions bounds how often all names are searched for a near one.
const maxSuggestions = 50

// order checks what programs say of each other, in after and requires.
func (l *loader) order(programs []Program) {
	root := l.main.fields.get([]byte("program"))
	if root == nil || len(programs) == 0 {
		return
	}
	o := &ordering{loader: l, root: root, needs: map[string][]need{}}
	for i := range programs {
		if programs[i].Settings != nil { // nil in what is no table
			o.collect(&programs[i])
		}
	}
	o.cycles(programs)
}

// need is one name in a list, and the place of it.
type need struct {
	name string
	at   *node
}

type ordering struct {
	*loader
	root      *node
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
		n := o.root.fields.get([]byte(p.Name)).fields.get([]byte(key))
		seen := make(map[string]bool, len(list))
		for j, name := range list {
			switch at := n.items[j]; {
			case seen[name]:
				o.report(at.valueError(fmt.Errorf("%q is there twice; remove one", name)))
			case name == p.Name:
				o.report(at.valueError(errors.New("a program cannot wait for itself; remove it")))
			case o.root.fields.get([]byte(name)) == nil:
				o.unknown(name, at)
			default:
				o.needs[p.Name] = append(o.needs[p.Name], need{name, at})
			}
			seen[name] = true
		}
	}
}

func (o *ordering) unknown(name string, at *node) {
	if o.partial {
		return // it may be in what could not be read, of which has been told
	}
	if o.suggested++; o.suggested <= maxSuggestions {
		near := nearest(name, func(yield func(string) bool) {
			for _, n := range o.root.fields.list {
				if !yield(n.name) {
					return
				}
			}
		})
		if near != "" {
			o.report(at.valueError(fmt.Errorf("there is no program %q; did you mean %q?", name, near)))
			return
		}
	}
	o.report(at.valueError(fmt.Errorf("there is no program %q", name)))
}

// cycles reports one cycle, a shortest one of its first program, for each set of programs that all wait for each
// other. Its time is linear in the number of programs and needs: Tarjan's algorithm, without recursion.
func (o *ordering) cycles(programs []Program) {
	type visit struct{ index, low int }
	type frame struct {
		name string
		next int
	}
	visits := make(map[string]*visit, len(o.needs))
	group := map[string]int{} // of those that are done, the number of their set
	var stack []string
	for i := range programs {
		if visits[programs[i].Name] != nil || len(o.needs[programs[i].Name]) == 0 {
			continue
		}
		enter := func(name string) frame {
			visits[name] = &visit{len(visits), len(visits)}
			stack = append(stack, name)
			return frame{name: name}
		}
		for calls := []frame{enter(programs[i].Name)}; len(calls) > 0; {
			f := &calls[len(calls)-1]
			v := visits[f.name]
			if needs := o.needs[f.name]; f.next < len(needs) {
				name := needs[f.next].name
				f.next++
				if w := visits[name]; w == nil {
					calls = append(calls, enter(name))
				} else if _, done := group[name]; !done {
					v.low = min(v.low, w.index)
				}
				continue
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				w := visits[calls[len(calls)-1].name]
				w.low = min(w.low, v.low)
			}
			if v.low != v.index {
				continue
			}
			members, first := 0, f.name
			for last := ""; last != f.name; members++ {
				last = stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				group[last] = v.index
				first = min(first, last)
			}
			if members > 1 {
				o.cycle(first, group)
			}
		}
	}
}

// cycle reports the shortest way from a program back to itself within its set.
func (o *ordering) cycle(first string, group map[string]int) {
	from := map[string]string{}
	for queue := []string{first}; len(queue) > 0; queue = queue[1:] {
		for _, need := range o.needs[queue[0]] {
			if g, ok := group[need.name]; !ok || g != group[first] {
				continue
			}
			if _, known := from[need.name]; known {
				continue
			}
			from[need.name] = queue[0]
			if need.name != first {
				queue = append(queue, need.name)
				continue
			}
			o.reportCycle(first, from)
			return
		}
	}
}

// maxNamed bounds the names in a message.
const maxNamed = 12

func (o *ordering) reportCycle(first string, from map[string]string) {
	way := []string{first}
	for name := from[first]; name != first; name = from[name] {
		way = append(way, name)
	}
	way = append(way, first)
	// The way was found from its end.
	slices.Reverse(way)
	second := way[1]
	if more := len(way) - maxNamed; more > 1 {
		way = append(append(way[:maxNamed/2:maxNamed/2], fmt.Sprintf("… (%d more)", more)), way[len(way)-maxNamed/2:]...)
	}
	for _, need := range o.needs[first] {
		if need.name == second {
			o.report(need.at.valueError(fmt.Errorf("programs wait for each other: %s; break the circle", strings.Join(way, " needs "))))
			return
		}
	}
}
