package settings

import (
	"encoding"
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/config"
)

// Limit is one resource limit, as setrlimit(2) takes it. Without a limit Soft or Hard is [unix.RLIM_INFINITY].
type Limit struct {
	Resource   int // RLIMIT_NOFILE and the like
	Soft, Hard uint64
}

// Limits are sorted by Resource, and none is there twice.
type Limits []Limit

// resources are the numbers of the keys of limits. Some differ from one architecture to another.
var resources = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
	"fsize": unix.RLIMIT_FSIZE, "locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK,
	"msgqueue": unix.RLIMIT_MSGQUEUE, "nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC,
	"rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO, "sigpending": unix.RLIMIT_SIGPENDING,
	"stack": unix.RLIMIT_STACK,
}

// Name is the resource's key in the table of limits, such as "nofile".
func (l Limit) Name() string {
	for name, number := range resources {
		if number == l.Resource {
			return name
		}
	}
	return fmt.Sprint(l.Resource)
}

// Decode fills l from a table of limits.
func (l *Limits) Decode(from *config.Value) error {
	var keys limits
	from.Decode(&keys)
	*l = nil
	for name, v := range keys.all() {
		if !v.IsNil() {
			limit := *v.Interface().(bound).limit()
			limit.Resource = resources[name]
			*l = append(*l, limit)
			for i := len(*l) - 1; i > 0 && (*l)[i-1].Resource > limit.Resource; i-- {
				(*l)[i-1], (*l)[i] = (*l)[i], (*l)[i-1]
			}
		}
	}
	*l = slices.Clip(*l)
	return nil
}

// Encode gives the table from which l would be decoded.
func (l Limits) Encode() any {
	var keys limits
	for name, v := range keys.all() {
		i := slices.IndexFunc(l, func(l Limit) bool { return l.Resource == resources[name] })
		if i >= 0 {
			v.Set(reflect.New(v.Type().Elem()))
			*v.Interface().(bound).limit() = l[i]
		}
	}
	return keys
}

// Table has the keys.
func (Limits) Table() any { return limits{} }

// all are the fields, by their keys.
func (keys *limits) all() iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		v := reflect.ValueOf(keys).Elem()
		for i := range v.NumField() {
			if !yield(v.Type().Field(i).Tag.Get("toml"), v.Field(i)) {
				return
			}
		}
	}
}

// decodeNumber reads what has a text of its own, and may be written as a number too.
func decodeNumber(from *config.Value, to encoding.TextUnmarshaler) error {
	text := from.Text()
	switch {
	case from.IsInteger():
		i, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			return fmt.Errorf("%s is too large", text)
		}
		if i < 0 {
			return fmt.Errorf("must not be negative, as %d is", i)
		}
		text = strconv.FormatInt(i, 10)
	case !from.IsString():
		return fmt.Errorf(`must be a whole number, or "unlimited" or "SOFT:HARD" in quotes, not %s`, from.Describe())
	case !from.Decode(&text):
		return nil // told
	}
	return to.UnmarshalText([]byte(text))
}

// count is a limit of things or seconds, size one of bytes, for which K, M and G are understood.
type (
	count Limit
	size  Limit
)

// bound is either.
type bound interface{ limit() *Limit }

func (c *count) limit() *Limit { return (*Limit)(c) }
func (s *size) limit() *Limit  { return (*Limit)(s) }

func (c *count) Decode(from *config.Value) error { return decodeNumber(from, c) }
func (s *size) Decode(from *config.Value) error  { return decodeNumber(from, s) }

func (count) Kind() string { return `whole number, "unlimited" or "SOFT:HARD"` }
func (size) Kind() string  { return `bytes, also with K, M or G, "unlimited" or "SOFT:HARD"` }

func (c *count) UnmarshalText(text []byte) (err error) {
	c.Soft, c.Hard, err = parseLimit(string(text), func(one string) (uint64, error) {
		n, err := strconv.ParseUint(one, 10, 64)
		if isRange(err) {
			return 0, fmt.Errorf("%s is too large", one)
		}
		if err != nil {
			return 0, fmt.Errorf(`%q is not a limit; write a number, "unlimited" or "SOFT:HARD"`, one)
		}
		return n, nil
	})
	return err
}

func (s *size) UnmarshalText(text []byte) (err error) {
	s.Soft, s.Hard, err = parseLimit(string(text), func(one string) (uint64, error) {
		return parseSize(one, `write bytes, a number with K, M or G, "unlimited" or "SOFT:HARD"`)
	})
	return err
}

// parseSize reads bytes, or a number with K, M or G; advice says what else may be written.
func parseSize(text, advice string) (uint64, error) {
	digits, shift := strings.TrimRight(text, "KMG"), 0
	switch text[len(digits):] {
	case "":
	case "K":
		shift = 10
	case "M":
		shift = 20
	case "G":
		shift = 30
	default:
		digits = ""
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if isRange(err) || err == nil && n<<shift>>shift != n {
		return 0, fmt.Errorf("%s is too large", text)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a size; %s", text, advice)
	}
	return n << shift, nil
}

// Bytes is a size; 0 is none.
type Bytes int64

// Decode reads a number, or a string.
func (b *Bytes) Decode(from *config.Value) error { return decodeNumber(from, b) }

func (Bytes) Kind() string { return "bytes, also with K, M or G" }

// UnmarshalText reads bytes, or a number with K, M or G, above 0.
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := parseSize(string(text), "write bytes, or a number with K, M or G")
	switch {
	case err != nil:
		return err
	case n == 0:
		return errors.New("must be more than 0")
	case n > math.MaxInt64:
		return fmt.Errorf("%s is too large", text)
	}
	*b = Bytes(n)
	return nil
}

// MarshalText gives the number in the greatest unit that it is a whole number of.
func (b Bytes) MarshalText() ([]byte, error) { return formatSize(int64(b)), nil }

func formatSize(n int64) []byte {
	switch {
	case n%(1<<20) == 0:
		return fmt.Appendf(nil, "%dM", n>>20)
	case n%(1<<10) == 0:
		return fmt.Appendf(nil, "%dK", n>>10)
	}
	return strconv.AppendInt(nil, n, 10)
}

func isRange(err error) bool { return errors.Is(err, strconv.ErrRange) }

func parseLimit(text string, parse func(string) (uint64, error)) (soft, hard uint64, err error) {
	one := func(text string) (uint64, error) {
		if text == "unlimited" {
			return unix.RLIM_INFINITY, nil
		}
		return parse(text)
	}
	first, second, two := strings.Cut(text, ":")
	if soft, err = one(first); err != nil || !two {
		return soft, soft, err
	}
	if hard, err = one(second); err == nil && soft > hard {
		err = fmt.Errorf("the soft limit, %s, must not be above the hard one, %s", first, second)
	}
	return soft, hard, err
}

func (c count) MarshalText() ([]byte, error) { return Limit(c).text(), nil }
func (s size) MarshalText() ([]byte, error)  { return Limit(s).text(), nil }

func (l Limit) text() []byte {
	if l.Soft == l.Hard {
		return []byte(limitText(l.Soft))
	}
	return []byte(limitText(l.Soft) + ":" + limitText(l.Hard))
}

func limitText(n uint64) string {
	if n == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}
