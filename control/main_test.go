//go:build linux

package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests need other users, and a daemon that is stopped: this binary runs again as one of them.
func TestMain(m *testing.M) {
	if path := os.Getenv("CONTROL_ASK"); path != "" {
		var said any
		err := Ask(context.Background(), path, "none", nil, &said)
		fmt.Print(said, " ", err)
		return
	}
	if path := os.Getenv("CONTROL_LISTEN"); path != "" {
		_, err := Listen(path, testMethods, Options{Log: slog.New(slog.DiscardHandler)})
		fmt.Println("listens", err)
		select {}
	}
	os.Exit(m.Run())
}

const patience = time.Minute

// listen serves until the test ends.
func listen(t *testing.T, path string, methods map[string]Method) *Server {
	t.Helper()
	s, err := Listen(path, methods, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func socket(t *testing.T) string { return filepath.Join(t.TempDir(), "test.sock") }

func ask(t *testing.T, path, method string) (said string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var raw json.RawMessage
	err = Ask(ctx, path, method, map[string]int{"n": 1}, &raw)
	return string(raw), err
}

// client is a connection by hand.
func client(t *testing.T, path string) (*os.File, *bufio.Reader) {
	t.Helper()
	fd, _, err := connect(path)
	for ; errors.Is(err, unix.EAGAIN); fd, _, err = connect(path) {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "client")
	f.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { f.Close() })
	return f, bufio.NewReader(f)
}

func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
