package supervise

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fate is what becomes of a process.
type fate struct {
	r       *rand.Rand
	life    time.Duration // -1: for ever
	status  syscall.WaitStatus
	onTerm  time.Duration // -1: it takes no notice
	onKill  time.Duration
	getting time.Duration // ready; -1: never
	hanging time.Duration // before its exec
	telling time.Duration // until the Set knows
	failing error         // it cannot be started
	helpers int           // of a main
	stray   bool          // of a helper
}

const (
	wsKilled  = syscall.WaitStatus(9)
	wsTermed  = syscall.WaitStatus(15)
	wsSegv    = syscall.WaitStatus(11)
	wsOne     = syscall.WaitStatus(1 << 8)
	wsForEver = syscall.WaitStatus(42 << 8) // of PermanentExit
)

func (m *machine) fateOf(kind, name string, n int) (f fate) {
	if m.fates != nil {
		return m.fates.of(kind, name, n)
	}
	h := fnv.New64a()
	fmt.Fprint(h, kind, " ", name, " ", n)
	f.r = rand.New(rand.NewPCG(m.seed, h.Sum64()))
	r := f.r
	upTo := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
	f.onTerm, f.onKill, f.life = upTo(50*time.Millisecond), upTo(2*time.Millisecond), -1
	f.getting = upTo(500 * time.Millisecond)
	f.hanging, f.telling = upTo(time.Millisecond), upTo(2*time.Millisecond)
	if m.calm {
		if kind == "check" || kind == "hook" {
			f.life = upTo(50 * time.Millisecond)
		}
		return f
	}
	f.status = []syscall.WaitStatus{0, 0, wsOne, wsOne, wsSegv, wsForEver}[r.IntN(6)]
	switch r.IntN(10) {
	case 0, 1, 2:
		f.life = upTo(10 * time.Millisecond)
	case 3, 4:
		f.life = upTo(time.Second)
	case 5:
		f.life = upTo(20 * time.Second)
	case 6:
		f.life = 65*time.Second + upTo(100*time.Second)
	}
	switch r.IntN(8) {
	case 0:
		f.onTerm = -1
	case 1:
		f.onTerm = upTo(15 * time.Second)
	}
	if r.IntN(40) == 0 {
		f.onKill = upTo(25 * time.Second) // it waits for a disk
	}
	switch r.IntN(8) {
	case 0:
		f.getting = -1
	case 1:
		f.getting = upTo(8 * time.Second)
	}
	if r.IntN(40) == 0 {
		f.hanging = upTo(20 * time.Second)
	}
	if r.IntN(10) == 0 {
		f.failing = []error{unix.EAGAIN, fmt.Errorf("no such program: %w", errors.ErrUnsupported)}[r.IntN(2)]
	}
	if kind == "check" || kind == "hook" {
		f.life, f.status = upTo(100*time.Millisecond), 0
		switch r.IntN(6) {
		case 0:
			f.status = wsOne
		case 1:
			f.life = -1 // it hangs
		}
	}
	switch kind {
	case "main":
		f.helpers = r.IntN(3)
		if f.life > 0 && r.IntN(6) == 0 {
			f.getting = f.life + upTo(60*time.Millisecond) // what it says comes after its death
		} else if f.getting >= 0 && r.IntN(8) == 0 {
			f.getting = upTo(f.telling + 1) // or before it is known to run
		}
	case "helper":
		if r.IntN(4) == 0 {
			f.onKill = upTo(120 * time.Millisecond) // its group outlives the process of the program
		}
		f.stray = r.IntN(3) == 0
	}
	return f
}
