package settings

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/keepalivedd/keepalivedd/config"
)

// envFile is what an environment_file holds.
type envFile struct {
	env Environment
	err error // why it cannot be read
}

// envFile reads a file of lines NAME=VALUE, once, whatever the number of programs that name it. The mistakes in it are
// told once; that it cannot be read is no mistake of the configuration's.
func (l *loader) envFile(path string) (Environment, error) {
	f, ok := l.envFiles[path]
	if !ok {
		f = &envFile{}
		if data, _, err := l.files.Read(path); err != nil {
			f.err = fmt.Errorf("cannot read %s: %w", path, err)
		} else {
			f.env = l.readEnv(config.NewSource(path, data))
		}
		l.envFiles[path] = f
	}
	return f.env, f.err
}

// laterEnv reads a file that could not be read with the configuration, and puts the program's own environment on top.
func laterEnv(files files, path string, own Environment) func() (Environment, error) {
	return func() (Environment, error) {
		l := newLoader(files)
		env, err := l.envFile(path)
		if mistakes := l.Mistakes(); err == nil && len(mistakes) > 0 {
			err = mistakes
		}
		if err != nil {
			return nil, err
		}
		return merged(env, own), nil
	}
}

// readEnv understands what systemd.exec(5) says of EnvironmentFile, but that a value ends with its
// line, and that what systemd would pass over is a mistake. The last of two equal names counts.
func (l *loader) readEnv(src *config.Source) Environment {
	env := Environment{}
	for at := 0; at < len(src.Data()); {
		line := src.Data()[at:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		}
		if name, value, where, err := envLine(string(line)); err != nil {
			l.Report(src.Mistake(uint32(at+where), "", err))
		} else if name != "" {
			env[l.text(name)] = l.text(value)
		}
		at += len(line) + 1
	}
	if len(env) == 0 {
		return nil // as when there is no file
	}
	return env
}

const envBlank = " \t\r"

// envLine reads one line; name is empty when there is nothing in it. A mistake is at the byte at.
func envLine(line string) (name, value string, at int, err error) {
	rest := strings.TrimLeft(line, envBlank)
	if rest == "" || rest[0] == '#' || rest[0] == ';' {
		return "", "", 0, nil
	}
	if exported, ok := strings.CutPrefix(rest, "export"); ok && strings.IndexAny(exported, " \t") == 0 {
		rest = strings.TrimLeft(exported, envBlank)
	}
	start := len(line) - len(rest)
	name, value, ok := strings.Cut(rest, "=")
	if !ok {
		return "", "", start, errors.New("must be NAME=VALUE, or a comment that begins with #")
	}
	end := start + len(name) + 1
	name = strings.TrimRight(name, envBlank)
	if !isVariable(name) {
		return "", "", start,
			fmt.Errorf("%q cannot name an environment variable here; use letters, digits and _, with no digit first", name)
	}
	if i := strings.IndexByte(value, 0); i >= 0 {
		return "", "", end + i, errors.New("must not contain a NUL character")
	}
	if !utf8.ValidString(value) {
		return "", "", end, errors.New("the value is not UTF-8")
	}
	text, where, err := envValue(value)
	return name, text, end + where, err
}

func isVariable(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '_' && !isAlnum(c) || i == 0 && '0' <= c && c <= '9' {
			return false
		}
	}
	return name != ""
}

// envValue takes quotes and backslashes from a value, as a shell would. What follows a # belongs to the value.
func envValue(text string) (value string, at int, err error) {
	text = strings.TrimRight(text, envBlank)
	var b strings.Builder
	i := len(text) - len(strings.TrimLeft(text, envBlank))
	open, quote := i, byte(0)
	if i < len(text) && (text[i] == '"' || text[i] == '\'') {
		quote = text[i]
		i++
	}
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case c == quote && quote != 0:
			if i+1 < len(text) {
				return "", i + 1, errors.New("nothing may follow the closing quote; put the whole value in quotes")
			}
			return b.String(), 0, nil
		case c == '\\' && quote != '\'':
			if i++; i == len(text) {
				return "", i - 1, errors.New(`a value ends with its line; write \\ for a backslash`)
			}
			if quote == '"' && strings.IndexByte("\"\\`$", text[i]) < 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", open, fmt.Errorf("the quote %c is not closed on this line", quote)
	}
	return b.String(), 0, nil
}
