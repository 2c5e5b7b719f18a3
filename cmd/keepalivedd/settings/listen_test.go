package settings

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/address"
)

// What somebody else listens on is lacking, with who has it. It is left to the caller to tell whether that is the
// daemon itself, and so it is no mistake beside others. promises K1, S9
func TestListenInUse(t *testing.T) {
	t.Parallel()
	at := fmt.Sprintf("127.%d.%d.%d:7003", 1+rand.IntN(250), 1+rand.IntN(250), 1+rand.IntN(250))
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	main := programs(1, func(int) string { return fmt.Sprintf("listen = [\"tcp:%s\"]\n", at) })
	c := loadText(t, memory{main: main})
	var used *address.InUseError
	if len(c.Lacking) != 1 || !errors.As(c.Lacking, &used) || used.Holders[0].PID != os.Getpid() ||
		c.Lacking[0].Program != "p0" {
		t.Fatalf("got %v", c.Lacking)
	}
	if _, err := load("/main.toml", memory{main: main + "nice = 100\n"}); err == nil ||
		strings.Contains(err.Error(), "in use") {
		t.Errorf("beside a mistake: %v", err)
	}
	l.Close()
	if still := c.Lacking.Still(); len(still) != 0 {
		t.Errorf("still lacking: %v", still)
	}
}

// The marks of instances are replaced in each, and what has none is one address for all.
func TestListenOfInstances(t *testing.T) {
	t.Parallel()
	c := loadText(t, memory{main: programs(1, func(int) string {
		return "instances = 2\nlisten = [\"tcp:127.0.0.9:700%i\", { address = \"tcp:127.0.0.9:7009\", name = \"n%i\" }]\n"
	})})
	var got []string
	for _, p := range c.Programs {
		for _, s := range p.Listen {
			got = append(got, s.Address+" "+s.Name)
		}
	}
	want := "tcp:127.0.0.9:7001 ,tcp:127.0.0.9:7009 n1,tcp:127.0.0.9:7002 ,tcp:127.0.0.9:7009 n2"
	if strings.Join(got, ",") != want {
		t.Errorf("got %v", got)
	}
}

// As many sockets as LISTEN_FDS can be expected to tell of can be had, and no more.
func TestMostSockets(t *testing.T) {
	t.Parallel()
	for n, most := range map[int]bool{mostSockets: true, mostSockets + 1: false} {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("\"unix:/run/x%d\"", i))
		}
		main := programs(1, func(int) string { return "listen = [" + strings.Join(all, ", ") + "]\n" })
		if _, err := load("/main.toml", memory{main: main}); (err == nil) != most {
			t.Errorf("%d: %v", n, err)
		}
	}
}
