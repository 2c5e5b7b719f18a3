//go:build linux

package daemon_test

import (
	"bytes"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// promise A1: what a program makes use of is there on other systems, to build it: each exported name, of the same type
func TestSameNamesElsewhere(t *testing.T) {
	for _, dir := range []string{".", "../pidfile", "../control", "../signals", "../logging", "../daemontest"} {
		here, there := exported(t, dir, "linux"), exported(t, dir, "darwin")
		for _, name := range slices.Sorted(maps.Keys(here)) {
			if there[name] != here[name] && !(dir == "../daemontest" && there[name] == "") {
				t.Errorf("%s: on Linux %s is %q, and elsewhere %q: see elsewhere.go", dir, name, here[name], there[name])
			}
		}
		for name := range there {
			if here[name] == "" {
				t.Errorf("%s: there is no %s on Linux", dir, name)
			}
		}
	}
}

// promise A1: they build, and what cannot says why in one line
func TestBuildsElsewhere(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles")
	}
	for _, c := range []struct{ system, what, says string }{
		{"darwin", "../examples/echod", ""},
		{"darwin", "../cmd/keepalivedd", "on_Linux_only"},
		{"windows", "../examples/echod", "on_Linux__and"},
		{"windows", "../examples/cronlock", "on_Linux__and"},
		{"windows", "../cmd/keepalivedd", "on_Linux__and"},
	} {
		b := exec.Command("go", "build", "-o", os.DevNull, c.what)
		b.Env = append(os.Environ(), "GOOS="+c.system, "CGO_ENABLED=0")
		out, err := b.CombinedOutput()
		wrong := err == nil || strings.Count(string(out), "undefined: ") != 1 || !strings.Contains(string(out), c.says)
		if c.says == "" {
			wrong = err != nil
		}
		if wrong {
			t.Errorf("%s, for %s: %v\n%s", c.what, c.system, err, out)
		}
	}
}

// exported is what the package of dir has for others on a system: names,
// with those of fields and methods after their type's.
func exported(t *testing.T, dir, goos string) map[string]string {
	t.Helper()
	target := build.Default
	target.GOOS, target.CgoEnabled = goos, false
	files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	set, all := token.NewFileSet(), map[string]string{}
	for _, path := range files {
		match, err := target.MatchFile(dir, filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		if !match || strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = strings.TrimPrefix(text(set, d.Recv.List[0].Type), "*") + "." + name
				}
				if ast.IsExported(name) && d.Name.IsExported() {
					all[name] = "func(" + types(set, d.Type.Params) + ") (" + types(set, d.Type.Results) + ")"
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					note(set, s, all)
				}
			}
		}
	}
	return all
}

func note(set *token.FileSet, spec ast.Spec, all map[string]string) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() {
				all[name.Name] = "value"
			}
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		all[s.Name.Name] = "type"
		st, ok := s.Type.(*ast.StructType)
		if !ok {
			return
		}
		for _, f := range st.Fields.List {
			for _, name := range f.Names {
				if name.IsExported() {
					all[s.Name.Name+"."+name.Name] = text(set, f.Type)
				}
			}
		}
	}
}

// types are those of parameters, whatever they are called.
func types(set *token.FileSet, list *ast.FieldList) string {
	var all []string
	if list != nil {
		for _, f := range list.List {
			for range max(1, len(f.Names)) {
				all = append(all, text(set, f.Type))
			}
		}
	}
	return strings.Join(all, ", ")
}

func text(set *token.FileSet, node any) string {
	if f, ok := node.(*ast.FuncType); ok {
		return "func(" + types(set, f.Params) + ") (" + types(set, f.Results) + ")"
	}
	var b bytes.Buffer
	printer.Fprint(&b, set, node)
	return b.String()
}
