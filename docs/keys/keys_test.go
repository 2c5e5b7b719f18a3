package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

const page = "../configuration.md"

func TestPageIsUpToDate(t *testing.T) {
	if err := update(page, true); err != nil {
		t.Error(err)
	}
}

func TestUpdate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte("before\n"+begin+"old\n"+end+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := update(file, true); err == nil || !strings.Contains(err.Error(), "not up to date") {
		t.Errorf("-check of an old table: %v", err)
	}
	for range 2 { // the second changes nothing
		if err := update(file, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := update(file, true); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if !strings.HasPrefix(text, "before\n") || !strings.HasSuffix(text, "after\n") {
		t.Error("what is around the table was changed")
	}
	for _, k := range settings.Keys() {
		if !strings.Contains(text, "| `"+k.Name+"` | ") || !strings.Contains(text, k.Doc) {
			t.Errorf("%s.%s is missing", k.Section, k.Name)
		}
	}
	if err := update(os.DevNull, false); err == nil {
		t.Error("a file without the markers was taken")
	}
}
