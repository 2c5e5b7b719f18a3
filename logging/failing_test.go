//go:build linux

package logging

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// promise C6: who wants to know it is told when writing begins to fail, and at most once a minute
func TestFailing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	synctest.Test(t, func(t *testing.T) {
		full := false
		sys := host()
		sys.put = func(fd int, p []byte) (int, error) {
			if full {
				return 0, unix.ENOSPC
			}
			return len(p), nil
		}
		l := mustOpen(t, Options{To: path}, sys)
		defer mustClose(t, l)
		var told []error
		l.OnFailure(func(err error) { told = append(told, err) })
		write := func(lines int) {
			for range lines {
				l.Line(slog.LevelInfo, []byte("a line"))
				synctest.Wait()
			}
		}
		for i, step := range []struct {
			full bool
			wait time.Duration
			want int
		}{
			{false, 0, 0}, {true, 0, 1}, {true, time.Hour, 1}, // for as long as it fails
			{false, 0, 1}, {true, 0, 2}, {false, 0, 2}, {true, 0, 2}, // it comes and goes
			{true, time.Minute, 3}, {false, 0, 3},
		} {
			time.Sleep(step.wait)
			full = step.full
			if write(3); len(told) != step.want {
				t.Errorf("step %d: told %v", i, told)
			}
		}
		if slices.ContainsFunc(told, func(err error) bool { return !errors.Is(err, unix.ENOSPC) }) {
			t.Errorf("told %v", told)
		}
	})
}
