package settings

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// User is who a program runs as, as the system's databases told when the configuration was loaded. Of one that they did
// not know only Name is meant: see [User.Known].
type User struct {
	Name   string // for USER and LOGNAME: the name, or the number of a user who has none
	UID    uint32
	GID    uint32   // the group that was asked for, else the user's own
	Groups []uint32 // what initgroups(3) would set: GID and the supplementary groups, sorted
	Home   string   // "/" when the database has none
	Shell  string   // "/bin/sh" when the database has none

	spec string
}

// UnmarshalText reads USER or USER:GROUP. Whether the system knows them is looked up when all has been read.
func (u *User) UnmarshalText(text []byte) error {
	spec := string(text)
	if err := checkUser(spec); err != nil {
		return err
	}
	*u = *unknownUser(spec)
	return nil
}

// MarshalText gives the user as the configuration has it, USER or USER:GROUP.
func (u *User) MarshalText() ([]byte, error) { return []byte(u.spec), nil }

// GroupName is a group of the system's, by its name or number. The zero value is none.
type GroupName struct{ spec string }

// UnmarshalText reads a name or a number, whoever there is.
func (g *GroupName) UnmarshalText(text []byte) error {
	spec := string(text)
	if spec == "" {
		return errors.New("\"\" is not a group; write a name or a number, or remove it")
	}
	if isNumber(spec) {
		if _, err := id(spec); err != nil {
			return err
		}
	}
	g.spec = spec
	return nil
}

// MarshalText gives what UnmarshalText has read.
func (g GroupName) MarshalText() ([]byte, error) { return []byte(g.spec), nil }

// Find looks the group's number up as the databases have it now. A number need not be in them.
func (g GroupName) Find() (gid int, err error) {
	text, err := findGroup(g.spec)
	if err != nil {
		return 0, err
	}
	n, err := id(text)
	return int(n), err
}

// nobody is no user's number, and no group's: to the kernel it means "no change", and to become it is refused.
const nobody = 1<<32 - 1

// Known tells whether the user, with the group that was asked for, was found. Nothing may run as one who is not.
func (u *User) Known() bool { return u.UID != nobody }

// Find looks the user up as the databases have them now. The error tells whom they do not know.
func (u *User) Find() (*User, error) {
	now, err := findUserOf(u.spec)
	if err != nil {
		return nil, err
	}
	return now, nil
}

// users looks each user up once, however many programs run as them.
type users map[string]*found

type found struct {
	user    *User
	wrong   error // with what the configuration says
	missing error // why the user, or the group, could not be found
}

// find puts the one value of that user in the place of one that was read.
func (u users) find(read **User) {
	if *read != nil {
		*read = u.lookup((*read).spec).user
	}
}

func (u users) lookup(spec string) *found {
	f := u[spec]
	if f == nil {
		f = &found{wrong: checkUser(spec)}
		if f.wrong == nil {
			if f.user, f.missing = findUserOf(spec); f.missing != nil {
				f.user = unknownUser(spec)
			}
		}
		u[spec] = f
	}
	return f
}

func unknownUser(spec string) *User {
	name, _, _ := strings.Cut(spec, ":")
	return &User{Name: name, UID: nobody, GID: nobody, Home: "/", Shell: "/bin/sh", spec: spec}
}

// checkUser says what is wrong with USER or USER:GROUP, whoever there is.
func checkUser(spec string) error {
	name, group, grouped := strings.Cut(spec, ":")
	if name == "" || grouped && group == "" {
		return fmt.Errorf("%q is not a user; write \"USER\" or \"USER:GROUP\"", spec)
	}
	for _, number := range []string{name, group} {
		if number != "" && isNumber(number) {
			if _, err := id(number); err != nil {
				return err
			}
		}
	}
	return nil
}

// findUserOf looks up USER or USER:GROUP, which is right in itself.
func findUserOf(spec string) (*User, error) {
	name, group, grouped := strings.Cut(spec, ":")
	u := &User{Name: name, Home: "/", Shell: "/bin/sh", spec: spec}
	var primary string
	entry, err := findUser(name)
	switch {
	case err == nil:
		if u.UID, err = id(entry.Uid); err != nil {
			return nil, err
		}
		u.Name, primary = entry.Username, entry.Gid
		if entry.HomeDir != "" {
			u.Home = entry.HomeDir
		}
		if shell := loginShell(entry.Username); shell != "" {
			u.Shell = shell
		}
	case !isUnknown(err):
		return nil, fmt.Errorf("cannot look up user %q: %w", name, err)
	case !isNumber(name):
		return nil, fmt.Errorf("unknown user %q", name)
	case !grouped:
		return nil, fmt.Errorf("no user has the number %s; write %q to name the group too", name, name+":GROUP")
	default:
		if u.UID, err = id(name); err != nil {
			return nil, err
		}
	}
	gid := primary
	if grouped {
		if gid, err = findGroup(group); err != nil {
			return nil, err
		}
	}
	if u.GID, err = id(gid); err != nil {
		return nil, err
	}
	u.Groups, err = groupsOf(entry, u.GID)
	return u, err
}

// groupsOf lists gid and the groups that have the user as a member. The user's own group is not
// among them when another was asked for, as with initgroups(3).
func groupsOf(entry *user.User, gid uint32) ([]uint32, error) {
	groups := []uint32{gid}
	if entry == nil {
		return groups, nil
	}
	ids, err := entry.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("cannot look up the groups of user %q: %w", entry.Username, err)
	}
	for _, text := range ids {
		if text == entry.Gid {
			continue
		}
		g, err := id(text)
		if err != nil {
			return nil, err
		}
		if i, known := slices.BinarySearch(groups, g); !known { // to sort uint32 would link a sort for them alone
			groups = slices.Insert(groups, i, g)
		}
	}
	return groups, nil
}

func findUser(name string) (*user.User, error) {
	if isNumber(name) {
		return user.LookupId(name)
	}
	return user.Lookup(name)
}

// findGroup gives the number of a group. A number need not be in the database.
func findGroup(name string) (string, error) {
	if isNumber(name) {
		return name, nil
	}
	g, err := user.LookupGroup(name)
	switch {
	case err == nil:
		return g.Gid, nil
	case isUnknown(err):
		return "", fmt.Errorf("unknown group %q", name)
	default:
		return "", fmt.Errorf("cannot look up group %q: %w", name, err)
	}
}

func isUnknown(err error) bool {
	var (
		name  user.UnknownUserError
		uid   user.UnknownUserIdError
		group user.UnknownGroupError
	)
	return errors.As(err, &name) || errors.As(err, &uid) || errors.As(err, &group)
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// id reads a user or group number. The highest is left out: to the kernel it means "no change".
func id(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == nobody {
		return 0, fmt.Errorf("%s is not a user or group number", text)
	}
	return uint32(n), nil
}

// loginShell reads what os/user does not tell. A user from elsewhere than /etc/passwd has none.
func loginShell(name string) string {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Split(lines.Text(), ":"); len(fields) == 7 && fields[0] == name {
			return fields[6]
		}
	}
	return ""
}
