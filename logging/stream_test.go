//go:build linux

package logging

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func pipe(t *testing.T, flags int) (r *os.File, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], flags|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r = os.NewFile(uintptr(p[0]), "pipe")
	t.Cleanup(func() { r.Close() })
	return r, p[1]
}

// promise L1
func TestUnreadPipe(t *testing.T) {
	for name, flags := range map[string]int{"blocking": 0, "non-blocking": unix.O_NONBLOCK} {
		t.Run(name, func(t *testing.T) {
			r, w := pipe(t, flags)
			sys := host()
			sys.stderr = w
			sys.flush = time.Hour
			l := mustOpen(t, Options{}, sys)
			const total = 5 * maxRecords
			for i := range total {
				l.Logger().Info("m", "n", i, "filler", strings.Repeat("x", 100))
			}
			read := make(chan string)
			go func() {
				b, _ := io.ReadAll(r)
				read <- string(b)
			}()
			mustClose(t, l)
			unix.Close(w)
			text := <-read
			if !strings.Contains(text, "WARN ") || !strings.Contains(text, " log messages lost\n") {
				t.Error("the losses are not told")
			}
			if !strings.Contains(text, fmt.Sprintf("m n=%d ", total-1)) {
				t.Error("the newest message is missing")
			}
		})
	}
}

// promise L1
func TestUnreadPipeAtClose(t *testing.T) {
	r, w := pipe(t, 0)
	sys := host()
	sys.stderr = w
	sys.flush = time.Millisecond
	l := mustOpen(t, Options{}, sys)
	s := l.output.Load().sink
	for range maxRecords {
		l.Logger().Info(strings.Repeat("x", 1000))
	}
	if err := l.Close(); err == nil {
		t.Error("Close tells no losses")
	}
	r.Close() // lets go of the goroutine
	<-s.done
	unix.Close(w)
}

const helperMark = "LOGGING_TEST_DEAD_STDERR"

// promise L1
func TestDeadStderrDoesNotKill(t *testing.T) {
	if os.Getenv(helperMark) != "" {
		l, err := Open(Options{})
		if err != nil {
			t.Fatal(err)
		}
		l.Logger().Info("into the void")
		io.WriteString(os.Stdout, "closed: "+l.Close().Error()+"\n")
		os.Exit(0)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestDeadStderrDoesNotKill$")
	cmd.Env = append(os.Environ(), helperMark+"=1")
	cmd.Stderr = w
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "closed: 1 log messages lost\n") {
		t.Errorf("%v, %q", err, out)
	}
}

// promise L1
func TestFullDisk(t *testing.T) {
	l := mustOpen(t, Options{To: "/dev/full"}, host())
	for range 3 {
		l.Logger().Info("no room")
	}
	path := filepath.Join(t.TempDir(), "log")
	old := l.output.Load().sink
	l.Switch(mustPrepare(t, l, Options{To: path}))
	<-old.done
	l.Logger().Info("room")
	mustClose(t, l)
	wantLines(t, path, "WARN 3 log messages lost", "INFO room")

	l = mustOpen(t, Options{To: "/dev/full"}, host())
	l.Logger().Info("no room")
	if err := l.Close(); err == nil || err.Error() != "1 log messages lost" {
		t.Errorf("Close: %v", err)
	}
}

// promise L1: what was lost is told at the end too, where nothing is logged any more
func TestLossesAreToldAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	tried := make(chan struct{})
	full := true
	sys := host()
	put := sys.put
	sys.put = func(fd int, p []byte) (int, error) {
		if full {
			full = false
			close(tried)
			return 0, unix.ENOSPC
		}
		return put(fd, p)
	}
	l := mustOpen(t, Options{To: path}, sys)
	l.Logger().Info("no room")
	<-tried
	mustClose(t, l)
	wantLines(t, path, "WARN 1 log messages lost")
}

// promise L1
func TestDiskFullInMidLine(t *testing.T) {
	var got bytes.Buffer
	room := 40
	done := make(chan struct{}, 10)
	sys := host()
	sys.put = func(_ int, p []byte) (int, error) {
		if room == 0 {
			room = 1000
			done <- struct{}{}
			return 0, unix.ENOSPC
		}
		n, _ := got.Write(p[:min(room, len(p), 15)])
		room -= n
		return n, nil
	}
	l := mustOpen(t, Options{To: "/dev/null"}, sys)
	l.Logger().Info("torn in the middle of the line")
	<-done
	l.Logger().Info("whole")
	mustClose(t, l)
	all := strings.Split(strings.TrimSuffix(got.String(), "\n"), "\n")
	if len(all) != 3 || len(all[0]) != 40 || !strings.HasSuffix(all[1], " WARN 1 log messages lost") ||
		!strings.HasSuffix(all[2], " INFO whole") {
		t.Errorf("%q", all)
	}
}

// promise L2
func TestTerminal(t *testing.T) {
	ptmx, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	defer unix.Close(ptmx)
	t.Setenv("NO_COLOR", "")
	if got := streamLayout(ptmx); got != coloured {
		t.Errorf("layout %v on a terminal", got)
	}
	t.Setenv("NO_COLOR", "1")
	if got := streamLayout(ptmx); got != console {
		t.Errorf("layout %v on a terminal with NO_COLOR", got)
	}
	_, w := pipe(t, 0)
	defer unix.Close(w)
	if got := streamLayout(w); got != dated {
		t.Errorf("layout %v on a pipe", got)
	}
}
