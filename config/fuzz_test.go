package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// The tree refuses what go-toml's own decoder refuses, and nothing else.
func FuzzTree(f *testing.F) {
	for _, seed := range []string{
		"a.b = 1\n[a.c]\nd = 1\n[a]", "[a.b]\n[a]\nb.c = 1", "[a.b]\n[a]\nc = 1\n[a.d]", "[[a]]\n[a.b]\n[[a]]\n[a.b]",
		"a = {b = 1}\n[a.c]", "a = {b.c = 1, b.d = 2}\na.e = 1", "a = [{b = 1}]\n[[a]]", "[a]\n[[a]]", "[[a.b]]\n[a]\nb = 1",
		"a.b.c = 1\na.b.d = 2\na.b = 3", "[a]\nb.c = 1\n[a.b]", "[a]\nb.c = 1\n[a.b.d]", "a = [[1, {x = 1, x = 2}]]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		_, mistakes := (&Document{schema: reflect.TypeFor[struct{}]()}).parse(&Source{path: "/x", data: []byte(doc)})
		var want map[string]any
		err := toml.Unmarshal([]byte(doc), &want)
		if (err != nil) == (len(mistakes) > 0) {
			return
		}
		if err != nil {
			// Dates and large numbers are looked into when somebody asks for their values.
			for _, scalar := range []string{"date", "time", "month", "day", "year", "hour", "minute", "second", "number", "offset", "digit", "parse", "nanosecond", "float", "integer"} {
				if strings.Contains(err.Error(), scalar) {
					return
				}
			}
		}
		t.Fatalf("ours %v, go-toml %v\n%s", mistakes, err, doc)
	})
}
