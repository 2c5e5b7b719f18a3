package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSize bounds a file: 5000 programs take less than a tenth of it.
const maxSize = 16 << 20

// files is where configurations come from. Paths are absolute.
type files interface {
	// read gives a regular file's content, and what tells that file from any other, whatever its path.
	read(path string) ([]byte, fileID, error)
	// list gives the names in a directory; the error is fs.ErrNotExist or ENOTDIR when there is none.
	list(dir string) ([]string, error)
	// stat gives the kind and mode of a file, of a symbolic link itself unless it is to be followed.
	stat(path string, follow bool) (fs.FileMode, error)
	// may tells whether this process has the right, unix.X_OK or the like, to a file.
	may(path string, right uint32) error
}

type fileID struct{ dev, ino uint64 }

// disk is the file system of the machine. It opens nothing that could make it wait.
type disk struct{}

func (disk) read(path string) ([]byte, fileID, error) {
	f, err := os.OpenFile(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fileID{}, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fileID{}, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fileID{}, fmt.Errorf("it is %s, not a regular file", fileKind(info.Mode()))
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(info.Size(), maxSize)+bytes.MinRead))
	if _, err := buf.ReadFrom(io.LimitReader(f, maxSize+1)); err != nil {
		return nil, fileID{}, reason(err)
	}
	if buf.Len() > maxSize {
		return nil, fileID{}, fmt.Errorf("it is larger than %d MiB", maxSize>>20)
	}
	st := info.Sys().(*syscall.Stat_t)
	return buf.Bytes(), fileID{uint64(st.Dev), st.Ino}, nil
}

func (disk) list(dir string) ([]string, error) {
	f, err := os.OpenFile(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	return names, reason(err)
}

func (disk) stat(path string, follow bool) (fs.FileMode, error) {
	look := os.Lstat
	if follow {
		look = os.Stat
	}
	info, err := look(path)
	if err != nil {
		return 0, reason(err)
	}
	return info.Mode(), nil
}

func (disk) may(path string, right uint32) error {
	return unix.Faccessat(unix.AT_FDCWD, path, right, unix.AT_EACCESS)
}

// reason drops the operation and the path from an error of package os: the message has them already.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func fileKind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode.IsRegular():
		return "a file"
	default:
		return "a device"
	}
}

// expand gives the files that the pattern matches, sorted. A relative pattern begins at dir. A pattern
// without glob characters gives the file that it names, whether it exists or not. Not filepath.Glob,
// for which a directory that it may not read is an empty one: a reload would stop all its programs.
func expand(files files, dir, pattern string) ([]string, error) {
	if pattern == "" {
		return nil, errors.New("must not be empty; write a file name or a pattern such as \"conf.d/*.toml\"")
	}
	if _, err := filepath.Match(pattern, ""); err != nil {
		return nil, fmt.Errorf("%q is not a pattern: %w", pattern, err)
	}
	if filepath.IsAbs(pattern) {
		dir = "/"
	}
	paths, globbed := []string{dir}, false
	for part := range strings.SplitSeq(filepath.Clean(pattern), "/") {
		if !globbed && !strings.ContainsAny(part, `*?[\`) {
			paths[0] = filepath.Join(paths[0], part)
			continue
		}
		globbed = true
		var next []string
		for _, dir := range paths {
			names, err := files.list(dir)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("cannot read the directory %s: %w", dir, err)
			}
			for _, name := range names {
				if ok, _ := filepath.Match(part, name); ok && !leftover(name) {
					next = append(next, filepath.Join(dir, name))
				}
			}
		}
		paths = next
	}
	slices.Sort(paths)
	return paths, nil
}

// leftovers are the names under which editors and package managers put a file aside.
var leftovers = [...]string{
	".*", "*~", "#*#", "*.swp", "*.bak", "*.orig", "*.dpkg-*", "*.ucf-*", "*.rpmnew", "*.rpmsave", "*.rpmorig",
}

func leftover(name string) bool {
	return slices.ContainsFunc(leftovers[:], func(pattern string) bool {
		ok, _ := filepath.Match(pattern, name)
		return ok
	})
}
