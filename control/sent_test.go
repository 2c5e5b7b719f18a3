//go:build linux

package control

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/cut/hostage"
)

// promise Q2: who may only read can send what is as long in closing as he likes, and keeps nobody else from answers,
// nor the daemon from its end
func TestDescriptorsThatLinger(t *testing.T) {
	path := socket(t)
	begun, end := make(chan bool), make(chan bool)
	s := listen(t, path, map[string]Method{"wait": func(context.Context, json.RawMessage) (any, error) {
		begun <- true
		<-end
		return "over", nil
	}})
	for range 3 {
		f, in := client(t, path)
		f.WriteString(`{"jsonrpc":"2.0","id":1,"method":"wait"}` + "\n")
		<-begun
		fd := hostage.Take(t)
		raw, err := f.SyscallConn()
		if err == nil {
			raw.Control(func(s uintptr) { err = unix.Sendmsg(int(s), []byte("\n"), unix.UnixRights(fd), nil, 0) })
		}
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd) // it is in the queue
		end <- true
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	closed := make(chan bool)
	go func() {
		s.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Error("the end waits for what an asker has sent to be closed")
	}
}
