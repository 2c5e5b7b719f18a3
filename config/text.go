package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// setText fills a value from its text: the content of a string, or a number or boolean as TOML writes it.
func setText(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	if v.Type() == durationType {
		dur, err := duration(text)
		v.SetInt(int64(dur))
		return err
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(text == "true")
	case reflect.Int:
		// Base 0 reads every form that TOML has; the one that TOML has not, 017, was refused by the parser.
		i, err := strconv.ParseInt(text, 0, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%s is too large", text)
		}
		v.SetInt(i)
	default:
		panic(fmt.Sprintf("no text for %s", v.Type()))
	}
	return nil
}

func duration(text string) (time.Duration, error) {
	dur, err := time.ParseDuration(text)
	if err != nil {
		if _, bare := strconv.ParseFloat(text, 64); bare == nil {
			return 0, fmt.Errorf("%q has no unit; write %q", text, text+"s")
		}
		return 0, fmt.Errorf(`%q is not a duration; write a number and a unit, such as "500ms", "10s" or "1m30s"`, text)
	}
	if dur < 0 {
		return 0, fmt.Errorf("must not be negative, as %q is", text)
	}
	return dur, nil
}

// durationLike is what was probably meant by a value that is no string.
func durationLike(n *node) string {
	if text := string(n.text); text != "" && len(text) < 10 && strings.Trim(text, "0123456789.") == "" {
		return text + "s"
	}
	return "10s"
}

// stringOf is the string in n. No string may have a NUL: the kernel would take it for the end.
func stringOf(n *node) (string, error) {
	if n.kind != unstable.String {
		return "", fmt.Errorf("must be a string in quotes, not %s", describe(n))
	}
	s := string(n.text)
	if strings.IndexByte(s, 0) >= 0 {
		return "", errors.New("must not contain a NUL character")
	}
	return s, nil
}

// describe says in words what n is.
func describe(n *node) string {
	switch n.kind {
	case unstable.String:
		return "a string"
	case unstable.Bool:
		return "a boolean"
	case unstable.Integer, unstable.Float:
		return "a number"
	case unstable.Array:
		if n.origin == headed {
			return fmt.Sprintf("a list of tables, [[%s]]", n.key())
		}
		return "a list"
	case unstable.Table:
		return "a table"
	default:
		return "a date or time"
	}
}
