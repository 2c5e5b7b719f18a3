//go:build linux

package control

import (
	"context"
	"encoding/json"
	"testing"
)

// promise A1: the race detector knows that a method comes after its question, so that an author's test in one process
// needs no lock for what is ordered.
func TestMethodComesAfterItsQuestion(t *testing.T) {
	path := socket(t)
	var said string
	listen(t, path, map[string]Method{"say": func(context.Context, json.RawMessage) (any, error) {
		said += " heard"
		return said, nil
	}})
	for _, word := range []string{"one", "two"} {
		said = word
		if answer, err := ask(t, path, "say"); err != nil || answer != `"`+word+` heard"` || said != word+" heard" {
			t.Errorf("%s, %v, %s", answer, err, said)
		}
	}
}
