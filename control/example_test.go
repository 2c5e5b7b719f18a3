//go:build linux

package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keepalivedd/keepalivedd/control"
)

// A daemon that can be asked for the time of day, and somebody who asks. Package daemon does the first for
// Daemon.Methods.
func Example() {
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := control.Path(filepath.Join(dir, "clockd.pid"))
	server, err := control.Listen(path, map[string]control.Method{
		"time": func(context.Context, json.RawMessage) (any, error) { return "half past nine", nil },
	}, control.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	var answer string
	err = control.Ask(context.Background(), path, "time", nil, &answer)
	fmt.Println(answer, err)
	err = control.Ask(context.Background(), path, "date", nil, &answer)
	fmt.Println(err)
	// Output:
	// half past nine <nil>
	// no such method: "date"
}

// A stream, and somebody who follows it to its end.
func ExampleFollow() {
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := control.Path(filepath.Join(dir, "clockd.pid"))
	server, err := control.Listen(path, nil, control.Options{Streams: map[string]control.Stream{
		"strokes": func(_ context.Context, _ json.RawMessage, to *control.Follower) error {
			for n := range 3 {
				if err := to.Send(map[string]int{"stroke": n + 1}); err != nil {
					return err
				}
			}
			return nil
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	err = control.Follow(context.Background(), path, 0, "strokes", nil, func(line json.RawMessage, lost int) error {
		fmt.Println(string(line), lost)
		return nil
	})
	fmt.Println(err)
	// Output:
	// {"stroke":1} 0
	// {"stroke":2} 0
	// {"stroke":3} 0
	// <nil>
}
