package supervise

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// CheckState returns why a Set could not go on with state, what another has left in [Frozen.State]. It is strict: what
// is not known is an error, as it is not to Restore.
func CheckState(state []byte) error {
	s, err := decodeState(state, true)
	if err == nil {
		err = s.check()
	}
	return err
}

func decodeState(state []byte, strict bool) (*setState, error) {
	// To make a large array larger, again and again, would take as long as all the rest.
	// No string has these: its quotes are escaped.
	room := func(first string) int { return bytes.Count(state, []byte(first)) }
	s := &setState{Programs: make([]programState, 0, room(`{"spec":`)), Sources: make([]sourceState, 0, room(`{"kind":`)),
		Sinks: make([]sinkState, 0, room(`"output":`))}
	var err error
	if strict {
		d := json.NewDecoder(bytes.NewReader(state))
		d.DisallowUnknownFields()
		if err = d.Decode(s); err == nil {
			if _, more := d.Token(); more != io.EOF {
				err = errors.New("there is more behind it")
			}
		}
	} else {
		err = json.Unmarshal(state, s)
	}
	if err != nil {
		return nil, fmt.Errorf("state of the programs: %w", err)
	}
	return s, nil
}

// check finds what Restore could not make anything of.
func (s *setState) check() error {
	if err := s.wrong(); err != nil {
		return fmt.Errorf("state of the programs: %w", err)
	}
	return nil
}

// checking is a check on its way: what it has seen so far.
type checking struct {
	*setState
	sources map[int]string // what a descriptor is for
	names   map[string]bool
	pids    map[int]bool
}

func (s *setState) wrong() error {
	if s.Version < 1 || s.Version > stateVersion {
		return fmt.Errorf("it is of version %d, and known are those up to %d", s.Version, stateVersion)
	}
	x := &checking{s, map[int]string{}, map[string]bool{}, map[int]bool{}}
	err := x.wrongSources()
	if err == nil {
		err = x.wrongPrograms()
	}
	if err == nil {
		err = x.wrongTasks()
	}
	if err == nil {
		err = x.wrongSockets()
	}
	if err == nil {
		err = x.known(slices.Concat(s.Queue, s.Asleep, s.Binding))
	}
	return err
}

// once tells whether a process is nobody else's.
func (x *checking) once(pid int) bool {
	known := pid == 1 || pid < 0 || x.pids[pid]
	x.pids[pid] = pid != 0
	return !known
}

// known says which of these programs there is not.
func (x *checking) known(names []string) error {
	for _, name := range names {
		if !x.names[name] {
			return fmt.Errorf("there is no program %q", name)
		}
	}
	return nil
}

// wrongSources is about all that is read, and where it goes.
func (x *checking) wrongSources() error {
	for _, s := range x.Sources {
		if x.sources[s.FD] != "" || s.FD < 3 {
			return fmt.Errorf("descriptor %d is there twice, or cannot be", s.FD)
		}
		if !slices.Contains([]string{kindOutput, kindReady, kindNotify, kindGate}, s.Kind) {
			return fmt.Errorf("descriptor %d is read for %q, which is not known", s.FD, s.Kind)
		}
		if x.sources[s.FD] = s.Kind; s.Kind == kindOutput && (s.Sink < 0 || s.Sink >= len(x.Sinks)) {
			return errors.New("output has no place to go")
		}
		if s.Left < 0 || s.Used < 0 || s.Rate < 0 || len(s.Kept) > 1<<20 {
			return fmt.Errorf("descriptor %d: a number cannot be", s.FD)
		}
	}
	for _, fd := range []int{x.Kept, x.Epoll} {
		if fd != 0 && (fd < 3 || x.sources[fd] != "") {
			return fmt.Errorf("descriptor %d is there twice, or cannot be", fd)
		}
	}
	for _, s := range x.Sinks {
		if s.Kept != nil && (s.Kept.Records < 0 || s.Kept.Records > 0 && x.Kept < 3) {
			return fmt.Errorf("what is kept of the output of program %s is missing", s.Program)
		}
		for _, fd := range s.Outlets {
			if x.sources[fd] != kindOutput {
				return fmt.Errorf("output of program %s comes from nowhere", s.Program)
			}
		}
	}
	return nil
}

func (x *checking) wrongPrograms() error {
	for i := range x.Programs {
		p := &x.Programs[i]
		if p.Spec == nil || p.Spec.Program == nil || p.Spec.Name == "" || x.names[p.Spec.Name] {
			return errors.New("a program has no name, or another's")
		}
		x.names[p.Spec.Name] = true
		if err := x.wrongProgram(p); err != nil {
			return fmt.Errorf("program %s: %w", p.Spec.Name, err)
		}
	}
	return nil
}

func (x *checking) wrongProgram(p *programState) error {
	for _, spec := range []*specState{p.Spec, p.Wanted, p.Given} {
		if spec == nil {
			continue
		}
		if spec.Program == nil || spec.Program.Name != p.Spec.Name {
			return errors.New("it is another too")
		}
		if err := spec.check(); err != nil {
			return err
		}
	}
	st, known := stateNamed(p.State)
	switch {
	case !known || st.underWay() || p.Outcome > gaveUp:
		return fmt.Errorf("it is %q", p.State)
	case st.running() != (p.PID != 0 || p.GroupEnd != nil) || p.PID != 0 && p.GroupEnd != nil:
		return fmt.Errorf("it is %s, with pid %d", st, p.PID)
	case !x.once(p.PID) || p.Sink != nil && (*p.Sink < 0 || *p.Sink >= len(x.Sinks)):
		return errors.New("a number cannot be")
	case st == held && p.Hold == nil:
		return errors.New("it is held by nobody")
	}
	if g := p.Gate; g != nil && g.Spec == nil {
		return errors.New("its gate is not told")
	}
	for _, c := range []*changeState{p.told(), p.waits()} {
		if c != nil &&
			(c.Spec != nil && (c.Spec.Program == nil || c.Spec.Hook == nil) || c.Spec == nil && p.Spec.Hook == nil) {
			return errors.New("it has no hook")
		}
	}
	for _, t := range p.tasks() {
		if !x.once(t.PID) {
			return errors.New("a process of it is another's")
		}
	}
	for _, fd := range p.Sources {
		if x.sources[fd] == "" {
			return fmt.Errorf("descriptor %d is missing", fd)
		}
	}
	return nil
}

// wrongTasks comes after the programs, which have some of their own.
func (x *checking) wrongTasks() error {
	if x.Feed != nil && !x.once(x.Feed.PID) {
		return errors.New("the process that reads the events is another's")
	}
	for _, t := range x.Tasks {
		if !x.once(t.PID) || t.PID == 0 {
			return fmt.Errorf("pid %d is there twice, or cannot be", t.PID)
		}
	}
	for name, pid := range x.Gates {
		if !slices.ContainsFunc(x.Tasks, func(t taskState) bool { return t.PID == pid }) {
			return fmt.Errorf("program %s: the gate that it has given up is no process", name)
		}
	}
	return nil
}

func (x *checking) wrongSockets() error {
	for _, s := range x.Sockets {
		if s.Address == "" || len(s.Users) == 0 || s.FD >= 0 && (s.FD < 3 || x.sources[s.FD] != "") {
			return errors.New("a socket is nobody's, or is something else")
		}
		if s.FD >= 0 {
			x.sources[s.FD] = s.Address
		}
		if err := x.known(s.Users); err != nil {
			return fmt.Errorf("%s: %w", s.Address, err)
		}
	}
	return nil
}

// descriptors are those that have to be open.
func (s *setState) descriptors() (fds []int) {
	fds = make([]int, 0, len(s.Sources)+len(s.Sockets)+8)
	fds = append(fds, s.Kept, s.Epoll)
	for i := range s.Sources {
		fds = append(fds, s.Sources[i].FD)
	}
	for i := range s.Sockets {
		fds = append(fds, s.Sockets[i].FD)
	}
	for i := range s.Programs {
		p := &s.Programs[i]
		if p.Gate != nil {
			fds = append(fds, p.Gate.Socket)
		}
		if p.Notified != nil && p.Notified.Main != 0 {
			fds = append(fds, p.Notified.MainFD)
		}
	}
	return slices.DeleteFunc(fds, func(fd int) bool { return fd < 3 })
}

func (p *programState) told() *changeState {
	if p.Hooks == nil {
		return nil
	}
	return p.Hooks.Told
}

func (p *programState) waits() *changeState {
	if p.Hooks == nil {
		return nil
	}
	return p.Hooks.Waiting
}

// tasks are the processes of p beside its main one.
func (p *programState) tasks() (tasks []*taskState) {
	if p.Gate != nil && p.Gate.Task != nil {
		tasks = append(tasks, p.Gate.Task)
	}
	if p.Watch != nil && p.Watch.Running != nil {
		tasks = append(tasks, p.Watch.Running)
	}
	if p.Hooks != nil && p.Hooks.Task != nil {
		tasks = append(tasks, p.Hooks.Task)
	}
	return tasks
}

func stateNamed(name string) (state, bool) {
	for s := range states {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}
