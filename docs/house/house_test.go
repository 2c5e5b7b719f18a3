// Package house_test holds the files of the house to what CONTRIBUTING says of them.
package house_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const root = "../.."

// notOurs are folders that what holds of ours need not hold of: the last three are made by .ci/as-nobody.
var notOurs = []string{".git", "testdata", "vendor", "home", "tmp"}

// sources calls do for every file in Go, web's included.
func sources(t *testing.T, tokens *token.FileSet, do func(path, text string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(notOurs, d.Name()):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(tokens, path, text, parser.ParseComments)
		if err == nil {
			do(path, string(text), file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// issue 11.8: a line has at most 120 characters, but for tags of structs, and for texts that have line breaks of their
// own: one more would change them.
func TestWidth(t *testing.T) {
	t.Parallel()
	tokens := token.NewFileSet()
	sources(t, tokens, func(path, text string, file *ast.File) {
		free := map[int]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				free[tokens.Position(n.End()).Line] = n.Tag != nil
			case *ast.BasicLit:
				first, last := tokens.Position(n.Pos()).Line, tokens.Position(n.End()).Line
				for line := first; first < last && line <= last; line++ {
					free[line] = true
				}
			}
			return true
		})
		for i, line := range strings.Split(text, "\n") {
			if n := utf8.RuneCountInString(line); n > 120 && !free[i+1] {
				t.Errorf("%s:%d has %d characters; wrap it", path, i+1, n)
			}
		}
	})
}

// issue 11.8: the places that CONTRIBUTING names are there; a name without a folder is beside the one before it.
func TestPlaces(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	places, there := 0, root
	for _, m := range regexp.MustCompile("`([\\w.-]*[/.][\\w./-]*)`").FindAllStringSubmatch(string(text), -1) {
		places++
		path := filepath.Join(root, m[1])
		if _, err := os.Stat(path); err == nil {
			there = filepath.Dir(path)
			continue
		}
		if _, err := os.Stat(filepath.Join(there, m[1])); err != nil {
			t.Errorf("CONTRIBUTING.md names %s, which is not there", m[1])
		}
	}
	if places < 50 {
		t.Errorf("found %d places only", places)
	}
}

// issue 11.7: a name in brackets, in a comment that go doc shows, is a link to what has that name.
func TestDocLinks(t *testing.T) {
	t.Parallel()
	tokens := token.NewFileSet()
	files := map[string][]*ast.File{}
	sources(t, tokens, func(path, _ string, file *ast.File) {
		if name := filepath.Base(path); !strings.HasSuffix(name, "_test.go") && name != "elsewhere.go" {
			files[filepath.Dir(path)] = append(files[filepath.Dir(path)], file)
		}
	})
	name := regexp.MustCompile(`\[\*?(\w+\.)?[A-Z]\w*[a-z]\w*(\.\w+)?\]`)
	for dir, all := range files {
		p, err := doc.NewFromFiles(tokens, all, dir, doc.PreserveAST)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range all {
			for _, c := range file.Comments {
				for _, link := range name.FindAllString(string(p.Text(c.Text())), -1) {
					t.Errorf("%s: %s is the name of nothing", tokens.Position(c.Pos()), link)
				}
			}
		}
	}
}

// Whatever a page links to on this side is there, headings included.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:\s]*)(#[^)\s]+)?\)`)
	links := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(notOurs, d.Name()):
			return fs.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			links++
			to := path
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(path), m[1])
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %v", path, err)
			} else if m[2] != "" && !slices.Contains(headings(t, to), m[2]) {
				t.Errorf("%s: %s has no heading %s", path, to, m[2])
			}
		}
		return nil
	})
	if err != nil || links < 50 {
		t.Errorf("%d links only: %v", links, err)
	}
}

// headings are what a page can be entered by.
func headings(t *testing.T, path string) (all []string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, "#"+strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

// What CONTRIBUTING says of imports: the packages for everybody import none of ours but the smallest, and those
// none but internal.
func TestImports(t *testing.T) {
	t.Parallel()
	const ours = "github.com/keepalivedd/keepalivedd/"
	smallest := []string{"address", "cycle", "wait", "internal"}
	alone := []string{"supervise", "config", "logging", "pidfile", "signals", "control"}
	tokens := token.NewFileSet()
	seen := map[string]bool{}
	sources(t, tokens, func(path, _ string, file *ast.File) {
		path, _ = filepath.Rel(root, path)
		of, _, _ := strings.Cut(filepath.ToSlash(path), "/")
		if strings.HasSuffix(path, "_test.go") || !slices.Contains(slices.Concat(smallest, alone), of) {
			return
		}
		seen[of] = true
		for _, i := range file.Imports {
			name, is := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), ours)
			to, _, _ := strings.Cut(name, "/")
			allowed := smallest
			if slices.Contains(smallest, of) {
				allowed = smallest[3:]
			}
			if is && to != of && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s", path, name)
			}
		}
	})
	if len(seen) != len(smallest)+len(alone) {
		t.Errorf("found %d packages only: %v", len(seen), seen)
	}
}
