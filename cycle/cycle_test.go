package cycle_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/cycle"
)

func TestFind(t *testing.T) {
	for needs, want := range map[string]string{
		"":                              "",
		"a:b b:c":                       "",
		"a:b b:a":                       "a b a",
		"b:a a:b":                       "a b a",
		"a:a":                           "a a",
		"a:b b:c c:d d:a b:a":           "a b a",
		"a:b b:c c:b":                   "b c b",
		"x:y y:x a:b b:c c:a":           "a b c a, x y x",
		"a:b,c b:d c:d d:e e:d":         "d e d",
		"a:b b:c,x c:a x:y y:x":         "a b c a, x y x",
		"a:nobody":                      "",
		"z:a,nobody a:m m:z nobody:end": "a m z a",
	} {
		graph := map[string][]string{}
		for _, word := range strings.Fields(needs) {
			name, list, _ := strings.Cut(word, ":")
			graph[name] = strings.Split(list, ",")
		}
		for name, list := range graph {
			if len(list) == 1 && list[0] == "" {
				delete(graph, name)
			}
		}
		var got []string
		for _, c := range cycle.Find(graph) {
			got = append(got, strings.Join(c, " "))
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s: %q, want %q", needs, got, want)
		}
	}
}

// What is told is a cycle, and there is none where each needs only who was there before.
func TestFindInRandomOrders(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 2 + rnd.IntN(12)
		name := func(i int) string { return fmt.Sprint("p", i) }
		needs := map[string][]string{}
		for i := range n {
			for j := range i {
				if rnd.IntN(4) == 0 {
					needs[name(i)] = append(needs[name(i)], name(j))
				}
			}
		}
		if c := cycle.Find(needs); c != nil {
			t.Fatalf("%v has none, and %v was told", needs, c)
		}
		i, j := rnd.IntN(n), rnd.IntN(n)
		needs[name(i)] = append(needs[name(i)], name(j))
		needs[name(j)] = append(needs[name(j)], name(i))
		found := cycle.Find(needs)
		if len(found) != 1 {
			t.Fatalf("%v: %v", needs, found)
		}
		c := found[0]
		if c[0] != c[len(c)-1] || len(c) < 2 {
			t.Errorf("%v: %v is not round", needs, c)
		}
		for k := range len(c) - 1 {
			if !slices.Contains(needs[c[k]], c[k+1]) {
				t.Errorf("%v: in %v, %s does not need %s", needs, c, c[k], c[k+1])
			}
		}
	}
}

// promise A1: a name may be any, the empty one included
func TestFindTheEmptyName(t *testing.T) {
	for _, needs := range []map[string][]string{{"": {""}}, {"": {"a"}, "a": {""}}, {"a": {"", "a"}}} {
		if found := cycle.Find(needs); len(found) != 1 {
			t.Errorf("%v: %q", needs, found)
		}
	}
}
