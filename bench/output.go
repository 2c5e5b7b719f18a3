//go:build linux

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const lineSize = 200

// output has a peer keep what programs write in files: what that costs it a line, and whether every line is there.
func (t *table) output(ctx context.Context, p *peer) {
	defer endAll()
	c, err := t.muster(p, "say", t.options.talkers)
	if err != nil {
		return
	}
	defer c.pipe.Close()
	c.log = filepath.Join(filepath.Dir(c.job.dir), "log")
	if err := os.Mkdir(c.log, 0o755); err != nil {
		return
	}
	if _, err := c.start(); err != nil {
		t.add(notUp, p, float64(c.n-len(c.pids)))
		return
	}
	pause(ctx, min(time.Second, t.options.talk))
	own := c.own()
	before, size := look(own), c.written()
	pause(ctx, t.options.talk)
	after := look(own)
	if lines := float64(c.written()-size) / lineSize; lines > 0 {
		t.add(perLine, p, float64(after.cpu-before.cpu)/lines)
	}
	c.stop()
	t.add(linesLost, p, float64(c.lost()))
}

func (c *crew) logs() (paths []string) {
	for _, pattern := range []string{"*", "*/current"} {
		found, _ := filepath.Glob(filepath.Join(c.log, pattern))
		for _, path := range found {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

func (c *crew) written() (size int64) {
	for _, path := range c.logs() {
		if info, err := os.Stat(path); err == nil {
			size += info.Size()
		}
	}
	return size
}

// lost counts the lines that are missing between others, by the numbers that they begin with.
func (c *crew) lost() (n int) {
	for _, path := range c.logs() {
		text, _ := os.ReadFile(path)
		last := 0
		for line := range bytes.Lines(text) {
			number, _, _ := bytes.Cut(line, []byte(" "))
			if i, err := strconv.Atoi(string(number)); err == nil {
				n += i - last - 1
				last = i
			}
		}
	}
	return n
}
