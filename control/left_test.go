//go:build linux

package control

import (
	"context"
	"encoding/json"
	"fmt"
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
