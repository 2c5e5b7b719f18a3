//go:build linux

// Bench measures keepalivedd beside its peers and beside the least that can be: see README.md.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// options are how much is measured, and of whom.
type options struct {
	rounds, storm, programs, keeps, talkers int
	idle, talk                              time.Duration
	only, out, scale                        string
}

func main() { os.Exit(run()) }

func run() int {
	o, quick := options{}, false
	flag.IntVar(&o.rounds, "n", 60, "rounds of start, second start and stop; every eighth has a storm")
	flag.IntVar(&o.storm, "storm", 100, "starts at once in a storm")
	flag.IntVar(&o.programs, "k", 1000, "programs to keep running")
	flag.IntVar(&o.keeps, "m", 5, "rounds with that many programs, and with programs that write; 0: none")
	flag.IntVar(&o.talkers, "w", 100, "programs that write 240 lines a second each")
	flag.DurationVar(&o.idle, "idle", 10*time.Second, "how long to look at who has nothing to do; 0: not at all")
	flag.DurationVar(&o.talk, "talk", 4*time.Second, "how long to look at who has programs that write")
	flag.StringVar(&o.only, "only", strings.Join(names(), ","), "the peers; the ratios are to the first that has a figure")
	flag.StringVar(&o.out, "o", "", "a page NAME.md to write, and beside it the chart NAME.svg")
	flag.StringVar(&o.scale, "scale", "", "measure only what N programs cost keepalivedd, for these N: 1000,5000")
	flag.BoolVar(&quick, "quick", false, "so little of all that the figures mean nothing: does it work?")
	flag.Parse()
	if quick {
		o.quicken()
	}
	ctx, end := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer end()
	if err := o.measure(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func (o *options) quicken() {
	o.rounds, o.storm, o.programs, o.keeps, o.talkers = 8, 4, 6, 1, 2
	o.idle, o.talk = 50*time.Millisecond, 200*time.Millisecond
}

// measure is all of it. What it starts is its own descendant, has ended when it returns, and nothing else is signalled.
func (o options) measure(ctx context.Context, w io.Writer) error {
	// Orphans become children of this process: their end shows at once, and nobody else's process is among them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(scratch(), "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer endAll()
	load := number("/proc/loadavg", "")
	if err := makeChild(dir, w); err != nil {
		return err
	}
	if o.scale != "" {
		return o.measureScale(ctx, dir, w)
	}
	peers := findPeers(dir, strings.Split(o.only, ","), w)
	t := &table{options: o, peers: peers, dir: dir, load: load}
	for round := 0; round < o.rounds && ctx.Err() == nil; round++ {
		each(peers, func(p *peer) {
			if p.argv == nil || p.slow && round%8 != 0 {
				return
			}
			t.start(p)
			if round%8 == 7 && !p.slow {
				t.storm(p)
			}
		})
	}
	if o.idle > 0 {
		t.idle(ctx)
	}
	for round := 0; round < o.keeps && ctx.Err() == nil; round++ {
		each(peers, func(p *peer) {
			if p.keep == nil || ctx.Err() != nil {
				return
			}
			t.many(ctx, p, round == 0)
			t.output(ctx, p)
		})
	}
	t.print(w)
	if ctx.Err() != nil {
		return errors.New("cut short: these are the figures so far, and no page is written")
	}
	if o.out != "" {
		return t.page(o.out)
	}
	return nil
}

// each goes through the peers in an order drawn by lot: who comes after whom is worth some per cent.
func each(peers []*peer, do func(*peer)) {
	for _, i := range rand.Perm(len(peers)) {
		do(peers[i])
	}
}

// scratch is where all files go: no disk in the figures.
func scratch() string {
	dir := cmp.Or(os.Getenv("TMPDIR"), "/dev/shm")
	if unix.Access(dir, unix.W_OK) != nil {
		return os.TempDir()
	}
	return dir
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, long time.Duration) {
	select {
	case <-time.After(long):
	case <-ctx.Done():
	}
}
