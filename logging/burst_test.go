//go:build linux

package logging

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// accountLines checks that each of "m n=0", "m n=1" … is either there, in order, or among those that are
// told of as lost, and returns the number of the latter. Lines with a NUL were torn, and are lost.
func accountLines(t *testing.T, text string, total int, closed error) (lost int) {
	t.Helper()
	next := 0
	for line := range strings.Lines(text) {
		var n int
		if strings.Contains(line, "\x00") || line == "\n" {
			continue
		}
		if _, err := fmt.Sscanf(line, "%d log messages lost\n", &n); err == nil {
			lost += n
			continue
		}
		if _, err := fmt.Sscanf(line, "m n=%d.\n", &n); err != nil || n < next {
			t.Fatalf("got %q after n=%d", line, next-1)
		}
		next = n + 1
		total--
	}
	if closed != nil {
		n := 0
		if _, err := fmt.Sscanf(closed.Error(), "%d log messages lost", &n); err != nil {
			t.Fatal(closed)
		}
		lost += n
	}
	if lost != total {
		t.Errorf("%d lines are missing, %d are told of", total, lost)
	}
	return lost
}

// promise L1: what a tight burst loses is told to the line; on a machine with time it loses nothing
func TestBurst(t *testing.T) {
	const total = 20000
	for name, log := range map[string]func(l *Log, i int){
		"record": func(l *Log, i int) { l.Logger().Info(fmt.Sprintf("m n=%d.", i)) },
		"line":   func(l *Log, i int) { l.Line(slog.LevelInfo, fmt.Appendf(nil, "m n=%d.", i)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			l := mustOpen(t, Options{To: path, Plain: true}, host())
			for i := range total {
				log(l, i)
			}
			err := l.Close()
			b, readErr := os.ReadFile(path)
			if readErr != nil {
				t.Fatal(readErr)
			}
			t.Logf("%d of %d lost", accountLines(t, string(b), total, err), total)
		})
	}
}

// What waits is written together: a file takes 64 KiB at once, a pipe what it keeps in one piece.
func TestBatches(t *testing.T) {
	r, w := pipe(t, 0)
	defer r.Close()
	defer unix.Close(w)
	for name, c := range map[string]struct {
		o     Options
		limit int
	}{
		"file":   {Options{To: filepath.Join(t.TempDir(), "log"), Plain: true}, fileBatch},
		"stderr": {Options{Plain: true}, pipeBatch},
	} {
		t.Run(name, func(t *testing.T) {
			const total = maxRecords / 2
			var got bytes.Buffer
			writes, entered, leave := 0, make(chan struct{}), make(chan struct{})
			sys := host()
			sys.stderr = w
			sys.flush = time.Hour
			sys.put = func(_ int, p []byte) (int, error) {
				if writes++; writes == 1 {
					close(entered)
					<-leave
				}
				if len(p) > c.limit {
					t.Errorf("%d bytes at once", len(p))
				}
				return got.Write(p)
			}
			l := mustOpen(t, c.o, sys)
			l.Line(slog.LevelInfo, []byte("m n=0."))
			<-entered
			for i := 1; i < total; i++ {
				l.Line(slog.LevelInfo, fmt.Appendf(nil, "m n=%d.", i))
			}
			close(leave)
			mustClose(t, l)
			accountLines(t, got.String(), total, nil)
			if most := got.Len()/(c.limit-20) + 2; writes > most {
				t.Errorf("%d writes for %d bytes, want at most %d", writes, got.Len(), most)
			}
		})
	}
}

// promise L1: whatever fails in the middle of a batch, each line is there or told of as lost
func TestBatchesFailing(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	for range 50 {
		var got bytes.Buffer
		sys := host()
		sys.flush = time.Hour
		sys.put = func(_ int, p []byte) (int, error) {
			switch random.IntN(6) {
			case 0:
				if b := got.Bytes(); len(b) > 0 && b[len(b)-1] != '\n' {
					got.WriteByte(0) // torn, unless it is an interrupted write that goes on
				}
				return 0, unix.ENOSPC
			case 1:
				return 0, unix.EINTR
			case 2, 3:
				return got.Write(p[:1+random.IntN(min(len(p), 50))])
			default:
				return got.Write(p)
			}
		}
		o := Options{To: "/dev/null", Plain: true}
		l := mustOpen(t, o, sys)
		d := mustPrepare(t, l, o)
		(*d.device.Load()).(*stream).limit = 1 << (random.IntN(8) + 4)
		l.Switch(d)
		const total = 500
		for i := range total {
			l.Line(slog.LevelInfo, fmt.Appendf(nil, "m n=%d.", i))
		}
		err := l.Close()
		accountLines(t, got.String(), total, err)
	}
}

// promise L1: of what hangs in a pipe at the end, no more than one batch is in doubt
func TestUnreadPipeIsAccountedFor(t *testing.T) {
	r, w := pipe(t, 0)
	sys := host()
	sys.stderr = w
	sys.flush = 50 * time.Millisecond
	l := mustOpen(t, Options{Plain: true}, sys)
	s := l.output.Load().sink
	const total, size = 2000, 100
	for i := range total {
		l.Line(slog.LevelInfo, fmt.Appendf(nil, "%0*d", size-1, i))
	}
	lost := 0
	if _, err := fmt.Sscanf(l.Close().Error(), "%d log messages lost", &lost); err != nil {
		t.Fatal(err)
	}
	text := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		text <- string(b)
	}()
	<-s.done
	unix.Close(w)
	there := strings.Count(<-text, "\n")
	if doubt := there - (total - lost); doubt < 0 || doubt > pipeBatch/size {
		t.Errorf("%d lines are there, %d of %d are told of as lost", there, lost, total)
	}
}
