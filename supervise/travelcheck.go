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

func (s *setState) wrong() error {
	if s.Version < 1 || s.Version > stateVersion {
		return fmt.Errorf("it is of version %d, and known are those up to %d", s.Version, stateVersion)
	}
	sources := map[int]string{}
	for _, x := range s.Sources {
		if sources[x.FD] != "" || x.FD < 3 {
			return fmt.Errorf("descriptor %d is there twice, or cannot be", x.FD)
		}
		if !slices.Contains([]string{kindOutput, kindReady, kindNotify, kindGate}, x.Kind) {
			return fmt.Errorf("descriptor %d is read for %q, which is not known", x.FD, x.Kind)
		}
		if sources[x.FD] = x.Kind; x.Kind == kindOutput && (x.Sink < 0 || x.Sink >= len(s.Sinks)) {
			return errors.New("output has no place to go")
		}
		if x.Left < 0 || x.Used < 0 || x.Rate < 0 || len(x.Kept) > 1<<20 {
			return fmt.Errorf("descriptor %d: a number cannot be", x.FD)
		}
	}
	for _, fd := range []int{s.Kept, s.Epoll} {
		if fd != 0 && (fd < 3 || sources[fd] != "") {
			return fmt.Errorf("descriptor %d is there twice, or cannot be", fd)
		}
	}
	for _, x := range s.Sinks {
		if x.Kept != nil && (x.Kept.Records < 0 || x.Kept.Records > 0 && s.Kept < 3) {
			return fmt.Errorf("what is kept of the output of program %s is missing", x.Program)
		}
		for _, fd := range x.Outlets {
			if sources[fd] != kindOutput {
				return fmt.Errorf("output of program %s comes from nowhere", x.Program)
			}
		}
	}
	names, pids := map[string]bool{}, map[int]bool{}
	once := func(pid int) bool {
		known := pid == 1 || pid < 0 || pids[pid]
		pids[pid] = pid != 0
		return !known
	}
	for i := range s.Programs {
		p := &s.Programs[i]
		if p.Spec == nil || p.Spec.Program == nil || p.Spec.Name == "" || names[p.Spec.Name] {
			return errors.New("a program has no name, or another's")
		}
		names[p.Spec.Name] = true
		if err := p.wrong(once, sources, len(s.Sinks)); err != nil {
			return fmt.Errorf("program %s: %w", p.Spec.Name, err)
		}
	}
	if s.Feed != nil && !once(s.Feed.PID) {
		return errors.New("the process that reads the events is another's")
	}
	for _, t := range s.Tasks {
		if !once(t.PID) || t.PID == 0 {
			return fmt.Errorf("pid %d is there twice, or cannot be", t.PID)
		}
	}
	for name, pid := range s.Gates {
		if !slices.ContainsFunc(s.Tasks, func(t taskState) bool { return t.PID == pid }) {
			return fmt.Errorf("program %s: the gate that it has given up is no process", name)
		}
	}
	for _, x := range s.Sockets {
		if x.Address == "" || len(x.Users) == 0 || x.FD >= 0 && (x.FD < 3 || sources[x.FD] != "") {
			return errors.New("a socket is nobody's, or is something else")
		}
		if x.FD >= 0 {
			sources[x.FD] = x.Address
		}
		for _, name := range x.Users {
			if !names[name] {
				return fmt.Errorf("%s: there is no program %q", x.Address, name)
			}
		}
	}
	for _, name := range slices.Concat(s.Queue, s.Asleep, s.Binding) {
		if !names[name] {
			return fmt.Errorf("there is no program %q", name)
		}
	}
	return nil
}

// wrong says what of a program cannot be; once tells whether a process is nobody else's.
func (p *programState) wrong(once func(pid int) bool, sources map[int]string, sinks int) error {
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
	case !once(p.PID) || p.Sink != nil && (*p.Sink < 0 || *p.Sink >= sinks):
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
		if !once(t.PID) {
			return errors.New("a process of it is another's")
		}
	}
	for _, fd := range p.Sources {
		if sources[fd] == "" {
			return fmt.Errorf("descriptor %d is missing", fd)
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
