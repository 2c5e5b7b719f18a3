package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// promise C8: a file of metrics that could not be written is tried again, though nothing changes meanwhile
func TestMetricsFileIsTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later", "x.prom")
	m := newMetricsFile()
	m.rest = time.Millisecond
	tried := make(chan struct{})
	m.begin(path, func() []byte {
		select {
		case tried <- struct{}{}:
		default:
		}
		return []byte("x 1\n")
	}, slog.New(slog.DiscardHandler))
	for range 2 {
		select {
		case <-tried:
		case <-time.After(patience):
			t.Fatal("it is not tried again")
		}
	}
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if text, err := os.ReadFile(path); err == nil && string(text) == "x 1\n" {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%q, %v", text, err)
		}
	}
	m.end(t.Context())
	if _, err := os.Stat(path); err == nil {
		t.Error("it is left")
	}
}
