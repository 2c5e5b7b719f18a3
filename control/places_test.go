//go:build linux

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// promise Q2: members, however many connections they make, and whatever they do not read, keep no question of root's
// waiting.
func TestHostileReaders(t *testing.T) {
	_, path := readable(t, readers)
	follow, read, busy := 0, 0, 0
	asMember(t, func() {
		for i := range 500 {
			f, in := client(t, path)
			if i%2 == 0 {
				f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"read"}` + "\n")
			} else {
				f.WriteString(askFollow)
			}
			switch line, err := in.ReadString('\n'); {
			case strings.Contains(line, "result"):
				read++
			case strings.Contains(line, `"method":"follow"`):
				follow++
			case strings.Contains(line, fmt.Sprint(CodeBusy)):
				busy++
			default:
				t.Fatalf("%q, %v", line, err)
			}
		}
	})
	if follow != mostStreams/2 || read != 250 || busy != 250-follow {
		t.Errorf("%d follow, %d have read, %d were turned away", follow, read, busy)
	}
	for range mostConnections - mostConnections/2 { // at once
		f, in := client(t, path)
		f.WriteString(askFollow)
		if line, err := in.ReadString('\n'); !strings.Contains(line, `"method":"follow"`) &&
			!strings.Contains(line, fmt.Sprint(CodeBusy)) {
			t.Fatalf("%q, %v", line, err)
		}
	}
	if _, err := ask(t, path, "none"); err != nil {
		t.Error(err)
	}
}

// promise Q2: members have half of the places, whatever they wait for, and have nobody else lose his.
func TestReadersHaveHalf(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it asks as another user")
	}
	path := filepath.Join(sharedDir(t), "test.sock")
	began, gid := make(chan string), readers
	s, err := Listen(path, testMethods, Options{Log: slog.New(slog.DiscardHandler), Readers: &gid,
		Reads: map[string]Method{"wait": func(ctx context.Context, _ json.RawMessage) (any, error) {
			began <- "began"
			<-ctx.Done()
			return nil, nil
		}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	idle := &conn{file: f} // of root's; one that can be idle for as long as this takes
	s.mu.Lock()
	s.served = append(s.served, idle)
	s.mu.Unlock()
	defer s.leave(idle)
	for i := range mostConnections {
		said := make(chan string, 1)
		asMember(t, func() {
			f, in := client(t, path)
			f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"wait"}` + "\n")
			go func() {
				line, _ := in.ReadString('\n')
				said <- line
			}()
		})
		want, line := i < mostConnections/2, ""
		select {
		case line = <-began:
		case line = <-said:
		}
		if (line == "began") != want || !want && !strings.Contains(line, fmt.Sprint(CodeBusy)) {
			t.Fatalf("number %d: %q", i+1, line)
		}
	}
	if !s.works(idle, false) {
		t.Error("members have driven out one of root's")
	}
	if s.works(&conn{}, true) {
		t.Error("what somebody asks for who was driven out is begun")
	}
	if _, err := ask(t, path, "none"); err != nil {
		t.Error(err)
	}
}
