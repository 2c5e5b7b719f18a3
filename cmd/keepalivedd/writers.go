package main

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/internal/stderr"
)

// mostWriters bounds what a start and a reload tell of them: a test tells all.
const mostWriters = 5

// writersOf tells of what others may write to than root and this user, though it says what the daemon runs: files of
// the configuration, and those of an environment; with programs, what is executed. cron(8), sshd(8), sudo(8) and
// logrotate(8) refuse such files; here that would end what works. What belongs to others is told of the
// configuration only: a program of another user may be theirs. most bounds it.
func writersOf(c *settings.Config, programs bool, most int) (warnings []string) {
	seen, more := map[string]bool{}, 0
	look := func(path string, ours bool) {
		for _, path := range []string{path, filepath.Dir(path)} {
			if seen[path] {
				continue
			}
			seen[path] = true
			switch w := writers(path, ours); {
			case w == "":
			case len(warnings) < most:
				warnings = append(warnings, w)
			default:
				more++
			}
		}
	}
	for _, file := range c.Files {
		look(file, true)
	}
	for _, file := range c.EnvironmentFiles {
		look(file, false)
	}
	for i := range c.Programs {
		if p := &c.Programs[i]; programs && len(p.Command) > 0 {
			look(p.Command[0], false)
		}
	}
	if more > 0 {
		warnings = append(warnings, fmt.Sprintf("so may others write to %d more: see %s -t", more, name))
	}
	return warnings
}

// writers says who may write to a file, or put another into a directory, though it is not theirs to say what is run,
// and what to do; empty: nobody. In a directory that is sticky everybody has their own.
func writers(path string, ours bool) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ""
	}
	who, instead := "everybody", "chmod go-w"
	switch {
	case st.Mode&0o002 != 0 && (st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&unix.S_ISVTX == 0):
	case ours && st.Uid != 0 && int(st.Uid) != os.Geteuid():
		who, instead = userName(st.Uid), "chown root"
	default:
		return ""
	}
	return fmt.Sprintf("%s: %s may write to it, and so have any command run as the daemon's user; "+
		"it belongs to %s, mode %04o: %s %[1]s", path, who, userName(st.Uid), st.Mode&0o7777, instead)
}

func userName(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return "user " + u.Username
	}
	return "uid " + number
}

// logWriters logs them, of a configuration that is in force.
func (s *service) logWriters(c *settings.Config) {
	if !s.logs() {
		return
	}
	for _, w := range writersOf(c, false, mostWriters) {
		s.daemon.Log.Warn(w)
	}
}

// warnOfWriters tells of them who has called.
func warnOfWriters(c *settings.Config, programs bool, most int) {
	for _, w := range writersOf(c, programs, most) {
		fmt.Fprintf(stderr.Writer{}, "%s: warning: %s\n", name, w)
	}
}
