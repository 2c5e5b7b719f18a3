package config

import (
	"strings"
	"testing"
)

// The caret stands below the byte that is meant, whatever characters are before it, and nothing of the file is obeyed
// by the terminal. // issue 7.C
func TestPicture(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100)
	for _, c := range []struct {
		text        string
		column      int
		line, caret string
	}{
		{"restart = always", 11, "restart = always", "          ^"},
		{"restart", 1, "restart", "^"},
		{"\trestart = x", 12, "        restart = x", "                  ^"},
		{"a\tb = x", 7, "a       b = x", "            ^"},
		{"é = x", 6, "é = x", "    ^"},
		{"\"日本\" = x", 12, "\"日本\" = x", "         ^"},
		{"e\u0301 = x", 7, "e\u0301 = x", "    ^"},
		{"a\x1b[2J\u202e = x", 12, "a\uFFFD[2J = x", "        ^"},
		{"\xff = x", 5, "\uFFFD = x", "    ^"},
		{"x =", 4, "x =", "   ^"},
		{"", 1, "", "^"},
		{long, 1, strings.Repeat("x", 40), "^"},
		{long + "y" + long, 101, strings.Repeat("x", 20) + "y" + strings.Repeat("x", 19), strings.Repeat(" ", 20) + "^"},
		{long + "日", 101, strings.Repeat("x", 20) + "日", strings.Repeat(" ", 20) + "^"},
	} {
		if line, caret := picture(c.text, c.column, 40); line != c.line || caret != c.caret {
			t.Errorf("%q, %d:\ngot  %q %q\nwant %q %q", c.text, c.column, line, caret, c.line, c.caret)
		}
	}
}
