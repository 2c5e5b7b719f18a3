package config

import (
	"io/fs"
	"testing"
)

// The types that a key may have, those included that no key has yet.
func TestDecodeTypes(t *testing.T) {
	t.Parallel()
	type schema struct {
		Yes   bool `toml:"yes" default:"true"`
		Count int  `toml:"count" default:"3" aka:"number times"`
	}
	for doc, want := range map[string]any{
		"times = 1":                    `/x:1:1: times: unknown key; did you mean "count"?`,
		"":                             schema{true, 3},
		"yes = false\ncount = -0":      schema{false, 0},
		"count = 0x1F":                 schema{true, 31},
		"count = 1_000":                schema{true, 1000},
		"count = +0":                   schema{true, 0},
		"yes = 'true'":                 "/x:1:7: yes: must be true or false without quotes, not a string",
		"count = '3'":                  "/x:1:9: count: must be a whole number without quotes, not a string",
		"count = 3.0":                  "/x:1:9: count: must be a whole number without quotes, not a fraction",
		"count = 99999999999999999999": "/x:1:9: count: 99999999999999999999 is too large",
		"COUNT = 1":                    `/x:1:1: COUNT: unknown key; did you mean "count"?`,
		"conut = 1":                    `/x:1:1: conut: unknown key; did you mean "count"?`,
		"yes.no = 1\ncount = [1]\nx.y = 1": "/x:1:1: yes: must be true or false without quotes, not a table\n" +
			"/x:2:9: count: must be a whole number without quotes, not a list\n/x:3:1: x: unknown key",
	} {
		var v schema
		d := Document{Files: oneFile(doc)}
		d.Read("/x", &v)
		var got any = v
		if mistakes := d.Mistakes(); len(mistakes) > 0 {
			got = mistakes.Error()
		}
		if got != want {
			t.Errorf("%s\ngot  %v\nwant %v", doc, got, want)
		}
	}
}

// oneFile is all that there is, /x.
type oneFile string

func (f oneFile) Read(path string) ([]byte, ID, error) {
	if path != "/x" {
		return nil, nil, fs.ErrNotExist
	}
	return []byte(f), path, nil
}

func (oneFile) List(string) ([]string, error) { return nil, fs.ErrNotExist }

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"comand", "command", 1},
		{"levle", "level", 1}, {"wbe", "web", 1}, {"abc", "cab", 2}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%q, %q: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
