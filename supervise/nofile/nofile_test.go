package nofile_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/keepalivedd/keepalivedd/supervise/nofile"
)

// promise C3: what a child gets, this process has had
func TestOriginal(t *testing.T) {
	if os.Getenv("NOFILE") != "" {
		if l := nofile.Original(); l != (nofile.Limit{100, 200}) {
			t.Errorf("%v", l)
		}
		return
	}
	c := exec.Command("sh", "-c", `ulimit -Sn 100; ulimit -Hn 200; exec "$0" -test.run=TestOriginal`, os.Args[0])
	c.Env = append(os.Environ(), "NOFILE=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
