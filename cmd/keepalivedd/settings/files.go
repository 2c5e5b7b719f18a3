package settings

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/config"
)

// files is what configurations are read from, and what they ask for is looked for in. Paths are absolute.
type files interface {
	config.Files
	// stat gives the kind and mode of a file, of a symbolic link itself unless it is to be followed.
	stat(path string, follow bool) (fs.FileMode, error)
	// may tells whether this process has the right, unix.X_OK or the like, to a file.
	may(path string, right uint32) error
	// begins gives the first bytes of a file; none: they cannot be had.
	begins(path string) []byte
	// lets tells whether u has the right to execute, or enter, what is there itself; or where a symbolic link leads.
	lets(u *User, path string) (target string, lets bool)
}

// disk is the machine.
type disk struct{ config.Disk }

func (disk) stat(path string, follow bool) (fs.FileMode, error) {
	look := os.Lstat
	if follow {
		look = os.Stat
	}
	info, err := look(path)
	if err == nil {
		return info.Mode(), nil
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the message has the rest already
	}
	return 0, err
}

func (disk) may(path string, right uint32) error {
	return unix.Faccessat(unix.AT_FDCWD, path, right, unix.AT_EACCESS)
}
