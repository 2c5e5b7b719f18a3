package supervise

import (
	"fmt"
	"maps"
	"slices"
)

// changes is what leads from one set of programs to another, by name.
type changes struct {
	gone, added, changed, same []string
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

func (p *Program) sameProcess(q *Program) bool {
	return slices.Equal(p.Command, q.Command) && p.Directory == q.Directory &&
		maps.Equal(p.Environment, q.Environment) && p.User.equal(q.User) && p.Output == q.Output
}

func (u *User) equal(v *User) bool {
	if u == nil || v == nil {
		return u == v
	}
	return u.Name == v.Name && u.UID == v.UID && u.GID == v.GID && slices.Equal(u.Groups, v.Groups) &&
		u.Home == v.Home && u.Shell == v.Shell
}

func (c changes) String() string {
	return fmt.Sprintf("+%d ~%d -%d =%d", len(c.added), len(c.changed), len(c.gone), len(c.same))
}
