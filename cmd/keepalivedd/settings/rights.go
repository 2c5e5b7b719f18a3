package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// rights are what this process may give to a program.
type rights struct {
	root         bool
	capabilities [2]unix.CapUserData
}

func rightsNow() rights {
	r := rights{root: os.Geteuid() == 0}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if unix.Capget(&header, &r.capabilities[0]) != nil && r.root {
		r.capabilities = [2]unix.CapUserData{{Effective: ^uint32(0)}, {Effective: ^uint32(0)}}
	}
	return r
}

func (r rights) has(capability int) bool {
	return r.capabilities[capability/32].Effective>>(capability%32)&1 != 0
}

// denied is what only root may. It is a permission that is lacking: errors.Is finds fs.ErrPermission.
type denied string

func (d denied) Error() string        { return string(d) }
func (d denied) Is(target error) bool { return target == fs.ErrPermission }

func (r rights) denied(capability, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if r.root {
		return errors.New(text + "; to go beyond, the capability " + capability + " is missing")
	}
	return denied(text + "; only root may go beyond")
}

// become tells why this process cannot run something as the user.
func (r rights) become(u *User) error {
	same := int(u.UID) == os.Geteuid() && int(u.GID) == os.Getegid()
	if same || r.has(unix.CAP_SETUID) && r.has(unix.CAP_SETGID) {
		return nil
	}
	if r.root {
		return fmt.Errorf("cannot run programs as user %s: the capabilities CAP_SETUID and CAP_SETGID are missing", u.Name)
	}
	return denied(fmt.Sprintf("cannot run programs as user %s: only root can run programs as another user", u.Name))
}

// give tells why this process cannot give a file of its own to the group.
func (r rights) give(g GroupName) error {
	gid, err := g.Find()
	if err != nil || r.has(unix.CAP_CHOWN) || gid == os.Getegid() {
		return err
	}
	if groups, err := os.Getgroups(); err == nil && slices.Contains(groups, gid) {
		return nil
	}
	if r.root {
		return fmt.Errorf("cannot give the socket to group %s: the capability CAP_CHOWN is missing", g.spec)
	}
	return denied(fmt.Sprintf("cannot give the socket to group %s: only root, or a member of it, can", g.spec))
}

// own tells why this process cannot give a file of its own to the user.
func (r rights) own(u *User) error {
	switch {
	case int(u.UID) == os.Geteuid(), r.has(unix.CAP_CHOWN):
		return nil
	case r.root:
		return fmt.Errorf("cannot give the socket to user %s: the capability CAP_CHOWN is missing", u.Name)
	}
	return denied(fmt.Sprintf("cannot give the socket to user %s: only root can", u.Name))
}

// listen tells why this process cannot listen on a port.
func (r rights) listen(port int) error {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	first, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil {
		first = 1024
	}
	if port >= first || r.has(unix.CAP_NET_BIND_SERVICE) {
		return nil
	}
	if r.root {
		return fmt.Errorf("cannot listen on port %d: the capability CAP_NET_BIND_SERVICE is missing", port)
	}
	return denied(fmt.Sprintf("cannot listen on port %d: only root can, below %d", port, first))
}

// limit tells why setrlimit(2) would refuse a limit.
func (r rights) limit(l Limit) error {
	if l.Resource == unix.RLIMIT_NOFILE {
		text, _ := os.ReadFile("/proc/sys/fs/nr_open")
		most, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 64)
		if err == nil && l.Hard > most {
			return fmt.Errorf("%s is above %d, the most that the kernel allows (fs.nr_open)", limitText(l.Hard), most)
		}
	}
	var now unix.Rlimit
	if r.has(unix.CAP_SYS_RESOURCE) || unix.Prlimit(0, l.Resource, nil, &now) != nil || l.Hard <= now.Max {
		return nil
	}
	return r.denied("CAP_SYS_RESOURCE", "%s is above the hard limit of %s", limitText(l.Hard), limitText(now.Max))
}

// nice tells why a program cannot be given a priority.
func (r rights) nice(n int) error {
	least := 0
	if priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		least = 20 - priority // that is how the kernel returns it
	}
	var l unix.Rlimit
	if unix.Prlimit(0, unix.RLIMIT_NICE, nil, &l) == nil {
		least = min(least, 20-int(min(l.Cur, 40)))
	}
	if n >= least || r.has(unix.CAP_SYS_NICE) {
		return nil
	}
	return r.denied("CAP_SYS_NICE", "%d is a higher priority than this process may give, %d", n, least)
}

// oomScoreAdj tells why a program cannot be protected like that from the kernel.
func (r rights) oomScoreAdj(n int) error {
	text, _ := os.ReadFile("/proc/self/oom_score_adj")
	own, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if n >= 0 || err != nil || n >= own || r.has(unix.CAP_SYS_RESOURCE) {
		return nil
	}
	return r.denied("CAP_SYS_RESOURCE", "%d is below %d, the least that this process may give", n, own)
}
