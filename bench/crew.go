//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A crew is a peer that runs with the programs it keeps, who tell their names and PIDs through a named pipe.
type crew struct {
	*peer
	job
	pid    int            // the peer's
	pids   map[string]int // the programs'
	pipe   *os.File
	reader *bufio.Reader
}

// muster makes what a job needs: the child is called child, or say for one that writes, and lies beside the pipe.
func (t *table) muster(p *peer, child string, n int) (*crew, error) {
	run := filepath.Join(t.dir, "run")
	c := &crew{peer: p, pids: map[string]int{}, job: job{dir: filepath.Join(run, "services"), n: n,
		child: filepath.Join(run, child)}}
	if err := os.RemoveAll(run); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.job.dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.Symlink(filepath.Join(t.dir, "child", "bin"), c.child); err != nil {
		return nil, err
	}
	fifo := filepath.Join(run, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		return nil, err
	}
	var err error
	if c.pipe, err = os.OpenFile(fifo, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	c.reader = bufio.NewReaderSize(c.pipe, 1<<16)
	return c, nil
}

// start has the peer keep them, and returns when all are there, with the time that it took.
func (c *crew) start() (time.Duration, error) {
	os.Remove(c.pidfile)
	argv, err := c.keep(c.job)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	c.pid = spawn(argv)
	if c.background {
		if status := wait(c.pid); status != 0 {
			return 0, fmt.Errorf("%s: its start ends with status %d", c.name, status)
		}
		if c.pid, err = awaitPID(c.pidfile); err != nil {
			return 0, err
		}
	}
	for len(c.pids) < c.n {
		if _, err := c.hear(began.Add(5 * time.Minute)); err != nil {
			return 0, fmt.Errorf("%s: %d of %d programs came up: %w", c.name, len(c.pids), c.n, err)
		}
	}
	return time.Since(began), nil
}

// hear is the next program that has started.
func (c *crew) hear(until time.Time) (name string, err error) {
	c.pipe.SetReadDeadline(until)
	line, err := c.reader.ReadString('\n')
	if err != nil {
		return "", err
	}
	var pid int
	fmt.Sscan(line, &name, &pid)
	c.pids[name] = pid
	return name, nil
}

// own are the processes of the peer, without those it is to keep running.
func (c *crew) own() []int {
	without := map[int]bool{}
	for _, pid := range c.pids {
		without[pid] = true
	}
	return family(c.pid, without)
}

// stop returns the time until nothing is left.
func (c *crew) stop() (time.Duration, bool) {
	began := time.Now()
	unix.Kill(c.pid, c.end)
	ended := reapAll(time.Minute)
	return time.Since(began), ended
}
