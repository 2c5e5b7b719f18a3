package supervise

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// steps are what the child is to do, in this order.
func (c command) steps() (steps []string) {
	add := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	if s := c.setup; s != nil {
		if s.Nice != nil {
			add("nice %d", *s.Nice)
		}
		if s.OOMScoreAdj != nil {
			add("oom_score_adj %d", *s.OOMScoreAdj)
		}
		if s.Umask != nil {
			add("umask %04o", *s.Umask)
		}
		for _, l := range s.Limits {
			add("limit %d %d %d %s", l.Resource, l.Soft, l.Hard, cmp.Or(l.Name, strconv.Itoa(l.Resource)))
		}
	}
	if u := c.user.credential(); u != nil {
		name := cmp.Or(c.user.Name, strconv.Itoa(int(c.user.UID)))
		add("setgroups %s %s", name, strings.Trim(fmt.Sprint(u.Groups), "[]"))
		add("setgid %s %d", name, u.Gid)
		add("setuid %s %d", name, u.Uid)
	}
	add("parent %d", os.Getpid()) // a change of user clears the death signal, and only the thread has it that was forked
	add("directory %s", c.dir)
	if c.setup != nil && c.setup.NoNewPrivileges {
		add("no_new_privileges")
	}
	if len(c.listen) > 0 {
		add("listen")
	}
	if c.guard > 0 {
		add("gate %d", c.pipe()+1) // last: what has made itself known becomes the command, or ends
	}
	return steps
}

// carryOut carries out a step. Its error says what could not be had, in the words of Setup's fields and the
// configuration.
func carryOut(step string) error {
	what, rest, _ := strings.Cut(step, " ")
	words := strings.Fields(rest)
	numbers := make([]uint64, len(words))
	for i, w := range words {
		n, _ := strconv.ParseInt(w, 0, 64) // an octal umask begins with 0
		numbers[i] = uint64(n)
		if u, err := strconv.ParseUint(w, 0, 64); err == nil {
			numbers[i] = u
		}
	}
	n := func(i int) int { return int(int64(numbers[i])) }
	named := func(key string, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	}
	user := func(err error) error {
		if errors.Is(err, syscall.EPERM) && os.Geteuid() != 0 {
			return &refusal{"user: " + words[0] + ": only root can run programs as another user", err}
		}
		return named("user: "+words[0], err)
	}
	switch what {
	case "nice":
		return named("nice: "+rest, unix.Setpriority(unix.PRIO_PROCESS, 0, n(0)))
	case "oom_score_adj":
		err := os.WriteFile("/proc/self/oom_score_adj", []byte(words[0]), 0)
		if inner := errors.Unwrap(err); inner != nil {
			err = inner // its value is wrong, not its file
		}
		return named("oom_score_adj: "+rest, err)
	case "umask":
		unix.Umask(n(0))
		return nil
	case "limit":
		return setLimit(Limit{words[3], n(0), numbers[1], numbers[2]})
	case "setgroups":
		groups := make([]int, len(numbers)-1)
		for i := range groups {
			groups[i] = n(i + 1)
		}
		return user(syscall.Setgroups(groups))
	case "setgid":
		return user(syscall.Setgid(n(1)))
	case "setuid":
		return user(syscall.Setuid(n(1)))
	case "parent":
		err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
		if err == nil && os.Getppid() != n(0) {
			err = syscall.ESRCH // it has died before
		}
		return named("tie it to its parent", err)
	case "directory":
		return named("directory: "+rest, unix.Chdir(rest))
	case "no_new_privileges":
		return named("no_new_privileges", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	case "listen":
		return named("listen", os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))) // which the exec keeps
	case "gate":
		unix.CloseOnExec(n(0))
		return named("gate: tell the guard",
			unix.Send(n(0), strconv.AppendInt(nil, int64(os.Getpid()), 10), unix.MSG_NOSIGNAL))
	}
	return named("setup: "+step, syscall.EINVAL)
}

func setLimit(l Limit) error {
	err := unix.Prlimit(0, l.Resource, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil)
	if err == nil {
		return nil
	}
	var now unix.Rlimit
	unix.Prlimit(0, l.Resource, nil, &now)
	switch {
	case l.Soft > l.Hard:
		return &refusal{fmt.Sprintf("limits.%s: the soft limit of %s is above the hard one of %s", l.Name, number(l.Soft),
			number(l.Hard)), err}
	case l.Resource == unix.RLIMIT_NOFILE && l.Hard > mostFiles():
		return &refusal{fmt.Sprintf("limits.%s: %s is above fs.nr_open, %d", l.Name, number(l.Hard), mostFiles()), err}
	case errors.Is(err, unix.EPERM) && l.Hard > now.Max:
		return &refusal{fmt.Sprintf("limits.%s: %s is above the hard limit of %s", l.Name, number(l.Hard), number(now.Max)),
			err}
	}
	return fmt.Errorf("limits.%s: %s: %w", l.Name, number(l.Hard), err)
}

func number(limit uint64) string {
	if limit == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(limit, 10)
}

// mostFiles is what no process may have a higher limit of descriptors than, root's neither.
func mostFiles() uint64 {
	b, _ := os.ReadFile("/proc/sys/fs/nr_open")
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return unix.RLIM_INFINITY
	}
	return n
}

// refusal is an error in words of its own.
type refusal struct {
	words string
	cause error
}

func (r *refusal) Error() string { return r.words }
func (r *refusal) Unwrap() error { return r.cause }
