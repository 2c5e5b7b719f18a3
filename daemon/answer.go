//go:build linux

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
)

// public is what may be asked of a Daemon by any goroutine, at any time.
type public struct {
	phase atomic.Pointer[phase]

	upgrades chan *upgrading
	over     <-chan struct{} // closed when the daemon is to stop

	mu     sync.Mutex
	askers []process // for the budget: the last that have asked
}

// phase is where a Daemon is in its life; the goroutine of Run puts a new one in the place of the old.
type phase struct {
	state string
	busy  bool // with a hook, which has grace to return before the stop begins
	grace time.Duration
	since time.Time
}

// State returns in which part of its life the daemon is, to any goroutine: [Starting], [Running], [Stopping];
// before Run "".
func (d *Daemon) State() string {
	p := d.public.Load()
	if p == nil {
		return ""
	}
	return p.phase.Load().state
}

// publish has others ask from now on.
func (d *Daemon) publish(over <-chan struct{}) {
	p := &public{upgrades: make(chan *upgrading), over: over}
	p.phase.Store(&phase{Starting, true, d.grace(), time.Now()})
	d.public.Store(p)
}

func (r *run) enter(state string, busy bool) {
	r.public.Load().phase.Store(&phase{state, busy, r.grace(), time.Now()})
}

// forced is what a stop may take after its Grace: what has not ended is ended by force, and the last lines are logged.
const forced = 2 * time.Second

// budget returns how long the daemon allows itself to end when it is asked to now, or what is left of that.
func (p *phase) budget(now time.Time) time.Duration {
	switch {
	case p.state == Stopping:
		return max(0, p.since.Add(p.grace+forced).Sub(now))
	case p.busy:
		return 2*p.grace + forced
	}
	return p.grace + forced
}

// listen has the daemon answer, until the returned function is called. Where it cannot yet, for want of something or
// because of what is in the way, the daemon does without, and goes on trying.
func (r *run) listen() (end func()) {
	r.readers.Store(r.Readers)
	life, cancel := context.WithCancel(r.life)
	var trying sync.WaitGroup
	listen := func() error {
		methods, options := r.answers()
		server, err := control.Listen(control.Path(r.file.Path()), methods, options)
		if err == nil {
			r.server.Store(server)
		}
		return err
	}
	r.listenLater = func(err error) {
		r.log().Warn("the daemon cannot be asked, only signalled; trying on", "err", err)
		trying.Go(func() { r.tryOn(life, listen) })
	}
	if fds := r.inheritedSocket(); fds[0] >= 0 {
		r.take(fds)
	} else if err := listen(); errors.Is(err, unix.ENAMETOOLONG) {
		r.log().Warn("the daemon cannot be asked, only signalled", "err", err)
	} else if err != nil {
		r.listenLater(err)
	}
	return func() {
		cancel()
		trying.Wait()
		if server := r.server.Load(); server != nil {
			server.Close()
		}
	}
}

// take answers on a socket that is listened on already.
func (r *run) take(fds [2]int) {
	methods, options := r.answers()
	server := control.Take(control.Path(r.file.Path()), fds, methods, options)
	r.server.Store(server)
	if server == nil {
		r.listenLater(errors.New("the socket cannot be waited for"))
	}
}

func (r *run) answers() (methods map[string]control.Method, options control.Options) {
	methods = map[string]control.Method{}
	options = control.Options{Log: r.log(), Again: []string{"reload", "budget", "upgrade"},
		Reads: map[string]control.Method{}, Streams: r.Streams, Readers: r.readers.Load()}
	if !r.says("status") {
		options.Reads["status"] = r.answerStatus
	}
	if !r.says("reload") {
		methods["reload"] = r.answerReload
	}
	if !r.says("budget") { // which has a part in the stop: not for who only reads
		methods["budget"] = r.answerBudget
	}
	if !r.says("upgrade") && r.Upgrades.Save != nil {
		methods["upgrade"] = r.answerUpgrade
	}
	maps.Copy(methods, r.Methods)
	maps.Copy(options.Reads, r.Reads)
	return methods, options
}

// says tells whether the daemon has an answer of its own.
func (d *Daemon) says(method string) bool {
	return d.Methods[method] != nil || d.Reads[method] != nil || d.Streams[method] != nil
}

// setReaders has whom a hook has said to be readers be that.
func (r *run) setReaders() {
	r.readers.Store(r.Readers)
	if server := r.server.Load(); server != nil {
		server.SetReaders(r.Readers)
	}
}

// tryOn tries again, after a tenth of a second at first and once a minute at last, until the daemon stops.
func (r *run) tryOn(life context.Context, listen func() error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, time.Minute) {
		select {
		case <-life.Done():
			return
		case <-time.After(wait):
		}
		if listen() == nil {
			r.server.Load().SetReaders(r.readers.Load()) // which may have changed meanwhile
			r.log().Info("the daemon can be asked")
			return
		}
	}
}

func (r *run) answerStatus(context.Context, json.RawMessage) (any, error) {
	var s struct {
		Version int    `json:"version"` // of this answer
		Name    string `json:"name"`
		PID     int    `json:"pid"`
		State   string `json:"state"`
		PIDFile string `json:"pidfile"`
		Status  string `json:"status,omitempty"`
	}
	s.Version, s.Name, s.PID, s.State, s.PIDFile = 1, r.name(), os.Getpid(), r.State(), r.file.Path()
	if r.Status != nil {
		s.Status = r.status()
	}
	return s, nil
}

func (r *run) answerBudget(ctx context.Context, _ json.RawMessage) (any, error) {
	p := r.public.Load()
	p.note(control.AskerOf(ctx).PID)
	return budgetAnswer{p.phase.Load().budget(time.Now()).Seconds(), r.life.Err() != nil}, nil
}
