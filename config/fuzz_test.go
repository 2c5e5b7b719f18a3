package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// documents are what a parser of TOML can be asked, for both of ours.
func documents(tb testing.TB) []string {
	tb.Helper()
	docs := []string{
		"a.b = 1\n[a.c]\nd = 1\n[a]", "[a.b]\n[a]\nb.c = 1", "[a.b]\n[a]\nc = 1\n[a.d]", "[[a]]\n[a.b]\n[[a]]\n[a.b]",
		"a = {b = 1}\n[a.c]", "a = {b.c = 1, b.d = 2}\na.e = 1", "a = [{b = 1}]\n[[a]]", "[a]\n[[a]]", "[[a.b]]\n[a]\nb = 1",
		"a.b.c = 1\na.b.d = 2\na.b = 3", "[a]\nb.c = 1\n[a.b]", "[a]\nb.c = 1\n[a.b.d]", "a = [[1, {x = 1, x = 2}]]",
		"a = \"\\u00e9\\t\\\"\"\nb = '\\u'\nc = \"\"\"\n x\\\n   y\"\"\"\nd = '''\n'z''''",
		"a = [1_000, 0x1F, 0o17, 0b11, -0]\nb = [1.5, 1e3, inf]",
		"a = 1979-05-27T07:32:00Z\nb = 07:32:00\nc = 1979-05-27\nd = [true, false]", "\"a b\".'c.d'.e = 1\n\"\" = 2",
		"a = []\nb = {}\n[c]", "a = [ # x\n 1, # y\n 2,\n]\n", "a = {b = [{c = 1}, {c = [{d = 'x'}]}]}", "a = 1 b = 2",
		"a = \"x", "[a", "a", "= 1", "a = 01", "\r\na = 1\r\n",
	}
	for _, pattern := range []string{
		"../cmd/keepalivedd/settings/testdata/*/*.toml", "../docs/examples/*.toml", "../examples/*/packaging/*.toml",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			tb.Fatalf("no files in %s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				tb.Fatal(err)
			}
			docs = append(docs, string(data))
		}
	}
	return docs
}

// The tree takes what go-toml's own decoder takes, with the same values, and nothing else. // issue 11.4, ADR 19
func TestTree(t *testing.T) {
	for _, doc := range documents(t) {
		compare(t, doc)
	}
}

func FuzzTree(f *testing.F) {
	for _, doc := range documents(f) {
		f.Add(doc)
	}
	f.Fuzz(compare)
}

func compare(t *testing.T, doc string) {
	root, mistakes := (&Document{schema: reflect.TypeFor[struct{}]()}).parse(&Source{path: "/x", data: []byte(doc)})
	var want map[string]any
	err := toml.Unmarshal([]byte(doc), &want)
	if err != nil && len(mistakes) == 0 {
		// Dates and large numbers are looked into when somebody asks for their values.
		for _, scalar := range []string{
			"date", "time", "month", "day", "year", "hour", "minute", "second", "number", "offset", "digit", "parse",
			"nanosecond", "float", "integer",
		} {
			if strings.Contains(err.Error(), scalar) {
				return
			}
		}
	}
	if (err != nil) != (len(mistakes) > 0) {
		t.Fatalf("ours %v, go-toml %v\n%s", mistakes, err, doc)
	}
	if err == nil {
		same(t, root, want)
	}
}

// same compares a value with what go-toml has in its place, and holds that it stands where the tree says.
func same(t *testing.T, n *Value, want any) {
	ok := true
	switch want := want.(type) {
	case map[string]any:
		if ok = n.IsTable() && len(n.Fields()) == len(want); ok {
			for _, child := range n.Fields() {
				same(t, child, want[child.Name()])
			}
		}
	case []any:
		if ok = n.IsList() && len(n.Items()) == len(want); ok {
			for i, item := range n.Items() {
				same(t, item, want[i])
			}
		}
	case string:
		ok = n.IsString() && n.Text() == want && strings.IndexByte(`"'`, n.src.data[n.valueAt]) >= 0
	case bool:
		ok = n.kind == boolKind && n.Text() == fmt.Sprint(want) && strings.HasPrefix(string(n.src.data[n.valueAt:]), n.Text())
	case int64:
		got, err := strconv.ParseInt(n.Text(), 0, 64)
		ok = n.IsInteger() && err == nil && got == want
	case float64:
		got, err := number(n.Text(), 64)
		ok = n.kind == floatKind && err == nil && (got == want || got != got && want != want)
	default: // dates and times
		ok = want != nil && n.kind == timeKind
	}
	if !ok {
		t.Errorf("%s: ours is %s, %q, at %d; go-toml has %#v\n%s", n.Key(), n.Describe(), n.Text(), n.valueAt, want,
			n.src.data)
	}
}

// issue 11.4: whatever a file holds: no panic, every mistake has a place, and what loads dumps, and loads from the dump
// the same
func FuzzRead(f *testing.F) {
	for _, doc := range documents(f) {
		f.Add(doc)
	}
	f.Add("text = ''\nsmall = 1\nlarge = 2\nshare = 0.25\nrate = inf\nwait = '1h'\nsince = '0s'\n" +
		"maybe = true\naddress = '1.1.1.1'\nwaits = ['1s']")
	f.Add("shares = [1]\nports = []\nhosts = ['::']\nlabels = { 'a b' = '\"' }\naudit = {}\n" +
		"[[rule]]\nallow = true\n[site.'x.y']\nroot = ''\n[upstream.u]\nto = []")
	f.Fuzz(func(t *testing.T, doc string) {
		v, mistakes := readDoc(doc)
		for _, e := range mistakes {
			if e.Line < 1 || e.Column < 1 || strings.Contains(e.Error(), "\n") {
				t.Errorf("%+v", e)
			}
			e.Picture(40)
		}
		if mistakes != nil {
			return
		}
		var dump bytes.Buffer
		if err := Dump(&dump, v); err != nil {
			t.Fatal(err)
		}
		again, mistakes := readDoc(dump.String())
		if mistakes != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("the dump loads as another\nfirst %+v\nthen  %+v\n%v\n%s", v, again, mistakes, dump.String())
		}
	})
}
