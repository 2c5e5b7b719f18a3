//go:build linux

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise Q2: who has left without waiting for an answer has no place any more; who only says that nothing more will be
// asked is waited for
func TestAskersWhoHaveLeft(t *testing.T) {
	path := socket(t)
	began, ended := make(chan context.Context), make(chan struct{}, mostConnections)
	answer := make(chan struct{})
	listen(t, path, map[string]Method{"wait": func(ctx context.Context, _ json.RawMessage) (any, error) {
		began <- ctx
		select {
		case <-ctx.Done():
			ended <- struct{}{}
		case <-answer:
		}
		return "here", nil
	}})
	stays, said := client(t, path)
	fmt.Fprintln(stays, `{"jsonrpc":"2.0","id":1,"method":"wait"}`)
	raw, err := stays.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) })
	}
	if err != nil {
		t.Fatal(err)
	}
	here := <-began
	for range mostConnections - 1 {
		leaves, _ := client(t, path)
		fmt.Fprintln(leaves, `{"jsonrpc":"2.0","id":1,"method":"wait"}`)
		<-began
		leaves.Close()
	}
	for range mostConnections - 1 {
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("somebody who has left still has a place")
		}
	}
	if here.Err() != nil {
		t.Error("who is there is not waited for")
	}
	close(answer)
	if line, err := said.ReadString('\n'); line != `{"jsonrpc":"2.0","id":1,"result":"here"}`+"\n" {
		t.Errorf("%q, %v", line, err)
	}
}

// promise Q2: methods that do not return though who has asked for them has left take no place from others, and are not
// begun without end; neither are streams.
func TestMethodsThatIgnoreTheirContext(t *testing.T) {
	for _, what := range []string{"method", "stream"} {
		t.Run(what, func(t *testing.T) {
			path := socket(t)
			began, end := make(chan struct{}), make(chan struct{})
			hang := func() { began <- struct{}{}; <-end }
			s, err := Listen(path, map[string]Method{
				"method": func(context.Context, json.RawMessage) (any, error) { hang(); return "back", nil },
				"other":  func(context.Context, json.RawMessage) (any, error) { return "here", nil }},
				Options{Log: slog.New(slog.DiscardHandler), Streams: map[string]Stream{
					"stream": func(context.Context, json.RawMessage, *Follower) error { hang(); return nil }}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			n, all := mostConnections, []io.Closer{}
			if what == "stream" {
				n = mostStreams
			}
			for range n {
				leaves, _ := client(t, path)
				fmt.Fprintf(leaves, `{"jsonrpc":"2.0","id":1,"method":%q}`+"\n", what)
				<-began
				all = append(all, leaves)
			}
			for _, leaves := range all {
				leaves.Close()
			}
			ask := func(method string) error {
				var said any
				return Ask(t.Context(), path, method, nil, &said)
			}
			busy := func(err error) bool {
				var told *Error
				return errors.As(err, &told) && told.Code == CodeBusy
			}
			until := func(what string, ok func() bool) {
				for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal(what)
					}
				}
			}
			places := func(n int) func() bool {
				return func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.left[what] == n }
			}
			until("who has left still has a place", places(n))
			if err := ask("other"); err != nil {
				t.Errorf("another method: %v", err)
			}
			if err := ask(what); !busy(err) {
				t.Errorf("one more that hangs: %v", err)
			}
			close(end)
			until("who has returned is still counted", places(0))
			go func() { <-began }()
			if err := ask(what); busy(err) {
				t.Errorf("when they have returned: %v", err)
			}
		})
	}
}
