// Package cycle finds what waits for each other in a circle.
package cycle

import (
	"maps"
	"slices"
)

// Find returns one cycle for each set of names that all need each other, directly or not: a shortest one through the
// first name of the set, which is its first and its last element. The sets come in the order of their first names. A
// name may be needed that needs nothing itself. Nil: there is none. The time is linear in the number of names and
// needs.
func Find(needs map[string][]string) [][]string {
	s := search{needs: needs, visits: make(map[string]*visit, len(needs)), group: map[string]int{},
		found: map[string][]string{}}
	for _, name := range slices.Sorted(maps.Keys(needs)) {
		if s.visits[name] == nil {
			s.visit(name)
		}
	}
	var found [][]string
	for _, first := range slices.Sorted(maps.Keys(s.found)) {
		found = append(found, s.found[first])
	}
	return found
}

// search is Tarjan's algorithm for strongly connected components, without recursion.
type search struct {
	needs  map[string][]string
	visits map[string]*visit
	group  map[string]int // of those whose set is complete, the number of it
	stack  []string
	found  map[string][]string // cycles, by their first names
}

type visit struct{ index, low int }

func (s *search) visit(root string) {
	type frame struct {
		name string
		next int
	}
	enter := func(name string) frame {
		s.visits[name] = &visit{len(s.visits), len(s.visits)}
		s.stack = append(s.stack, name)
		return frame{name: name}
	}
	for calls := []frame{enter(root)}; len(calls) > 0; {
		f := &calls[len(calls)-1]
		v := s.visits[f.name]
		if needs := s.needs[f.name]; f.next < len(needs) {
			name := needs[f.next]
			f.next++
			if w := s.visits[name]; w == nil {
				calls = append(calls, enter(name))
			} else if _, complete := s.group[name]; !complete {
				v.low = min(v.low, w.index)
			}
			continue
		}
		calls = calls[:len(calls)-1]
		if len(calls) > 0 {
			w := s.visits[calls[len(calls)-1].name]
			w.low = min(w.low, v.low)
		}
		if v.low == v.index {
			s.complete(f.name, v.index)
		}
	}
}

// complete takes a set from the stack, down to last, which was visited first.
func (s *search) complete(last string, number int) {
	first, size := last, 0
	for complete := false; !complete; size++ {
		name := s.stack[len(s.stack)-1]
		complete = name == last
		s.stack = s.stack[:len(s.stack)-1]
		s.group[name] = number
		first = min(first, name)
	}
	if size > 1 || slices.Contains(s.needs[first], first) {
		s.found[first] = s.shortest(first)
	}
}

// shortest is the shortest way from a name back to itself within its set, breadth first.
func (s *search) shortest(first string) []string {
	from := map[string]string{}
	for queue := []string{first}; ; queue = queue[1:] {
		for _, name := range s.needs[queue[0]] {
			if g, ok := s.group[name]; !ok || g != s.group[first] {
				continue
			}
			if _, known := from[name]; known {
				continue
			}
			from[name] = queue[0]
			if name != first {
				queue = append(queue, name)
				continue
			}
			way := []string{first}
			for name := from[first]; name != first; name = from[name] {
				way = append(way, name)
			}
			way = append(way, first)
			slices.Reverse(way) // it was found from its end
			return way
		}
	}
}
