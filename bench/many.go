//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// many has a peer keep many programs: they come up, die, are changed, and are stopped.
func (t *table) many(ctx context.Context, p *peer, first bool) {
	defer endAll()
	c, err := t.muster(p, "child", t.options.programs)
	if err != nil {
		t.add(notUp, p, float64(t.options.programs))
		return
	}
	defer c.pipe.Close()
	up, err := c.start()
	if err != nil {
		t.add(notUp, p, float64(c.n-len(c.pids)))
		return
	}
	t.took(manyUp, p, up)
	pause(ctx, 1300*time.Millisecond) // nobody is young any more, for those who look at that
	if first && t.options.idle > 0 {
		pause(ctx, min(2*time.Second, t.options.idle))
		own := c.own()
		before, began := look(own), time.Now()
		pause(ctx, t.options.idle)
		t.quiet(p, look(own), before, time.Since(began), manyPSS, manyCPU, manySwitches)
	}
	t.kill(ctx, c)
	t.change(c)
	if p.verb != nil {
		t.upgrade(c)
	}
	down, ended := c.stop()
	t.bad(notUp, p, !ended)
	t.took(manyStop, p, down)
	if p.verb == nil {
		t.took(upgrade, p, down+up)
		t.took(unattended, p, down+up)
	}
}

// kill ends one after the other, each of them once, and waits until they are back.
func (t *table) kill(ctx context.Context, c *crew) {
	killed := map[string]time.Time{}
	for i := range min(20, c.n/2) {
		name := c.program(i)
		killed[name] = time.Now()
		unix.Kill(c.pids[name], unix.SIGKILL)
		for end := time.Now().Add(25 * time.Millisecond); ctx.Err() == nil; {
			back, err := c.hear(end)
			if err != nil {
				break
			}
			t.back(c, killed, back)
		}
	}
	for end := time.Now().Add(15 * time.Second); len(killed) > 0 && ctx.Err() == nil; {
		back, err := c.hear(end)
		if err != nil {
			break
		}
		t.back(c, killed, back)
	}
	t.add(notUp, c.peer, float64(len(killed)))
}

func (t *table) back(c *crew, killed map[string]time.Time, name string) {
	if at, is := killed[name]; is {
		t.took(respawn, c.peer, time.Since(at))
		delete(killed, name)
	}
}

// change is a reload with one program that differs: from the telling until it runs.
func (t *table) change(c *crew) {
	if c.peer.change == nil {
		return
	}
	tell, err := c.peer.change(c.job, c.n-1)
	if err != nil {
		t.add(notUp, c.peer, 1)
		return
	}
	began := time.Now()
	go tell(c.pid)
	others := 0.0
	for {
		name, err := c.hear(began.Add(15 * time.Second))
		if err != nil {
			t.add(notUp, c.peer, 1)
			break
		}
		if name == fmt.Sprintf("n%d", c.n-1) {
			t.took(reload, c.peer, time.Since(began))
			break
		}
		others++
	}
	t.add(touched, c.peer, others)
}

// upgrade is a peer that replaces itself while its programs run on.
func (t *table) upgrade(c *crew) {
	argv := c.peer.verb("upgrade")
	began := time.Now()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	t.bad(notUp, c.peer, err != nil)
	if err != nil {
		return
	}
	t.took(upgrade, c.peer, time.Since(began))
	words := strings.Fields(string(out)) // … in 18.2 ms
	if n := len(words); n > 1 {
		if pause, err := time.ParseDuration(words[n-2] + words[n-1]); err == nil {
			t.took(unattended, c.peer, pause)
		}
	}
}
