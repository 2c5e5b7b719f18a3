package settings

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/config"
)

// Environment maps the names of environment variables to their values.
type Environment map[string]string

// ValidateName refuses what the kernel or a shell would misunderstand.
func (Environment) ValidateName(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return fmt.Errorf(`%q cannot name an environment variable; it must not be empty, nor contain "=" or NUL`, name)
	}
	return nil
}

// maxName keeps a program's name fit for a log line, a file name and a syslog tag.
const maxName = 64

// ValidateName refuses what would not fit where [maxName] has it.
func (Program) ValidateName(name string) error {
	ok := name != "" && len(name) <= maxName && isAlnum(name[0])
	for i := 0; ok && i < len(name); i++ {
		ok = isAlnum(name[i]) || strings.IndexByte("_.-", name[i]) >= 0
	}
	if section, number, numbered := strings.Cut(name, ":"); numbered && isNumber(number) &&
		(Program{}).ValidateName(section) == nil {
		return fmt.Errorf(`%q cannot name a program: the instances of a section have such names; `+
			`write [program.%s] with instances`, name, config.QuoteKey(section))
	}
	if !ok {
		return fmt.Errorf(`%q cannot name a program; use at most %d letters, digits, "_", "." and "-", `+
			`with a letter or digit first`, name, maxName)
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

// Kept is how much memory the last lines may take.
type Kept int64

// The least and the most that [Kept] can be.
const (
	leastKept = 64 << 10
	mostKept  = 1 << 30
)

// Decode reads a number, or a string.
func (k *Kept) Decode(from *config.Value) error { return decodeNumber(from, k) }

// UnmarshalText reads a size such as "4M".
func (k *Kept) UnmarshalText(text []byte) error {
	n, err := parseSize(string(text), `write a number with K, M or G, such as "4M"`)
	switch {
	case err != nil:
		return err
	case n < leastKept || n > mostKept:
		return fmt.Errorf(`must be from "64K" to "1G", not %q`, text)
	}
	*k = Kept(n)
	return nil
}

// MarshalText gives the number in the greatest unit that it is a whole number of.
func (k Kept) MarshalText() ([]byte, error) { return formatSize(int64(k)), nil }

func (Kept) Kind() string { return "size with K, M or G" }

func (Signal) Kind() string { return "signal" }

func (User) Kind() string { return `"USER" or "USER:GROUP"` }

func (GroupName) Kind() string { return "name or number of a group" }

// Umask is a file mode creation mask that may be unset, as its zero value is.
type Umask struct {
	mask uint16
	set  bool
}

// Mask returns the mask; ok is false when none is set.
func (u Umask) Mask() (mask int, ok bool) { return int(u.mask), u.set }

// UnmarshalText reads an octal number such as "027".
func (u *Umask) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 16)
	if err != nil || n > 0o777 {
		return fmt.Errorf(`%q is not a mask; write an octal number from "000" to "777", such as "027"`, text)
	}
	*u = Umask{uint16(n), true}
	return nil
}

// MarshalText gives three octal digits, or nothing when no mask is set.
func (u Umask) MarshalText() ([]byte, error) {
	if !u.set {
		return nil, nil
	}
	return fmt.Appendf(nil, "%03o", u.mask), nil
}

func (Umask) Kind() string { return "octal string" }

// Ready says how a program tells that it is ready. At most one of the fields is set; when none is,
// it is ready when it has been started.
type Ready struct {
	FD     int           // a newline on this descriptor
	Notify bool          // READY=1 to the socket that NOTIFY_SOCKET names
	After  time.Duration // having lived that long
}

// UnmarshalText reads "fd:N", "notify" or a duration.
func (r *Ready) UnmarshalText(text []byte) error {
	spec := string(text)
	if number, ok := strings.CutPrefix(spec, "fd:"); ok {
		if len(number) != 1 || number < "3" || number > "9" {
			return fmt.Errorf(`%q does not name a descriptor that can be had; write "fd:3" to "fd:9"`, spec)
		}
		*r = Ready{FD: int(number[0] - '0')}
		return nil
	}
	if spec == "notify" {
		*r = Ready{Notify: true}
		return nil
	}
	after, err := time.ParseDuration(spec)
	if err != nil || after < 0 {
		return fmt.Errorf(`must be "fd:3", "notify" or a duration such as "2s", not %q`, spec)
	}
	*r = Ready{After: after}
	return nil
}

// MarshalText gives what UnmarshalText reads.
func (r Ready) MarshalText() ([]byte, error) {
	switch {
	case r.Notify:
		return []byte("notify"), nil
	case r.FD != 0:
		return fmt.Appendf(nil, "fd:%d", r.FD), nil
	default:
		return []byte(config.FormatDuration(r.After)), nil
	}
}

func (Ready) Kind() string { return `"fd:N", "notify" or a duration` }

// Guess is for a mask without quotes, which looks like a number.
func (Umask) Guess(_ *config.Document, text string) (why, meant string) {
	if strings.Trim(text, "0123456789+-_ ") != "" {
		return "", ""
	}
	return "a string needs quotes", config.Quote(text)
}
