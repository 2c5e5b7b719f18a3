package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/keepalivedd/keepalivedd/logging"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// terminal is the output of programs in the foreground on a terminal: each line after the program's name.
const terminal = "terminal"

// output is where the output of a program goes that asks for what the configuration calls so.
func (s *service) output(configured string) string {
	switch {
	case configured != supervise.Inherit:
		return configured
	case !s.options.foreground:
		return supervise.Null // ours is /dev/null by the time that the program writes
	case onTerminal():
		return terminal
	}
	return supervise.Inherit
}

// toLog is the output of programs that goes where the daemon's own messages go.
const toLog = "log"

// outputs are the destinations of programs. The Set opens them on its goroutine, a reload reopens them on another.
type outputs struct {
	ours  *logging.Log
	log   *slog.Logger    // to ours
	late  context.Context // ends when what is not written is lost
	end   context.CancelFunc
	disks logging.Disks

	mu        sync.Mutex
	facility  string
	continues bool // what is opened goes on where the program before has ended
	all       map[*outlet]bool
}

func (o *outputs) begin(facility string, ours *logging.Log) {
	o.ours, o.log, o.facility, o.all = ours, ours.Logger(), facility, map[*outlet]bool{}
	o.late, o.end = context.WithCancel(context.Background())
}

// open never waits: a file is opened by a goroutine of its own, because its disk may hang.
func (o *outputs) open(p *supervise.Program) (*supervise.Sink, error) {
	if p.Output == toLog {
		return &supervise.Sink{Split: true, Optional: true, Take: o.say}, nil
	}
	t := &outlet{outputs: o, program: p.Name, opened: make(chan struct{}), closed: make(chan struct{}),
		options: logging.Options{To: p.Output, Plain: true, Whose: "program " + p.Name + ": ", Disks: &o.disks}}
	sink := &supervise.Sink{Line: t.line, Lost: t.dropped, Close: func() { go t.close() }}
	switch p.Output {
	case "syslog":
		t.options = logging.Options{To: p.Output, Ident: p.Name}
		sink.Split, sink.Take = true, t.say
	case terminal:
		prefix := colour(p.Name)
		t.options.To, t.options.Whose = "stderr", prefix
		sink.Line = func(stderr bool, text []byte) { t.line(stderr, append([]byte(prefix), text...)) }
	default:
		sink.Offer = t.offer
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	t.options.Continues = o.continues
	o.all[t] = true
	if t.file() {
		go t.open()
		return sink, nil
	}
	t.options.Facility, _ = logging.ParseFacility(o.facility)
	t.open()
	return sink, nil
}

// say logs a line of a program.
func (o *outputs) say(l *supervise.Line) (taken bool) {
	return o.ours.Say(l.Program, l.PID, level(l.Stderr), l.Text)
}

// reopen follows logrotate, and a change of the facility. It does not wait for a disk that hangs.
func (o *outputs) reopen(ctx context.Context, facility string) {
	o.mu.Lock()
	o.facility = facility
	all := o.list()
	o.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var each sync.WaitGroup
		for _, t := range all {
			each.Go(func() { t.reopen(facility) })
		}
		each.Wait()
	}()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		o.log.Warn("some outputs of programs are not opened anew yet: it takes long")
	}
}

// close writes what is left until ctx ends, and then, for a quarter of a second, what can be written at once. The log
// tells what is lost.
func (o *outputs) close(ctx context.Context) {
	o.mu.Lock()
	all := o.list()
	o.mu.Unlock()
	waitFor(ctx, all)
	for _, t := range all {
		t.hurry()
	}
	moment, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	waitFor(moment, all)
	o.end()
	for _, t := range all {
		t.close()
	}
}

// flush waits until all is written. An error says whose is not, of those whose programs wait for that. The others may
// lose some: unwritten is how many lines.
func (o *outputs) flush(ctx context.Context) (unwritten uint64, err error) {
	o.mu.Lock()
	all := o.list()
	o.mu.Unlock()
	for _, t := range all {
		select {
		case <-t.opened:
		case <-ctx.Done():
			return 0, fmt.Errorf("program %s: its output is not opened yet: %s", t.program, t.options.To)
		}
		if t.closing.Load() {
			select {
			case <-t.closed:
			case <-ctx.Done():
				return 0, fmt.Errorf("program %s: its last output is not written: %s", t.program, t.options.To)
			}
			continue
		}
		log := t.log.Load()
		if log == nil {
			continue
		}
		err := log.Flush(ctx)
		if err != nil && ctx.Err() != nil && t.file() {
			return 0, fmt.Errorf("program %s: its output is not written: %w", t.program, err)
		}
		known := t.known.Load() // in the state that goes along
		unwritten += unwrittenOf(err).Left + t.dropped() - known
	}
	return unwritten, nil
}

// unwrittenOf is what an error of [logging.Log.Flush] says.
func unwrittenOf(err error) (of logging.UnwrittenError) {
	var e *logging.UnwrittenError
	if errors.As(err, &e) {
		of = *e
	}
	return of
}

// goneOn says that what is opened from now on begins anew.
func (o *outputs) goneOn() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.continues = false
}

func (o *outputs) list() (all []*outlet) {
	for t := range o.all {
		all = append(all, t)
	}
	return all
}

func waitFor(ctx context.Context, all []*outlet) {
	for _, t := range all {
		select {
		case <-t.closed:
		case <-ctx.Done():
			return
		}
	}
}

// colour is what stands before a program's lines on a terminal.
func colour(name string) string {
	if os.Getenv("NO_COLOR") != "" {
		return fmt.Sprintf("%-10s| ", name)
	}
	return painter(true).as(nameColour(name), fmt.Sprintf("%-10s|", name)) + " "
}
