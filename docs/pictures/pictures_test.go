package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestPicturesAreUpToDate(t *testing.T) {
	if err := draw("..", true); err != nil {
		t.Error(err)
	}
}

func TestPictures(t *testing.T) {
	dir := t.TempDir()
	if err := draw(dir, false); err != nil {
		t.Fatal(err)
	}
	if err := draw(dir, true); err != nil {
		t.Error(err)
	}
	if err := draw(t.TempDir(), true); err == nil {
		t.Error("missing pictures are up to date")
	}
	for _, p := range []*picture{states(), flows()} {
		d := xml.NewDecoder(strings.NewReader(p.String()))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Every public state is in the picture.
func TestStates(t *testing.T) {
	text := states().String()
	for _, s := range []string{"down", "done", "failed", "blocked", "starting", "up", "backoff", "stopping"} {
		if !strings.Contains(text, ">"+s+"</text>") {
			t.Errorf("%s is missing", s)
		}
	}
}
