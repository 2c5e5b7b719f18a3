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
)

// maxSize bounds a file: 5000 programs take less than a tenth of it.
const maxSize = 16 << 20

// Files is where configurations come from. Paths are absolute.
type Files interface {
	// Read gives a regular file's content, and what tells that file from any other, whatever its path.
	Read(path string) ([]byte, ID, error)
	// List gives the names in a directory; the error is [fs.ErrNotExist], or an ENOTDIR, when there is none.
	List(dir string) ([]string, error)
}

// ID tells files apart. It can be compared.
type ID any

// Disk is the file system of the machine. It opens nothing that could make it wait.
type Disk struct{}

// Read is as [Files] has it. What is no regular file is an error that says what it is.
func (Disk) Read(path string) ([]byte, ID, error) {
	f, err := os.OpenFile(path, fileFlags, 0)
	if err != nil {
		return nil, nil, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("it is %s, not a regular file", FileKind(info.Mode()))
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(info.Size(), maxSize)+bytes.MinRead))
	if _, err := buf.ReadFrom(io.LimitReader(f, maxSize+1)); err != nil {
		return nil, nil, reason(err)
	}
	if buf.Len() > maxSize {
		return nil, nil, fmt.Errorf("it is larger than %d MiB", maxSize>>20)
	}
	return buf.Bytes(), idOf(path, info), nil
}

// List is as [Files] has it.
func (Disk) List(dir string) ([]string, error) {
	f, err := os.OpenFile(dir, dirFlags, 0)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	return names, reason(err)
}

// reason drops the operation and the path from an error of package os: the message has them already.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// FileKind says in words what a file is, such as "a directory".
func FileKind(mode fs.FileMode) string {
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
func expand(files Files, dir, pattern string) ([]string, error) {
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
			names, err := files.List(dir)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
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
