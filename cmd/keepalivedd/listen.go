package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/keepalivedd/keepalivedd/address"
	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/internal/procfs"
	"github.com/keepalivedd/keepalivedd/pidfile"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// listen is what package supervise is to listen on; nil: nothing.
func listen(c *settings.Settings) *supervise.Listen {
	if len(c.Listen) == 0 {
		return nil
	}
	n := &supervise.Listen{CloseWhenDown: c.ListenWhenDown != nil && !*c.ListenWhenDown}
	for i := range c.Listen {
		from := &c.Listen[i]
		to := supervise.Socket{Address: from.Address, Name: from.Name}
		if a, err := address.Parse(from.Address); err == nil { // it was checked with the configuration
			to.Address = a.String() // in one form, whatever the file has
		}
		if from.Backlog != nil {
			to.Backlog = *from.Backlog
		}
		to.Mode, _ = from.Mode.Bits()
		if from.Owner != nil {
			to.Owner = superviseUser(from.Owner)
		}
		if group := from.Group; group != (settings.GroupName{}) {
			text, _ := group.MarshalText()
			to.Group, to.FindGroup = string(text), group.Find
		}
		n.Sockets = append(n.Sockets, to)
	}
	return n
}

// leaveOutOwn takes from what is lacking the addresses that the daemon has already, or something that it has started: a
// program that listens by itself is stopped before the daemon listens for it.
func leaveOutOwn(lacking settings.Errors, daemon int) (rest settings.Errors) {
	for _, e := range lacking {
		e := *e
		e.More = leaveOutOwn(e.More, daemon)
		var used *address.InUseError
		if errors.As(e.Err, &used) &&
			slices.ContainsFunc(used.Holders, func(h address.Holder) bool { return descends(h.PID, daemon) }) {
			if len(e.More) == 0 {
				continue
			}
			more := e.More[1:]
			e = *e.More[0]
			e.More = more
		}
		rest = append(rest, &e)
	}
	return rest
}

// descends tells whether a process is another one, or comes from it.
func descends(pid, from int) bool {
	for range 1000 {
		if pid == from || pid <= 1 {
			break
		}
		_, fields, err := procfs.Stat(pid)
		if err != nil {
			return false
		}
		pid, _ = strconv.Atoi(fields[1])
	}
	return pid == from && from > 0
}

// running is the PID of the daemon that runs with the configuration; 0: there is none.
func (o *options) running(c *settings.Config) int {
	path := c.PIDFile
	if path == "none" {
		return 0
	}
	if o.pid == "" {
		path = find(o.file, path)
	}
	st, err := pidfile.Look(path)
	if err != nil || st.State != pidfile.Held {
		return 0
	}
	return st.PID
}

// isInUse tells whether an address is lacking because somebody has it.
func isInUse(e *settings.Error) bool { return errors.As(e.Err, new(*address.InUseError)) }

// sockets tells what is listened on for a program.
func (p *programState) sockets() string {
	var words []string
	for _, s := range p.Listen {
		word := plain(s.Address)
		if !s.Open {
			word += " (closed)"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}
