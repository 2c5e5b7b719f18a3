//go:build linux

package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// promise U2: what each released version has left can be read, and what a later one adds does no harm
func TestImagesOfBefore(t *testing.T) {
	files, _ := filepath.Glob("testdata/image-*.json")
	if len(files) == 0 {
		t.Fatal("there are none")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		x, err := decodeImage(text, true)
		if err != nil || x.PID == 0 || x.PIDFile == "" || len(x.descriptors()) < 12 || x.Asked == nil || len(x.State) == 0 {
			t.Errorf("%s: %+v, %v", file, x, err)
		}
		later := bytes.Replace(text, []byte("{"), []byte(`{"of_later":1,`), 1)
		if _, err := decodeImage(later, true); err == nil {
			t.Errorf("%s: what is not known is no error in a rehearsal", file)
		}
		if _, err := decodeImage(later, false); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := decodeImage(bytes.Replace(text, []byte(`"version":1`), []byte(`"version":9`), 1), false); err == nil {
			t.Errorf("%s: it is read as of version 9", file)
		}
	}
}

// promise U1: what a daemon leaves gets to the other as it is, of whatever form; cut short it is no state
func TestImageWithState(t *testing.T) {
	for _, state := range []string{"", "{}", "{\n}", "no JSON: \xff\x00{"} {
		fd, err := (&image{Version: imageVersion, PID: 7, State: []byte(state)}).write()
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		text, err := readSealed(fd)
		if err != nil {
			t.Fatal(err)
		}
		x, err := decodeImage(text, true)
		if err != nil || x.PID != 7 || string(x.State) != state {
			t.Errorf("%q: %+v, %v", state, x, err)
		}
		for _, wrong := range [][]byte{append(bytes.Clone(text), 'x'), text[:len(text)-1]} {
			if x, err := decodeImage(wrong, false); err == nil {
				t.Errorf("%q is taken for %q", wrong, x.State)
			}
		}
	}
}

func FuzzImage(f *testing.F) {
	text, _ := os.ReadFile("testdata/image-1.json")
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if x, err := decodeImage(text, false); err == nil {
			x.descriptors()
		}
	})
}

// What is not sealed can be changed by whoever else has it, and is not believed.
func TestReadSealed(t *testing.T) {
	fd, err := sealed([]byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if text, err := readSealed(fd); string(text) != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	open, err := unix.MemfdCreate("open", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(open)
	for _, fd := range []int{open, 0, -1} {
		if text, err := readSealed(fd); err == nil {
			t.Errorf("descriptor %d: %q", fd, text)
		}
	}
}
