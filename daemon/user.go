//go:build linux

package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// account is whom the daemon becomes; nil: it stays who it is.
type account struct {
	name, home string
	uid, gid   int
	groups     []int
}

// account finds out who User is, and whether we may become that.
func (d *Daemon) account() (*account, error) {
	if d.User == "" {
		return nil, nil
	}
	a, err := findAccount(d.User)
	switch {
	case err != nil:
		return nil, err
	case a.uid == os.Geteuid() && a.gid == os.Getegid():
		return nil, nil
	case os.Geteuid() != 0:
		return nil, fmt.Errorf("only root can run it as user %q: %w", d.User, unix.EPERM)
	}
	return a, nil
}

// CheckUser tells why no Daemon could become User on this system, for who checks a configuration: nil if one could that
// is started by root, or "", which is nobody else. Any user may ask.
func CheckUser(spec string) error {
	if spec == "" {
		return nil
	}
	_, err := findAccount(spec)
	return err
}

// findAccount looks USER or USER:GROUP up; each is a name or a number. A number that nobody has needs a group.
func findAccount(spec string) (*account, error) {
	name, group, grouped := strings.Cut(spec, ":")
	a := &account{name: name, home: "/"}
	u, err := user.Lookup(name)
	number, e := strconv.ParseUint(name, 10, 31)
	if err != nil && e == nil {
		u, err = user.LookupId(name)
	}
	var unknown user.UnknownUserError
	var nobodys user.UnknownUserIdError
	switch {
	case err == nil:
		a.name, a.home = u.Username, u.HomeDir
		ids, err := u.GroupIds()
		if err != nil {
			return nil, err
		}
		for _, id := range append([]string{u.Uid, u.Gid}, ids...) {
			n, err := strconv.Atoi(id)
			if err != nil {
				return nil, err
			}
			a.groups = append(a.groups, n)
		}
		a.uid, a.gid, a.groups = a.groups[0], a.groups[1], a.groups[2:]
	case errors.As(err, &nobodys) && grouped:
		a.uid = int(number)
	case errors.As(err, &nobodys):
		return nil, fmt.Errorf("no user has the number %d; write %q to name the group too", number, spec+":GROUP")
	case errors.As(err, &unknown):
		return nil, fmt.Errorf("there is no user %q", name)
	default:
		return nil, err
	}
	if !grouped {
		return a, nil
	}
	number, e = strconv.ParseUint(group, 10, 31)
	var missing user.UnknownGroupError
	if g, err := user.LookupGroup(group); err == nil {
		number, e = strconv.ParseUint(g.Gid, 10, 31)
	} else if e != nil && errors.As(err, &missing) {
		return nil, fmt.Errorf("there is no group %q", group)
	} else if e != nil {
		return nil, err
	}
	if e != nil {
		return nil, e
	}
	if a.gid = int(number); !slices.Contains(a.groups, a.gid) {
		a.groups = append(a.groups, a.gid)
	}
	return a, nil
}

// drop gives up, in all threads and for good, what a has not.
func (r *run) drop(a *account) error {
	if a == nil {
		return nil
	}
	if r.chown != nil {
		if err := r.chown(a.uid, a.gid); err != nil {
			r.log().Warn("the log cannot be given to the user, who may not be able to open it anew", "user", a.name, "err", err)
		}
	}
	for _, set := range []func() error{
		func() error { return syscall.Setgroups(a.groups) },
		func() error { return syscall.Setresgid(a.gid, a.gid, a.gid) },
		func() error { return syscall.Setresuid(a.uid, a.uid, a.uid) },
		func() error { return os.Setenv("HOME", a.home) },
		func() error { return os.Setenv("USER", a.name) },
		func() error { return os.Setenv("LOGNAME", a.name) },
	} {
		if err := set(); err != nil {
			return fmt.Errorf("become user %s: %w", a.name, err)
		}
	}
	return nil
}

// makeDirectory makes the directory of the pidfile, if that is missing, and gives it to a: /run is empty after a boot.
func (d *Daemon) makeDirectory(a *account) error {
	if a == nil || d.PIDFile == "" {
		return nil
	}
	dir := filepath.Dir(d.PIDFile)
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrExist) || errors.Is(err, os.ErrNotExist) { // the pidfile has the words for what is wrong
		return nil
	}
	if err != nil {
		return fmt.Errorf("the pidfile's directory: %w", err)
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("the pidfile's directory: %w", &os.PathError{Op: "open", Path: dir, Err: err})
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && int(st.Uid) != os.Geteuid() {
		err = errors.New("it was replaced at once")
	}
	if err == nil {
		err = errors.Join(unix.Fchmod(fd, 0o755), unix.Fchown(fd, a.uid, a.gid))
	}
	if err != nil {
		return fmt.Errorf("the pidfile's directory %s: %w", dir, err)
	}
	return nil
}
