package supervise

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// promise U2: what each released version has left can be gone on with, and what a later one adds does no harm
func TestStatesOfBefore(t *testing.T) {
	files, _ := filepath.Glob("testdata/state-*.json")
	if len(files) == 0 {
		t.Fatal("there are none")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckState(text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		later := bytes.Replace(text, []byte(`{"version":1,`), []byte(`{"version":1,"of_later":{"x":[1]},`), 1)
		if bytes.Equal(later, text) {
			t.Fatalf("%s does not begin with its version", file)
		}
		if CheckState(later) == nil {
			t.Errorf("%s: what is not known is no error in a rehearsal", file)
		}
		if s, err := decodeState(later, false); err != nil || s.check() != nil {
			t.Errorf("%s: what is not known is an error: %v", file, err)
		}
		newer := bytes.Replace(text, []byte(`{"version":1,`), []byte(`{"version":2,`), 1)
		if err := CheckState(newer); err == nil ||
			!strings.Contains(err.Error(), "it is of version 2, and known are those up to 1") {
			t.Errorf("%s: of version 2: %v", file, err)
		}
	}
}

// Whatever is read as a state either is refused or can be gone on with.
func FuzzState(f *testing.F) {
	files, _ := filepath.Glob("testdata/state-*.json")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		f.Add(text)
		var s map[string]any
		json.Unmarshal(text, &s)
		delete(s, "sources")
		delete(s, "sinks")
		delete(s, "kept")
		for _, p := range s["programs"].([]any) {
			delete(p.(map[string]any), "sources")
			delete(p.(map[string]any), "sink")
		}
		text, _ = json.Marshal(s)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := decodeState(text, false)
		if err != nil || s.check() != nil || len(s.Sources) > 0 || s.Kept > 0 || s.Epoll > 0 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			set := &Set{requests: make(chan any), ended: make(chan struct{})}
			l := newLoop(Options{Log: slog.New(slog.DiscardHandler)}, set, newMachine(1))
			if err := l.restore(text, nil); err != nil {
				t.Fatal(err)
			}
			l.status()
			if _, _, _, err := l.encode(); err != nil {
				t.Fatalf("it cannot be written down again: %v", err)
			}
		})
	})
}

// issue 10: what is zero is not written down, and need not be read in the pause.
func TestStateOfSpecIsShort(t *testing.T) {
	text, err := json.Marshal(specOf(&Program{Name: "a", Command: []string{"/bin/a"}}))
	if want := `{"Name":"a","Command":["/bin/a"]}`; string(text) != want || err != nil {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}
