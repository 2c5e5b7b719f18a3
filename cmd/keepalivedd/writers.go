package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/stderr"
)

// warnOfWriters tells of files of the configuration that others may write to than root and this user: whoever may has
// what they like run by the daemon.
func warnOfWriters(files []string) {
	for _, file := range files {
		if who := writer(file); who != "" {
			fmt.Fprintf(stderr.Writer{},
				"%s: warning: %s: %s may write to it, and so have any command run as the daemon's user\n",
				name, file, who)
		}
	}
}

// writer is who may write to a file, though it is not theirs to say what is run; empty: nobody.
func writer(file string) string {
	var st unix.Stat_t
	switch {
	case unix.Stat(file, &st) != nil:
		return ""
	case st.Mode&0o002 != 0:
		return "everybody"
	case st.Uid == 0 || int(st.Uid) == os.Geteuid():
		return ""
	}
	number := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return "user " + u.Username
	}
	return "uid " + number
}
