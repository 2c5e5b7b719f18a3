package config

import "slices"

// fields is what a table holds, in the order of the file. Its zero value is empty.
type fields struct {
	list  []*Value
	index map[string]*Value // nil while the list is short: most tables are, and a map costs them most of their time
}

const short = 8

func (f *fields) get(name []byte) *Value {
	if f.index != nil {
		return f.index[string(name)]
	}
	for _, n := range f.list {
		if n.name == string(name) {
			return n
		}
	}
	return nil
}

// add adds a node whose name is not there yet.
func (f *fields) add(n *Value) {
	if f.list == nil {
		f.list = make([]*Value, 0, short)
	}
	f.list = append(f.list, n)
	if f.index != nil {
		f.index[n.name] = n
	} else if len(f.list) > short {
		f.index = make(map[string]*Value, 2*short)
		for _, n := range f.list {
			f.index[n.name] = n
		}
	}
}

// take removes a node and returns it, or nil.
func (f *fields) take(name string) *Value {
	n := f.get([]byte(name))
	if n != nil {
		f.list = slices.DeleteFunc(f.list, func(other *Value) bool { return other == n })
		delete(f.index, name)
	}
	return n
}
