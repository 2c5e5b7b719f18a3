package config

import (
	"bytes"
	"fmt"
	"slices"
)

// Source is one file's content and the way from an offset in it to a place that people know.
type Source struct {
	path     string
	data     []byte
	lines    []int // where each line begins; found out at the first mistake
	document *Document
}

// NewSource is for a file that is not TOML, and is read with one that is. The path is what messages have.
func NewSource(path string, data []byte) *Source {
	// Some editors put a byte order mark first; TOML 1.1 ignores it.
	data, _ = bytes.CutPrefix(data, []byte("\xef\xbb\xbf"))
	return &Source{path: path, data: data}
}

// Data is the content, without a byte order mark: offsets count from there.
func (s *Source) Data() []byte { return s.data }

func (s *Source) position(offset uint32) (line, column int) {
	if s.lines == nil {
		s.lines = []int{0}
		for i, c := range s.data {
			if c == '\n' {
				s.lines = append(s.lines, i+1)
			}
		}
	}
	line, _ = slices.BinarySearch(s.lines, int(offset)+1)
	return line, int(offset) - s.lines[line-1] + 1
}

// where names the place of the offset as seen from the file from.
func (s *Source) where(offset uint32, from *Source) string {
	line, _ := s.position(offset)
	if s == from {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("%s:%d", s.path, line)
}

// Mistake is one at an offset. The key is empty when none is meant. Nobody has been told of it.
func (s *Source) Mistake(offset uint32, key string, err error) *Error {
	line, column := s.position(offset)
	return &Error{File: s.path, Line: line, Column: column, Key: key, Err: err, Text: s.text(line)}
}

// longLine bounds what is shown of a file: what is longer was not written by hand.
const longLine = 4096

// text is a line, or "" if it is too long.
func (s *Source) text(line int) string {
	text, _, _ := bytes.Cut(s.data[s.lines[line-1]:], []byte("\n"))
	if len(text) > longLine {
		return ""
	}
	return string(bytes.TrimSuffix(text, []byte("\r")))
}
