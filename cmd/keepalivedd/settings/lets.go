package settings

import (
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// access is what somebody is to have of a path: to execute the file, or to enter the directory.
type access struct {
	user *User
	path string
}

// lets tells what keeps the user of a program from a file or a directory that is there. Each directory on the way is
// asked once. Another user's rights can only be read off: what an access control list says of them is not known, and
// what cannot be looked at may be all right.
func (k *looker) lets(u *User, path string) error {
	if u == nil || !u.Known() || u.UID == 0 {
		return nil
	}
	key := access{u, path}
	err, known := k.let[key]
	if known {
		return err
	}
	k.let[key] = nil // a circle of links is told of elsewhere
	if dir := filepath.Dir(path); dir != path {
		err = k.lets(u, dir)
	}
	if err == nil {
		target, lets := k.files.lets(u, path)
		switch {
		case target != "":
			err = k.lets(u, target)
		case !lets:
			err = fmt.Errorf("user %s has no right (x) to %s", u.Name, path)
		}
	}
	k.let[key] = err
	return err
}

// letsNow is lets for who asks again.
func letsNow(files files, u *User, path string) error {
	k := &looker{loader: &loader{}, let: map[access]error{}}
	k.files = files
	return k.lets(u, path)
}

// lets looks at a path that can be got to. Of a symbolic link it returns what that leads to.
func (disk) lets(u *User, path string) (target string, lets bool) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return "", true
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		target, err := filepath.EvalSymlinks(path)
		return target, err != nil
	}
	bit := uint32(0o001)
	switch {
	case st.Uid == u.UID:
		bit = 0o100
	case slices.Contains(u.Groups, st.Gid):
		bit = 0o010
	}
	if st.Mode&bit != 0 {
		return "", true
	}
	_, err := unix.Lgetxattr(path, "system.posix_acl_access", nil)
	return "", err == nil
}
