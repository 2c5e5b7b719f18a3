package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
)

// sight is what a look at the daemon has shown.
type sight struct {
	status int
	said   string          // in place of the programs: why there are none to be shown
	err    error           // it could not be looked, or what was asked for is wrong
	state  state           // of which nothing but State and PIDFile is known when something was said
	raw    json.RawMessage // as the daemon has told it
}

// status shows how the daemon is, and returns the status that LSB has for that.
func (o *options) status(path string) int {
	if o.watch {
		return o.watchStatus(path)
	}
	collectLittle()
	s := look(path, o.names)
	fail(s.err)
	if o.json {
		return s.printJSON()
	}
	var out strings.Builder
	for _, line := range s.lines(o.names, nil, painter(colours())) {
		out.WriteString(line + "\n")
	}
	if _, err := os.Stdout.WriteString(out.String()); err != nil {
		return o.failed(err)
	}
	return s.status
}

// collectLittle is for who takes in one answer, and ends: of thousands of programs that is megabytes.
func collectLittle() { debug.SetGCPercent(400) }

// look asks for the programs of these names, or for all.
func look(path string, names []string) *sight {
	s := &sight{status: statusUnknown,
		state: state{Version: 1, Name: name, State: "unknown", PIDFile: path, Programs: []programState{}}}
	c, err := daemon.QueryWith(path, promptly, statusParams{names})
	if err != nil {
		s.err = err
		return s
	}
	s.state.PID, s.state.State = c.PID, c.State
	switch {
	case c.Answer != nil:
		s.heed(c, len(names) > 0)
	case c.Unasked != nil:
		s.unasked(c)
	case c.State == daemon.Dead:
		s.status = statusDead
		s.said = fmt.Sprintf("%s is dead, and has left its pidfile %s", name, path)
		if hasCrashed(path) {
			s.said += fmt.Sprintf("\nit crashed: see %s, or the log after the next start", daemon.CrashFile(path))
		}
	case c.State == daemon.Stopped:
		s.status = statusStopped
		s.said = name + " is not running"
	default:
		s.said = name + " is starting"
	}
	return s
}

// hasCrashed tells whether the daemon has left word of a crash. In a directory where others may make files, one of
// theirs is none.
func hasCrashed(path string) bool {
	var left, word unix.Stat_t
	return unix.Lstat(path, &left) == nil && unix.Lstat(daemon.CrashFile(path), &word) == nil &&
		word.Mode&unix.S_IFMT == unix.S_IFREG && word.Uid == left.Uid && word.Size > 0
}

// heed takes in what the daemon has answered.
func (s *sight) heed(c daemon.Condition, named bool) {
	if c.Unasked = json.Unmarshal(c.Answer, &s.state); c.Unasked != nil {
		s.unasked(c)
		return
	}
	s.raw = c.Answer
	s.judge(named)
}

// unasked is for a daemon that runs.
func (s *sight) unasked(c daemon.Condition) {
	var told *control.Error
	switch {
	case errors.As(c.Unasked, &told):
		s.err = told
		s.state.Error = told.Message
		return
	case errors.Is(c.Unasked, fs.ErrPermission):
		s.said = fmt.Sprintf("%s is running, pid %d; its programs can be asked for by %s only", name, c.PID,
			mayAsk(c.PIDFile))
	default:
		s.said = fmt.Sprintf("%s is running, pid %d, but could not be asked: %s", name, c.PID, plain(c.Unasked.Error()))
	}
	s.state.State, s.state.Error = daemon.Running, s.said
}

// judge finds the status. Of programs that were named, LSB's for a service that runs or not is the answer.
func (s *sight) judge(named bool) {
	switch s.state.State {
	case daemon.Starting, daemon.Stopping:
		return // it is unknown
	}
	s.status = statusRunning
	for i := range s.state.Programs {
		switch p := &s.state.Programs[i]; {
		case named && (p.Removed || !p.well()):
			s.status = statusStopped
		case !p.well():
			s.status = statusPartly
		}
	}
}

// well tells whether the program is as it should be. One that is held is, or that a reload has removed: somebody wants
// it to be down.
func (p *programState) well() bool {
	return p.State == "up" || p.State == "done" || p.isHeld() || p.Removed
}

func (p *programState) isHeld() bool { return p.Held != nil }

// mayAsk says whom the daemon serves.
func mayAsk(path string) string {
	var st unix.Stat_t
	if unix.Lstat(control.Path(path), &st) != nil {
		return "root"
	}
	who := "root"
	if st.Uid != 0 {
		who = fmt.Sprintf("root and uid %d", st.Uid)
	}
	if st.Mode&0o060 == 0o060 {
		who += " and members of " + groupName(st.Gid)
	}
	return who
}

func groupName(gid uint32) string {
	number := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(number); err == nil {
		return "group " + g.Name
	}
	return "gid " + number
}

// printJSON prints what the daemon has told, what this program does not know of included.
func (s *sight) printJSON() int {
	raw, err := s.raw, error(nil)
	if raw == nil {
		if s.err != nil && s.state.Error == "" {
			s.state.Error = s.err.Error()
		}
		raw, err = json.Marshal(s.state)
	}
	var out bytes.Buffer
	if err == nil {
		err = json.Indent(&out, raw, "", "\t")
	}
	if err == nil {
		out.WriteByte('\n')
		_, err = os.Stdout.Write(out.Bytes())
	}
	if err != nil {
		fail(err)
		return statusUnknown
	}
	return s.status
}

// lines are what is printed for people; before is an earlier sight, or nil.
func (s *sight) lines(names []string, before *sight, paint painter) []string {
	a := &s.state
	switch {
	case s.said != "":
		return strings.Split(s.said, "\n")
	case s.err != nil:
		return nil
	case a.State == daemon.Starting:
		return []string{fmt.Sprintf("%s is starting, pid %d", name, a.PID)}
	case a.State == daemon.Stopping && len(names) > 0 && len(a.Programs) == 0:
		return []string{fmt.Sprintf("%s is stopping, pid %d", name, a.PID)}
	}
	loads := loadsOf(a, before)
	if len(names) > 0 {
		return details(a, loads, paint)
	}
	first := fmt.Sprintf("%s is %s, pid %d; programs up: %s", name, plain(a.State), a.PID, a.tally())
	lines := []string{first}
	if a.LogDropped > 0 {
		lines = append(lines, fmt.Sprintf("%d lines of its log are lost", a.LogDropped))
	}
	return append(lines, table(a, loads, paint)...)
}

// tally counts the programs that are up, of those that are wanted, and says how many of these are done.
func (a *state) tally() string {
	up, done, held, removed := 0, 0, 0, 0
	for i := range a.Programs {
		switch p := &a.Programs[i]; {
		case p.Removed:
			removed++
		case p.isHeld():
			held++
		case p.State == "up":
			up++
		case p.State == "done":
			done++
		}
	}
	words := "none wanted"
	if wanted := len(a.Programs) - held - removed; wanted > 0 {
		words = fmt.Sprintf("%d of %d", up, wanted)
	} else if len(a.Programs) == 0 {
		words = "none configured"
	}
	if done > 0 {
		words += fmt.Sprintf(", %d done", done)
	}
	if held > 0 {
		words += fmt.Sprintf(", %d held", held)
	}
	return words
}
