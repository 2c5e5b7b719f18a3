package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// issue 3.8: at most one active across machines, with etcd as the engine. Three members on loopback, two daemons that
// stand for two machines; what they run says so if it ever is not alone.
func TestGateWithEtcd(t *testing.T) {
	for _, tool := range []string{"etcd", "etcdctl", "flock"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs etcd-server and etcd-client: ", err)
		}
	}
	if testing.Short() {
		t.Skip("it waits for leases of 5 s to end")
	}
	c := newCluster(t)
	a, b := newMachine(t, c, "a"), newMachine(t, c, "b")
	first, second := c.active(), a
	if first == a {
		second = b
	}

	t.Log("the daemon of the holder is killed: its program and its gate die with it")
	first.kill()
	if got := c.active(); got != second {
		t.Fatalf("%s is active, want %s", got.name, second.name)
	}
	first.start()

	t.Log("the gate of the holder is killed: its program is stopped at once")
	c.killGate(second)
	c.inactive(second)
	holder := c.active() // either: both ask again

	t.Log("the cluster is frozen: the gate gives up, and with it the program; thawed, one of them goes on")
	c.signal(unix.SIGSTOP)
	c.inactive(holder)
	c.signal(unix.SIGCONT)
	c.active()
}

// cluster is three members of etcd, and what its users tell of themselves.
type cluster struct {
	t         *testing.T
	dir       string
	endpoints string
	members   []*exec.Cmd
	machines  map[string]*machine
	events    chan string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), machines: map[string]*machine{}, events: make(chan string, 100)}
	fifo := filepath.Join(c.dir, "events")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			for line := range strings.Lines(string(buf[:n])) {
				c.events <- strings.TrimSpace(line)
			}
		}
	}()
	var peers, clients, initial []string
	for i := range 3 {
		peers = append(peers, "http://"+freeAddress(t))
		clients = append(clients, "http://"+freeAddress(t))
		initial = append(initial, fmt.Sprintf("m%d=%s", i, peers[i]))
	}
	c.endpoints = strings.Join(clients, ",")
	for i := range 3 {
		m := exec.Command("etcd", "--name", fmt.Sprintf("m%d", i), "--data-dir", filepath.Join(c.dir, fmt.Sprintf("m%d", i)),
			"--listen-peer-urls", peers[i], "--initial-advertise-peer-urls", peers[i],
			"--listen-client-urls", clients[i], "--advertise-client-urls", clients[i],
			"--initial-cluster", strings.Join(initial, ","), "--unsafe-no-fsync")
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		c.members = append(c.members, m)
		t.Cleanup(func() { m.Process.Kill(); m.Wait() })
	}
	wait := exec.Command("sh", "-c",
		`for i in $(seq 600); do etcdctl endpoint health >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1`)
	wait.Env = append(os.Environ(), "ETCDCTL_API=3", "ETCDCTL_ENDPOINTS="+c.endpoints)
	if out, err := wait.CombinedOutput(); err != nil {
		t.Fatalf("the cluster does not come up: %v: %s", err, out)
	}
	return c
}

func (c *cluster) signal(sig unix.Signal) {
	for _, m := range c.members {
		m.Process.Signal(sig)
	}
}

// next is the next thing that a program told of itself.
func (c *cluster) next() (name, what string) {
	c.t.Helper()
	select {
	case line := <-c.events:
		name, what, _ = strings.Cut(line, " ")
		if what == "is not alone" {
			c.t.Fatalf("%s: two are active", name)
		}
		return name, what
	case <-time.After(patience):
		c.t.Fatal("nothing happens")
	}
	return "", ""
}

// active waits for a program to become active.
func (c *cluster) active() *machine {
	c.t.Helper()
	for {
		if name, what := c.next(); what == "is active" {
			return c.machines[name]
		}
	}
}

// inactive waits for the end of the program of m.
func (c *cluster) inactive(m *machine) {
	c.t.Helper()
	for {
		if name, what := c.next(); what == "has ended" && name == m.name {
			return
		}
	}
}

// killGate kills the etcdctl of m.
func (c *cluster) killGate(m *machine) {
	c.t.Helper()
	procs, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, p := range procs {
		comm, _ := os.ReadFile(p)
		environ, _ := os.ReadFile(filepath.Join(filepath.Dir(p), "environ"))
		if string(comm) == "etcdctl\n" && strings.Contains(string(environ), "KEEPALIVEDD="+m.pidfile+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(p)))
			unix.Kill(pid, unix.SIGKILL)
			return
		}
	}
	c.t.Fatal("there is no gate of ", m.name)
}

// machine is a daemon with a gated program.
type machine struct {
	*cluster
	name, pidfile, config string
}

func newMachine(t *testing.T, c *cluster, name string) *machine {
	t.Helper()
	m := &machine{cluster: c, name: name, pidfile: filepath.Join(c.dir, name+".pid"),
		config: filepath.Join(c.dir, name+".toml")}
	c.machines[name] = m
	text := fmt.Sprintf(`pidfile = %q
log.to = %q
[program.web]
command = ["/bin/sh", "-c", '''
	trap 'exec 9>&-; echo "$NAME has ended" >"$EVENTS"; exit' TERM
	exec 9>"$ONE"; flock -n 9 || { echo "$NAME is not alone" >"$EVENTS"; exit 1; }
	echo "$NAME is active" >"$EVENTS"
	while :; do sleep 1000 9>&- & wait; done''']
environment = { NAME = %q, EVENTS = %q, ONE = %q, ETCDCTL_API = "3", ETCDCTL_ENDPOINTS = %q }
gate = [%q, "lock", "--ttl", "5", "web"]
gate_timeout = "1s"
restart_delay = { max = "1s" }
`, m.pidfile, filepath.Join(c.dir, name+".log"), name, filepath.Join(c.dir, "events"),
		filepath.Join(c.dir, "one"), c.endpoints, etcdctl(t))
	if err := os.WriteFile(m.config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(func() {
		m.run("stop")
		if log, _ := os.ReadFile(filepath.Join(c.dir, name+".log")); t.Failed() {
			t.Logf("%s:\n%s", name, log)
		}
	})
	return m
}

func etcdctl(t *testing.T) string {
	path, err := exec.LookPath("etcdctl")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (m *machine) start() { m.run() }

func (m *machine) run(verb ...string) {
	m.t.Helper()
	if out, err := exec.Command(binary(m.t), append([]string{"-f", m.config}, verb...)...).CombinedOutput(); err != nil {
		m.t.Errorf("%s %v: %v: %s", m.name, verb, err, out)
	}
}

// kill kills the daemon, which is a child of this process once more, and waits for its end.
func (m *machine) kill() {
	m.t.Helper()
	b, _ := os.ReadFile(m.pidfile)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		m.t.Fatal(err)
	}
	unix.Kill(pid, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
