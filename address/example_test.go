//go:build linux

package address_test

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/address"
)

// An address is one to listen on, as it is written; what is written wrongly is told as it was probably meant.
func ExampleParse() {
	all, err := address.Parse("tcp:0.0.0.0:80")
	fmt.Println(all, err)
	one, err := address.Parse("tcp:127.0.0.1:80")
	fmt.Println("not both:", all.Overlaps(one), err)
	_, err = address.Parse("tcp::80")
	fmt.Println(err)
	// Output:
	// tcp:0.0.0.0:80 <nil>
	// not both: true <nil>
	// must have an address and a port; write "tcp:0.0.0.0:80"
}

// Who has an address is found out without taking it from anybody.
func ExampleTable_Probe() {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	a, err := address.Parse("tcp:" + listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	var table address.Table
	err = table.Probe(a)
	var taken *address.InUseError
	fmt.Println("somebody has it:", errors.As(err, &taken), errors.Is(err, unix.EADDRINUSE))
	// Output: somebody has it: true true
}
