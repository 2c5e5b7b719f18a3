package supervise_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// Two programs, one of which waits for the other. examples/mini-init is a program of this.
func Example() {
	ctx := context.Background()
	set := supervise.New(supervise.Options{Log: slog.New(slog.DiscardHandler)})
	changes, err := set.Update(ctx, []supervise.Program{
		{Name: "prepare", Command: []string{"/bin/true"}, OneShot: true, Required: true},
		{Name: "serve", Command: []string{"/bin/sleep", "1000"}, Required: true,
			Ready: &supervise.Ready{After: time.Millisecond}, Order: &supervise.Order{Requires: []string{"prepare"}}},
	})
	fmt.Println(changes, err)
	fmt.Println("ready:", set.Await(ctx))
	for _, p := range set.Status() {
		fmt.Println(p.Name, p.State)
	}
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fmt.Println("stopped:", set.Stop(bounded))
	// Output:
	// +prepare +serve <nil>
	// ready: <nil>
	// prepare done
	// serve up
	// stopped: <nil>
}
