//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// variants are ways to keep a program, with what each of them costs by itself.
var variants = []struct{ name, head, output string }{
	{"as by default", "", "log"},
	{"no cgroups", `cgroups = "off"`, "log"},
	{"no cgroups, no output", `cgroups = "off"`, "null"},
}

// measureScale tells what N programs that say nothing cost the daemon, as the rows of a table.
func (o options) measureScale(ctx context.Context, dir string, w io.Writer) error {
	most := descriptors()
	head := []string{"programs", "", "up, ms", "its CPU, ms", "threads", "descriptors", "PSS, KiB", "anonymous, KiB",
		"system, KiB a program", "`status`, ms", "CPU, ms", "`metrics`, ms", "CPU, ms",
		"reload, ms", "upgrade, ms", "stop, ms"}
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat(" --- |", len(head)))
	for n := range strings.SplitSeq(o.scale, ",") {
		for _, v := range variants {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			k, err := strconv.Atoi(n)
			if err != nil {
				return fmt.Errorf("-scale %s: %w", o.scale, err)
			}
			if v.output == "log" && 2*k+100 > most {
				fmt.Fprintf(w, "| %d | %s | more than %d descriptors |%s\n", k, v.name, most, strings.Repeat(" |", len(head)-3))
				continue
			}
			p := &peer{name: "keepalivedd", dir: filepath.Join(dir, strings.ReplaceAll(v.name, " ", "-")), end: syscall.SIGTERM}
			p.pidfile = filepath.Join(p.dir, "pid")
			if err := os.MkdirAll(p.dir, 0o755); err != nil {
				return err
			}
			if err := p.ours(v.head+"\nstart_timeout = \"10m\"\nshutdown_timeout = \"5m\"", v.output); err != nil {
				return err
			}
			row, err := (&table{options: o, dir: dir}).scale(ctx, p, k)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "| %d | %s | %s |\n", k, v.name, strings.Join(row, " | "))
		}
	}
	return nil
}

// descriptors returns how many there may be: as many as wanted, with the right to that.
func descriptors() int {
	var had syscall.Rlimit
	many := syscall.Rlimit{Cur: 1 << 19, Max: 1 << 19}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &many); err != nil {
		syscall.Getrlimit(syscall.RLIMIT_NOFILE, &had)
		return int(had.Max)
	}
	return int(many.Max)
}

func (t *table) scale(ctx context.Context, p *peer, n int) (row []string, err error) {
	defer endAll()
	c, err := t.muster(p, "child", n)
	if err != nil {
		return nil, err
	}
	defer c.pipe.Close()
	free := number("/proc/meminfo", "MemAvailable:")
	up, err := c.start()
	if err != nil {
		return nil, err
	}
	own := []int{c.pid} // cheaper to look at than to look for among all that there are
	cpu := look(own).cpu
	pause(ctx, 3*time.Second)
	u := look(own)
	each := 0.0
	if n > 0 {
		each = (free - number("/proc/meminfo", "MemAvailable:")) / float64(n)
	}
	row = []string{millis(up), millis(cpu), fmt.Sprint(u.threads), fmt.Sprint(u.descriptors), short(u.pss),
		short(u.anonymous), short(each)}
	for _, verb := range []string{"status", "metrics"} {
		wall, cpu, err := t.ask(c, verb)
		if err != nil {
			return nil, err
		}
		row = append(row, millis(wall), millis(cpu))
	}
	for _, do := range []func(*crew){t.change, t.upgrade} {
		if n > 0 {
			do(c)
		}
	}
	down, ended := c.stop()
	if !ended {
		return nil, fmt.Errorf("%d programs have not ended within a minute", n)
	}
	for _, f := range []figure{reload, unattended} {
		if v := t.cells[cell{f, p}]; len(v) > 0 {
			row = append(row, short(quantile(v, 0.5)))
		} else {
			row = append(row, "")
		}
	}
	return append(row, millis(down)), nil
}

// ask has a command of ours ask the daemon a few times: the median of the time, and of what it took of both processors'
// time.
func (t *table) ask(c *crew, verb string) (wall, cpu time.Duration, err error) {
	var walls, cpus []float64
	for range 5 {
		argv := c.peer.verb(verb)
		before := look([]int{c.pid}).cpu
		began := time.Now()
		client := exec.Command(argv[0], argv[1:]...)
		var said strings.Builder
		client.Stderr = &said
		if err := client.Run(); err != nil {
			return 0, 0, fmt.Errorf("%s: %w: %s", verb, err, &said)
		}
		walls = append(walls, float64(time.Since(began)))
		theirs := client.ProcessState.UserTime() + client.ProcessState.SystemTime()
		cpus = append(cpus, float64(look([]int{c.pid}).cpu-before+theirs))
	}
	return time.Duration(quantile(walls, 0.5)), time.Duration(quantile(cpus, 0.5)), nil
}

func millis(d time.Duration) string { return short(float64(d) / float64(time.Millisecond)) }
