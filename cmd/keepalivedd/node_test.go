package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// node is one machine.
type node struct {
	*field
	number               int
	name, space, address string
	conf, pidfile        string
	etcd                 *exec.Cmd
	ill, cut             bool            // a process of it, its network
	resumed              []time.Duration // after a pause of all of it
}

// link is the name of the interface towards n that another machine has.
func (n *node) link(*node) string { return "to-" + n.name }

func (n *node) ip(args ...string) {
	n.Helper()
	if out, err := exec.Command("ip", append([]string{"-n", n.space}, args...)...).CombinedOutput(); err != nil {
		n.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// join brings up the interface towards another machine; down, it loses its route.
func (n *node) join(other *node) {
	n.ip("link", "set", "to-"+other.name, "up")
	n.ip("route", "replace", other.address, "dev", "to-"+other.name, "src", n.address)
}

func (n *node) part(other *node) { n.ip("link", "set", "to-"+other.name, "down") }

// inside is a command in the machine's network.
func (n *node) inside(command ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=/run/netns/" + n.space}, command...)...)
}

func (n *node) startEtcd() {
	var initial []string
	for _, m := range n.machines {
		initial = append(initial, fmt.Sprintf("%s=http://%s:2380", m.name, m.address))
	}
	peer, client := "http://"+n.address+":2380", "http://"+n.address+":2379"
	n.etcd = n.inside("etcd", "--name", n.name, "--data-dir", filepath.Join(n.dir, n.name+".etcd"), "--log-level", "error",
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--listen-client-urls", client,
		"--advertise-client-urls", client, "--initial-cluster", strings.Join(initial, ","), "--unsafe-no-fsync")
	if err := n.etcd.Start(); err != nil {
		n.Fatal(err)
	}
}

func (n *node) configure() {
	var endpoints []string
	for _, m := range n.machines {
		endpoints = append(endpoints, "http://"+m.address+":2379")
	}
	gate, err := filepath.Abs("../../docs/examples/etcd-gate")
	if err != nil {
		n.Fatal(err)
	}
	beat, _ := exec.LookPath("beat")
	keys := os.Getenv("GATE_KEYS") // to see it fail: gate_timeout = "9s"
	if keys == "" {
		keys = "gate_timeout = \"500ms\"\ngate_renew = \"2s\"\ngate_delay = \"3500ms\""
	}
	text := fmt.Sprintf(`pidfile = %q
log.to = %q
[program.web]
command = ["/bin/sh", "-c", 'trap "" TERM; "$BEAT" & wait']
environment = { MACHINE = %q, REGISTER = %q, BEAT = %q, ETCDCTL_ENDPOINTS = %q }
gate = [%q, "web", "4", "0.3"]
%s
restart_delay = { max = "1s" }
`, n.pidfile, filepath.Join(n.dir, n.name+".log"), n.name, n.register, beat, strings.Join(endpoints, ","), gate, keys)
	if err := os.WriteFile(n.conf, []byte(text), 0o644); err != nil {
		n.Fatal(err)
	}
}

func (n *node) start() {
	if out, err := n.inside(binary(n.T), "-f", n.conf).CombinedOutput(); err != nil {
		n.Errorf("%s: %v: %s", n.name, err, out)
	}
}

// remove ends all that runs in the machine, and the machine.
func (n *node) remove() {
	for range 100 {
		out, _ := exec.Command("ip", "netns", "pids", n.space).Output()
		if len(out) == 0 {
			break
		}
		for pid := range strings.FieldsSeq(string(out)) {
			if pid, err := strconv.Atoi(pid); err == nil && pid != os.Getpid() {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n.etcd != nil {
		n.etcd.Wait()
	}
	bury()
	exec.Command("ip", "netns", "del", n.space).Run()
	if log, _ := os.ReadFile(filepath.Join(n.dir, n.name+".log")); n.Failed() {
		n.Logf("%s:\n%s", n.name, log)
	}
}

// process returns those of the machine that play a part.
func (n *node) process(part string) (pids []int) {
	b, _ := os.ReadFile(n.pidfile)
	daemon, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || daemon < 2 {
		return nil
	}
	for _, pid := range children(daemon) {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		guard := strings.HasPrefix(string(b), "supervise-guard\x00")
		switch {
		case part == "guard" && guard, part == "program" && !guard:
			pids = append(pids, pid)
		case part == "gate" && guard:
			pids = append(pids, descendants(pid)[1:]...)
		}
	}
	switch part {
	case "daemon":
		return []int{daemon}
	case "etcd":
		return []int{n.etcd.Process.Pid}
	case "machine":
		return append(descendants(daemon), n.etcd.Process.Pid)
	}
	return pids
}

func descendants(pid int) []int {
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children(pids[i])...)
	}
	return pids
}

// partition cuts a machine off, from one other or from all.
func (n *node) partition(long time.Duration) string {
	var from []*node
	for _, other := range n.machines {
		if other != n {
			from = append(from, other)
		}
	}
	if n.IntN(4) == 0 {
		from = from[:1]
	}
	what := "cut off from"
	for _, other := range from {
		n.part(other)
		what += " " + other.name
	}
	n.mend(long, &n.cut, func() {
		for _, other := range from {
			n.join(other)
		}
	})
	return fmt.Sprintf("%s for %v", what, long)
}

func (n *node) stop(long time.Duration) string {
	part := []string{"gate", "guard", "daemon", "etcd", "machine"}[n.IntN(5)]
	pids := n.process(part)
	if len(pids) == 0 {
		return ""
	}
	signal := func(sig unix.Signal) {
		for _, pid := range pids {
			unix.Kill(pid, sig)
		}
	}
	signal(unix.SIGSTOP)
	n.mend(long, &n.ill, func() {
		if part == "machine" {
			n.resumed = append(n.resumed, boot())
		}
		signal(unix.SIGCONT)
	})
	return fmt.Sprintf("%s %v stopped for %v", part, pids, long)
}

func (n *node) kill(long time.Duration) string {
	part := []string{"gate", "guard", "daemon", "etcd", "program"}[n.IntN(5)]
	pids := n.process(part)
	if len(pids) == 0 {
		return ""
	}
	for _, pid := range pids {
		unix.Kill(pid, unix.SIGKILL)
	}
	n.mend(long, &n.ill, func() {
		switch part {
		case "daemon":
			n.start()
		case "etcd":
			n.etcd.Wait()
			n.startEtcd()
		}
	})
	return fmt.Sprintf("%s %v killed, for %v", part, pids, long)
}

func (n *node) mend(after time.Duration, busy *bool, do func()) {
	*busy = true
	n.mends = append(n.mends, mend{time.Now().Add(after), busy, do})
	slices.SortFunc(n.mends, func(a, b mend) int { return a.at.Compare(b.at) })
}
