package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A checker says what is wrong with a value that has the right type. The decoder asks each value
// that it has decoded, and puts the answer at the value's place in the file.
type checker interface{ check() error }

// A nameChecker says what is wrong with a name where the file may choose it.
type nameChecker interface{ checkName(name string) error }

// Command is a program's executable and its arguments.
type Command []string

func (c Command) check() error {
	if len(c) == 0 {
		return errors.New(`must not be empty; write the program's absolute path, and then its arguments`)
	}
	if !filepath.IsAbs(c[0]) {
		return fmt.Errorf("must begin with the program's absolute path, not %q", c[0])
	}
	return nil
}

// Environment maps the names of environment variables to their values.
type Environment map[string]string

func (Environment) checkName(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return fmt.Errorf(`%q cannot name an environment variable; it must not be empty, nor contain "=" or NUL`, name)
	}
	return nil
}

// maxName keeps a program's name fit for a log line, a file name and a syslog tag.
const maxName = 64

func (Program) checkName(name string) error {
	ok := name != "" && len(name) <= maxName && isAlnum(name[0])
	for i := 0; ok && i < len(name); i++ {
		ok = isAlnum(name[i]) || strings.IndexByte("_.-", name[i]) >= 0
	}
	if !ok {
		return fmt.Errorf(`%q cannot name a program; use at most %d letters, digits, "_", "." and "-", with a letter or digit first`, name, maxName)
	}
	return nil
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// Signal is a signal that is written by its name, with or without SIG.
type Signal syscall.Signal

// UnmarshalText reads a name such as "TERM", "SIGTERM" or "term".
func (s *Signal) UnmarshalText(text []byte) error {
	name := strings.ToUpper(string(text))
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	num := unix.SignalNum(name)
	if num == 0 {
		return fmt.Errorf(`%q is not a signal; write a name such as "TERM", "INT" or "QUIT"`, text)
	}
	*s = Signal(num)
	return nil
}

// MarshalText gives the name without SIG.
func (s Signal) MarshalText() ([]byte, error) {
	name := unix.SignalName(syscall.Signal(s))
	if name == "" {
		return nil, fmt.Errorf("signal %d has no name", int(s))
	}
	return []byte(strings.TrimPrefix(name, "SIG")), nil
}

// String gives the name without SIG, or the number of a signal that has no name.
func (s Signal) String() string {
	text, err := s.MarshalText()
	if err != nil {
		return fmt.Sprint(int(s))
	}
	return string(text)
}
