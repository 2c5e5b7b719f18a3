package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// issue 9.7: the file is written at changes, at most once in so long, and never when nothing changes
func TestMetricsFileIsWrittenSeldom(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "k.prom")
		m, writes, began := newMetricsFile(), []time.Duration{}, time.Now()
		m.begin(path, func() []byte {
			writes = append(writes, time.Since(began))
			return fmt.Appendf(nil, "%d\n", len(writes))
		}, slog.New(slog.DiscardHandler))
		for range 33 { // changes for as long as a write every second would be
			m.changed()
			synctest.Wait()
			time.Sleep(time.Second)
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := fmt.Sprint(writes); got != "[0s 15s 30s 45s]" {
			t.Error(got)
		}
		if b, err := os.ReadFile(path); string(b) != "4\n" {
			t.Error(string(b), err)
		}
		m.changed()
		synctest.Wait()
		if len(writes) != 5 {
			t.Error("a change after a while is not written at once")
		}
		other := filepath.Join(dir, "other.prom")
		m.move(other)
		time.Sleep(metricsRest)
		synctest.Wait()
		if _, err := os.Stat(path); err == nil {
			t.Error("where it was it still is")
		}
		if _, err := os.Stat(other); err != nil {
			t.Error(err)
		}
		m.end(context.Background())
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Error("left: ", left)
		}
	})
}

// issue 9.7: what cannot be written is told once, and once again when it can be
func TestMetricsFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var told bytes.Buffer
		m := newMetricsFile()
		path := filepath.Join(dir, "not yet", "k.prom")
		m.begin(path, func() []byte { return nil }, slog.New(slog.NewTextHandler(&told, nil)))
		for range 3 {
			m.changed()
			time.Sleep(2 * metricsRest)
			synctest.Wait()
		}
		if n := strings.Count(told.String(), "\n"); n != 1 || !strings.Contains(told.String(), "cannot be written") {
			t.Error(told.String())
		}
		os.Mkdir(filepath.Dir(path), 0o755)
		m.changed()
		time.Sleep(2 * metricsRest)
		synctest.Wait()
		if n := strings.Count(told.String(), "\n"); n != 2 || !strings.Contains(told.String(), "can be written again") {
			t.Error(told.String())
		}
		m.end(context.Background())
	})
}
