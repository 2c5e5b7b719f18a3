package signals_test

import (
	"fmt"

	"github.com/keepalivedd/keepalivedd/signals"
)

// The loop of a daemon: a request waits in the channel of its meaning, and none is lost behind another.
func ExampleNotify() {
	requests, release := signals.Notify()
	defer release()
	for {
		select {
		case <-requests.Stop:
			return
		case <-requests.Reload:
			fmt.Println("HUP: read the configuration")
		case <-requests.Dump:
			fmt.Println("USR1: tell the state")
		case <-requests.Stats:
			fmt.Println("USR2: tell the counters")
		}
	}
}

func ExampleParse() {
	for _, name := range []string{"TERM", "sighup", "RELOAD", "9"} {
		sig, err := signals.Parse(name)
		fmt.Println(signals.Name(sig), err)
	}
	// Output:
	// TERM <nil>
	// HUP <nil>
	// HUP <nil>
	// KILL <nil>
}
