//go:build linux

package daemon_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise S5: nothing is waited for that TZ of the caller names, and that is no file
func TestZoneThatIsNoFile(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	link := fifo + ".link"
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	for _, zone := range []string{fifo, ":" + fifo, link, "../../../../.." + fifo} {
		for _, does := range []string{"main", "main foreground"} {
			t.Run(does+" TZ="+zone, func(t *testing.T) {
				w, _ := withLog(t, does)
				w.env = append(w.env, "TZ="+zone)
				c := w.command()
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				defer c.Wait()
				defer c.Process.Kill()
				hung := time.AfterFunc(time.Minute, func() {
					os.WriteFile(filepath.Join(filepath.Dir(w.pidfile), "events"), []byte("nothing\n"), 0)
				})
				defer hung.Stop()
				w.expect("start")
				if does == "main" {
					if err := c.Wait(); err != nil {
						t.Fatal(err)
					}
				}
				w.signal(w.pid(), unix.SIGTERM)
				w.expect("stop")
			})
		}
	}
}
