package supervise

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/wait"
)

// Abandon ends, in order, what a Set has left in [Frozen.State] where no other can go on: every program gets its stop
// signal, and KILL after its StopTimeout or limit, whichever is sooner; then their gates and whatever else runs. The
// order of programs is not kept. It waits for children of this process, none of which may be waited for by others.
func Abandon(state []byte, limit time.Duration) error {
	s, err := decodeState(state, false)
	if err != nil {
		return err
	}
	began := time.Now()
	left := map[*programState]time.Duration{} // how long they have
	for i := range s.Programs {
		if p := &s.Programs[i]; p.PID > 1 && p.Spec != nil && p.Spec.Program != nil {
			p.signal(p.Spec.stopSignal(), unix.SIGCONT)
			left[p] = min(p.Spec.stopTimeout(), limit)
		}
	}
	for pause := time.Millisecond; len(left) > 0; pause = min(2*pause, 64*time.Millisecond) {
		for p, patience := range left {
			if time.Since(began) > patience {
				p.signal(unix.SIGKILL)
			}
			pid, err := wait.Zombie(unix.P_PID, p.PID)
			if pid == 0 && err == nil && time.Since(began) < patience+time.Second {
				continue
			}
			p.signal(unix.SIGKILL) // what is left of the group, while its leader keeps the number
			unix.Wait4(p.PID, nil, unix.WNOHANG, nil)
			delete(left, p)
		}
		if len(left) > 0 {
			time.Sleep(pause)
		}
	}
	tasks := []*taskState{s.Feed}
	for i := range s.Programs {
		tasks = append(tasks, s.Programs[i].tasks()...)
	}
	for i := range s.Tasks {
		tasks = append(tasks, &s.Tasks[i])
	}
	for _, t := range tasks {
		if t != nil && t.PID > 1 {
			unix.Kill(-t.PID, unix.SIGKILL)
		}
	}
	return nil
}

func (p *programState) signal(signals ...syscall.Signal) {
	to := -p.PID
	if p.Spec.Kill == KillProcess {
		to = p.PID
	}
	for _, sig := range signals {
		unix.Kill(to, sig)
	}
}
