package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var durationType = reflect.TypeFor[time.Duration]()

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
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("must be true or false, not %q", text)
		}
		v.SetBool(text == "true")
	case v.CanInt():
		// Base 0 reads every form that TOML has; the one that TOML has not, 017, was refused by the parser.
		i, err := strconv.ParseInt(text, 0, v.Type().Bits())
		if err != nil {
			return notNumber(text, "a whole number", err)
		}
		v.SetInt(i)
	case v.CanUint():
		if strings.HasPrefix(text, "-") && strings.Trim(text, "-0_") != "" {
			return fmt.Errorf("must not be negative, as %s is", text)
		}
		i, err := strconv.ParseUint(strings.TrimLeft(text, "+-"), 0, v.Type().Bits())
		if err != nil {
			return notNumber(text, "a whole number", err)
		}
		v.SetUint(i)
	case v.CanFloat():
		f, err := number(text, v.Type().Bits())
		if err != nil {
			return notNumber(text, "a number", err)
		}
		if math.IsNaN(f) {
			return errors.New("must be a number, not nan")
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("%s can have no default", v.Type())
	}
	return nil
}

// notNumber says why strconv could not read one. A file has none that is no number, but a default may be.
func notNumber(text, kind string, err error) error {
	if errors.Is(err, strconv.ErrSyntax) {
		return fmt.Errorf("must be %s, not %q", kind, text)
	}
	return fmt.Errorf("%s is too large", text)
}

// number reads every form of a number that TOML has.
func number(text string, bits int) (float64, error) {
	if i, err := strconv.ParseInt(text, 0, 64); err == nil {
		return float64(i), nil
	}
	return strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), bits)
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

// FormatDuration writes a duration as a configuration has it: 2m where package time writes 2m0s.
func FormatDuration(d time.Duration) string {
	text := d.String()
	if s, ok := strings.CutSuffix(text, "m0s"); ok {
		text = s + "m"
	}
	if s, ok := strings.CutSuffix(text, "h0m"); ok {
		text = s + "h"
	}
	return text
}

// durationLike is what was probably meant by a value that is no string.
func durationLike(n *Value) string {
	if text := string(n.text); text != "" && len(text) < 10 && strings.Trim(text, "0123456789.") == "" {
		return text + "s"
	}
	return "10s"
}

// string is the string in n. No string may have a NUL: the kernel would take it for the end.
func (n *Value) string() (string, error) {
	if !n.IsString() {
		return "", fmt.Errorf("must be a string in quotes, not %s", n.Describe())
	}
	s := string(n.text)
	if strings.IndexByte(s, 0) >= 0 {
		return "", errors.New("must not contain a NUL character")
	}
	return s, nil
}
