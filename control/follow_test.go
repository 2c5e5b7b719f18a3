//go:build linux

package control

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What a daemon says that is no stream ends in an error, and is taken for no line.
func TestNoStream(t *testing.T) {
	const begun = `{"jsonrpc":"2.0","method":"x","params":[1]}` + "\n"
	for said, want := range map[string]string{
		``:      "the stream broke off: unexpected EOF",
		`{}`:    "the stream broke off: unexpected EOF",
		"{}\n":  "not understood",
		"[]\n":  "not understood",
		"\n":    "not understood",
		"...\n": "not understood",
		`{"jsonrpc":"2.0","method":"lost","params":3}` + "\n":                         "not understood",
		`{"jsonrpc":"2.0","method":"x"}` + "\n":                                       "not understood",
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}` + "\n":            "m",
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32002,"message":"busy"}}` + "\n": "busy",
		strings.Repeat("x", longestAnswer+1):                                          "too long",
		begun + `{"jsonrpc":"2.0","id":1,"r`:                                          "the stream broke off: unexpected EOF",
	} {
		if err := hearStream(strings.NewReader(said), func(json.RawMessage, int) error { return nil }); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v", said, err)
		}
	}
}

// Whatever a daemon says, who follows comes to an end.
func FuzzFollow(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","method":"x","params":[1]}` + "\n" +
		`{"jsonrpc":"2.0","method":"lost","params":{"lines":3}}` + "\n" + `{"id":1,"result":1}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}` + "\n"))
	f.Add([]byte("\n\n{}\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		lines := 0
		err := hearStream(bytes.NewReader(said), func(line json.RawMessage, lost int) error {
			if lines++; line != nil && !json.Valid(line) {
				t.Fatalf("%q in %q", line, said)
			}
			return nil
		})
		if most := bytes.Count(said, []byte("\n")); lines > most || err == nil && most == 0 {
			t.Fatalf("%d lines, %v of %q", lines, err, said)
		}
	})
}
