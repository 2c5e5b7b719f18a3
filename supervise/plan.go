package supervise

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// changes is what leads from one set of programs to another, by name.
type changes struct {
	gone, added, changed, same []string
}

func (c changes) String() string {
	return fmt.Sprintf("+%d ~%d -%d =%d", len(c.added), len(c.changed), len(c.gone), len(c.same))
}

// plan compares two sets. What a running process cannot take on makes it changed; policy, such as Restart, does not.
func plan(old, next map[string]*Program) (c changes) {
	for name := range old {
		if next[name] == nil {
			c.gone = append(c.gone, name)
		}
	}
	for name, p := range next {
		switch was := old[name]; {
		case was == nil:
			c.added = append(c.added, name)
		case was.sameProcess(p):
			c.same = append(c.same, name)
		default:
			c.changed = append(c.changed, name)
		}
	}
	for _, names := range [][]string{c.gone, c.added, c.changed, c.same} {
		slices.Sort(names)
	}
	return c
}

// sameProcess reports whether a process that runs as p is right for q too.
func (p *Program) sameProcess(q *Program) bool {
	return slices.Equal(p.Command, q.Command) && p.Directory == q.Directory &&
		maps.Equal(p.Environment, q.Environment) && reflect.DeepEqual(p.User, q.User) &&
		reflect.DeepEqual(p.Setup, q.Setup) && reflect.DeepEqual(p.Ready, q.Ready) &&
		p.Output == q.Output && p.OneShot == q.OneShot && slices.Equal(p.gateCommand(), q.gateCommand())
}
