package supervise

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What the loop asks of its kernel, but for launches.

func (m *machine) open(*Options) (<-chan os.Signal, func()) { return m.died, func() {} }

func (m *machine) turn() <-chan struct{} {
	m.sync()
	defer m.sync()
	if !m.turnDue {
		m.turnDue = true
		m.later(time.Duration(m.rnd.IntN(2000))*time.Microsecond, func() {
			m.turnDue = false
			select {
			case m.turns <- struct{}{}:
			default: // the loop has not taken the last one: something else came in its way
			}
		})
	}
	return m.turns
}

func (*machine) connect(*loop, *program, *command) (func(), error) { return func() {}, nil }

func (*machine) connectGate(*loop, *program, *gate, *command) (func(), error) { return func() {}, nil }

func (*machine) closeGate(*gate) {}

func (m *machine) kill(pid int, sig syscall.Signal) error {
	m.sync()
	defer m.sync()
	leader := max(pid, -pid)
	var to []*process
	for _, x := range m.procs {
		if x.pid == pid || pid < 0 && x.group == leader {
			to = append(to, x)
		}
	}
	slices.SortFunc(to, func(a, b *process) int { return a.pid - b.pid })
	m.maySignal(leader, pid < 0, sig, len(to) > 0)
	if len(to) == 0 {
		return unix.ESRCH
	}
	if sig != 0 {
		for _, x := range to {
			m.deliver(x, sig)
		}
	}
	return nil
}

func (m *machine) signal(p proc, signals ...syscall.Signal) {
	m.sync()
	defer m.sync()
	x := m.procs[p.pid]
	if x == nil {
		return
	}
	if !m.orphans || x.kind != "stray" && x.kind != "helper" || x.spec.Kill == KillProcess ||
		!m.stopped && !m.leftInCgroup(x) && !m.leftBehind(x) {
		m.breaks("T4: %s is hunted", x)
	}
	if !m.stopped && m.leftBehind(x) && slices.Contains(signals, unix.SIGKILL) &&
		(x.termed < 0 || m.now() < x.termed+150*time.Millisecond) {
		m.breaks("T4: %s is killed before its time", x)
	}
	for _, sig := range signals {
		m.deliver(x, sig)
	}
}

func (m *machine) zombie(kind, id int) int {
	m.sync()
	defer m.sync()
	for _, x := range m.zombies {
		if kind == unix.P_ALL || x.pid == id {
			return x.pid
		}
	}
	return 0
}

func (m *machine) wait(pid int) syscall.WaitStatus {
	m.sync()
	defer m.sync()
	for i, x := range m.zombies {
		if x.pid == pid {
			m.say("  %s is reaped", x)
			m.zombies = slices.Delete(m.zombies, i, i+1)
			delete(m.procs, pid)
			if x.kind == "stranger" || x.launching {
				m.breaks("C2: %s, which is none of ours yet, is reaped", x)
			}
			m.reaped(x)
			return x.ws
		}
	}
	m.breaks("waits for %d, which has not died: the loop hangs", pid)
	return 0
}

func (m *machine) waitAny() (int, syscall.WaitStatus) {
	pid := m.zombie(unix.P_ALL, 0)
	if pid == 0 {
		return 0, 0
	}
	if !m.orphans {
		m.breaks("C2: waits for any child, which may be a stranger's")
	}
	return pid, m.wait(pid)
}

// holds is true where the number of a group cannot be another's.
func (m *machine) holds(group int) bool {
	m.sync()
	defer m.sync()
	for _, x := range m.procs {
		if x.group == group && x.parent == us {
			return true
		}
	}
	return false
}

func (m *machine) childless() bool {
	m.sync()
	defer m.sync()
	for _, x := range m.procs {
		if x.parent == us {
			return false
		}
	}
	return true
}

// inhabitants are those who live in a cgroup, by number.
func (m *machine) inhabitants(dir string) (xs []*process) {
	for _, pid := range slices.Sorted(maps.Keys(m.procs)) {
		if x := m.procs[pid]; dir != "" && x.cgroup == dir && !x.dead {
			xs = append(xs, x)
		}
	}
	return xs
}

func (m *machine) inCgroup(dir string) (pids []int) {
	m.sync()
	defer m.sync()
	for _, x := range m.inhabitants(dir) {
		pids = append(pids, x.pid)
	}
	return pids
}

func (m *machine) endCgroup(dir string) {
	m.sync()
	defer m.sync()
	for _, x := range m.inhabitants(dir) {
		m.mayEnd(x)
		m.deliver(x, unix.SIGKILL)
	}
}

func (m *machine) removeCgroup(dir string) bool {
	m.sync()
	defer m.sync()
	empty := len(m.inhabitants(dir)) == 0
	if empty {
		delete(m.bounds, dir)
	}
	return empty
}

func (m *machine) inheritedNobody(known func(pid int) bool) bool {
	m.sync()
	defer m.sync()
	for _, x := range m.procs {
		if x.parent == us && !known(x.pid) {
			return false
		}
	}
	return true
}

func (m *machine) findOrphans(known []int, then func([]orphan)) {
	m.sync()
	defer m.sync()
	if m.looking {
		m.breaks("two look at once")
	}
	m.looking = true
	gen := m.gen
	m.later(time.Duration(rand.New(rand.NewPCG(m.seed, uint64(m.now()))).IntN(20_000))*time.Microsecond, func() {
		if gen != m.gen {
			return // an execve has ended the look
		}
		m.looking = false
		then(m.orphansBut(known))
	})
}

func (m *machine) orphansBut(known []int) (found []orphan) {
	for _, pid := range slices.Sorted(maps.Keys(m.procs)) {
		x := m.procs[pid]
		top := x
		for top.parent != us && m.procs[top.parent] != nil {
			top = m.procs[top.parent]
		}
		if x.dead || top.parent != us || slices.Contains(known, top.pid) {
			continue
		}
		o := orphan{proc: x.proc()}
		if x.marked || slices.Contains([]string{"check", "gate", "hook"}, x.kind) {
			o.program = x.name
		}
		found = append(found, o)
	}
	return found
}

func (m *machine) find(p *Program, then func(*found)) {
	m.sync()
	defer m.sync()
	gen := m.gen
	m.later(time.Duration(rand.New(rand.NewPCG(m.seed, uint64(m.now()))).IntN(20_000))*time.Microsecond, func() {
		if gen == m.gen {
			then(p.find())
		}
	})
}

func (m *machine) bind(all map[string]binding, then func(boundNow)) {
	m.sync()
	defer m.sync()
	if m.binding {
		m.breaks("two are bound at once")
	}
	m.binding = true
	gen, at := m.gen, maps.Clone(m.bounds)
	m.later(time.Duration(rand.New(rand.NewPCG(m.seed, uint64(m.now()))).IntN(3000))*time.Millisecond, func() {
		if gen != m.gen {
			return // as with a look
		}
		errs := map[string]error{}
		for dir, b := range all {
			switch now := m.bounds[dir]; {
			case now == nil && b.binds():
				errs[dir] = unix.ENOENT
			case now != nil && now == at[dir]:
				*now = *b.Resources
			}
		}
		m.binding = false
		then(boundNow{all, errs})
	})
}

func (*machine) comeBack(string) {}

func (*machine) self() int { return us }

func (m *machine) group(pid int) int {
	p, _ := m.process(pid)
	return p.group
}

func (m *machine) everybody() map[int]proc {
	m.sync()
	defer m.sync()
	all := map[int]proc{us: {pid: us, parent: 1, group: us, session: us}}
	for pid, x := range m.procs {
		all[pid] = x.proc()
	}
	return all
}

func (m *machine) startedWith(p proc, variable string) bool {
	m.sync()
	defer m.sync()
	x := m.procs[p.pid]
	return x != nil && (variable == mark && x.marked || variable == sparedMark(mark) && x.spared)
}

// sinceBoot is where a loop that goes round without end is seen: next to no time passes for it.
func (m *machine) sinceBoot() time.Duration {
	if m.now() > m.asked+time.Second {
		m.asked, m.askings = m.now(), 0
	}
	if m.askings++; m.askings > 100_000 {
		panic("the loop goes round without end")
	}
	return m.now()
}

func (m *machine) random() float64 { return m.rnd.Float64() }
