package supervise

import (
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Feed is a process that reads, from its standard input, what this process has to tell, for as long as the Set lives.
type Feed struct {
	Command []string // the absolute path of the executable, and its arguments
	// Serve writes to the standard input of one process, on a goroutine of its own, until all is written, a write fails,
	// or ctx ends. Then the process gets the end of the file. Nobody waits for a write.
	Serve func(ctx context.Context, to *os.File)
	// Last is called, on the goroutine of the Set, when all programs have come down in a Stop: Serve is to come to an end.
	Last func()
}

// Feed keeps a process running with what f.Serve writes: it is started like a hook, with the environment of one, and
// again, with the delays of a program, when it ends. One with another Command ends first: it has 2 s from the end of
// its input to TERM, and 2 s more to KILL. So has the one that runs when Stop has ended the programs, as far as the
// time of that lasts; who waits for its next start then gets it at once. Nil: none. One without a Command or a Serve
// makes it panic.
func (s *Set) Feed(f *Feed) {
	if f != nil && (len(f.Command) == 0 || f.Serve == nil) {
		panic("supervise: a Feed has a Command, and a Serve to feed it")
	}
	s.send(context.Background(), feedRequest{f})
}

type feedRequest struct{ feed *Feed }

// feeding is the life of a Feed.
type feeding struct {
	wanted   *Feed
	spec     *Feed // of the process
	task     *task // nil: there is none
	ending   bool  // the process was told to
	leave    context.CancelFunc
	born     time.Duration
	failures int // in a row
	last     bool
	alarm    alarm // to start it again, or to end it
}

// feedPatience is how long a process has to end from the end of its input, and again from TERM.
const feedPatience = 2 * time.Second

func (l *loop) takeFeed(f *Feed) {
	x := &l.feed
	if l.stopping != nil || f != nil && x.wanted != nil && slices.Equal(f.Command, x.wanted.Command) {
		return
	}
	x.wanted, x.failures = f, 0
	switch {
	case x.task == nil:
		l.startFeed()
	case !x.ending:
		x.leave()
		l.endFeed()
	}
}

func (l *loop) startFeed() {
	x := &l.feed
	l.alarms.off(&x.alarm)
	if x.wanted == nil || l.hurried {
		return
	}
	spec := x.wanted
	x.spec, x.ending, x.born = spec, false, time.Since(l.epoch)
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		l.feedEnded("cannot be started: pipe: " + err.Error())
		return
	}
	unix.SetNonblock(ends[1], true) // and so with deadlines
	to := os.NewFile(uintptr(ends[1]), "events")
	c := (&Program{}).command(spec.Command)
	c.files[0] = uintptr(ends[0])
	ctx, leave := context.WithCancel(context.Background())
	x.leave = leave
	go func() {
		defer to.Close()
		defer context.AfterFunc(ctx, func() { to.SetWriteDeadline(time.Unix(1, 0)) })()
		spec.Serve(ctx, to)
	}()
	x.task = l.launchTask(&launch{command: c, close: func() { unix.Close(ends[0]) }}, 0, l.feedReaped, func(err error) {
		x.ending = x.ending && !x.last // it has not been there to be told
		l.feedEnded("cannot be started: " + err.Error())
	})
}

func (l *loop) feedReaped(ws syscall.WaitStatus) {
	how, _ := words(ws)
	l.feedEnded(fmt.Sprintf("%s after %v", how, lifetime(time.Since(l.epoch)-l.feed.born)))
}

// feedEnded sees to it that there is another one.
func (l *loop) feedEnded(how string) {
	x := &l.feed
	x.task = nil
	if x.leave != nil {
		x.leave()
	}
	l.alarms.off(&x.alarm)
	switch {
	case x.last && x.ending:
		return
	case x.last:
		l.Log.Warn("events command: " + how + ": it does not hear of the end")
		return
	case x.ending:
		l.startFeed()
		return
	}
	delays := (*Backoff)(nil).orDefault()
	if time.Since(l.epoch)-x.born >= delays.ResetAfter {
		x.failures = 0
	}
	d := delays.delay(x.failures)
	x.failures++
	if loud(x.failures) {
		then := "restarting now"
		if d > 0 {
			then = fmt.Sprintf("restarting in %v (%d times in a row)", d, x.failures)
		}
		l.Log.Warn("events command: " + how + "; " + then)
	}
	l.alarms.in(jitter(d, l.kernel.random()), &x.alarm, l.startFeed)
}

// endFeed is for a process that gets, or has got, the end of its input.
func (l *loop) endFeed() {
	x := &l.feed
	x.ending = true
	t := x.task
	l.alarms.in(feedPatience, &x.alarm, func() {
		x.leave() // a reader that does not read gets no more
		l.signalFeed(t, unix.SIGTERM)
		l.alarms.in(feedPatience, &x.alarm, func() { l.killFeed(t) })
	})
}

func (l *loop) killFeed(t *task) {
	l.signalFeed(t, unix.SIGKILL)
	l.alarms.in(feedPatience, &l.feed.alarm, func() { l.killFeed(t) }) // it was on its way to its executable
}

func (l *loop) signalFeed(t *task, sig syscall.Signal) {
	if t.pid != 0 {
		l.signalGroup(t.pid, sig)
	}
}

// lastFeed is for a stop: once there are no programs left there is nothing more to tell of them. A process that waits
// for its next start gets it now, to hear of the end.
func (l *loop) lastFeed() {
	x := &l.feed
	if l.stopping == nil || x.last || len(l.programs) > 0 {
		return
	}
	x.last = true
	if x.task == nil {
		l.startFeed()
	}
	if x.task != nil && !x.ending {
		x.spec.Last()
		l.endFeed()
	}
}

// letGoFeed ends the writing, whatever has become of the process.
func (l *loop) letGoFeed() {
	if l.feed.leave != nil {
		l.feed.leave()
	}
}
