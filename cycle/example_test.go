package cycle_test

import (
	"fmt"

	"github.com/keepalivedd/keepalivedd/cycle"
)

func ExampleFind() {
	fmt.Println(cycle.Find(map[string][]string{"web": {"db"}, "db": {"disk", "web"}, "mail": {"db"}}))
	// Output: [[db web db]]
}
