package supervise_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// says waits until the only program is up and says what is right.
func (w *world) says(right func(text string) bool) supervise.Status {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); ; runtime.Gosched() {
		st := w.set.Status()[0]
		if st.State == "up" && right(st.Text) {
			return st
		}
		if st.Starts > 1 || time.Now().After(end) {
			w.t.Fatalf("it does not say it: %+v", st)
		}
	}
}

func find(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Skip("needs " + name)
	return ""
}

// promise C7, with somebody else's client: libsystemd's
func TestNotifyRedis(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, supervise.Options{})
	w.apply(supervise.Program{Name: "redis", StopTimeout: time.Minute, Directory: dir,
		Ready: &supervise.Ready{Notify: true},
		Command: []string{find(t, "redis-server"), "--supervised", "systemd", "--port", "0", "--unixsocket",
			filepath.Join(dir, "redis"), "--save", ""}})
	w.says(func(text string) bool { return text == "Ready to accept connections" })
	if _, err := os.Stat(filepath.Join(dir, "redis")); err != nil {
		t.Error(err)
	}
	if err := w.stop(time.Minute); err != nil {
		t.Error(err)
	}
	w.logged("program redis: stopped: exited with status 0")
}

// promise C7: a master that is reloaded by executing itself again. It reads its configuration from a FIFO, so that a
// start and a reload take as long as this test wants.
func TestNotifyHAProxy(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "haproxy.cfg")
	if err := unix.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	configure := func() {
		text := "defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n" +
			"frontend f\n bind unix@" + filepath.Join(dir, "f") + "\n"
		if err := os.WriteFile(file, []byte(text), 0); err != nil { // once it reads
			t.Fatal(err)
		}
	}
	w := newWorld(t, supervise.Options{})
	w.apply(supervise.Program{Name: "haproxy", StopTimeout: time.Minute, Directory: dir,
		Ready: &supervise.Ready{Notify: true}, Command: []string{find(t, "haproxy"), "-Ws", "-f", file}})
	if st := w.set.Status()[0]; st.State != "starting" {
		t.Errorf("%+v", st)
	}
	configure()
	w.logged("program haproxy: ready")
	pid := w.set.Status()[0].PID
	for range 2 {
		unix.Kill(pid, unix.SIGUSR2)
		w.says(func(text string) bool { return strings.HasPrefix(text, "reloading") })
		configure()
		if st := w.says(func(text string) bool { return !strings.HasPrefix(text, "reloading") }); st.PID != pid {
			t.Errorf("%+v", st)
		}
	}
	if err := w.stop(time.Minute); err != nil {
		t.Error(err)
	}
}
