package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// soakerProcess is a process of a program, as its arguments tell.
type soakerProcess struct {
	pid              int
	name, role, what string
}

func (s *soak) soakers() (all []soakerProcess) {
	for _, p := range processes(s.dir) {
		cmdline, _ := os.ReadFile("/proc/" + itoa(p.pid) + "/cmdline")
		p.close()
		if args := strings.Split(string(bytes.TrimSuffix(cmdline, []byte{0})), "\x00"); len(args) > 3 && args[1] == s.dir {
			all = append(all, soakerProcess{p.pid, args[2], args[3], strings.Join(args[4:], " ")})
		}
	}
	return all
}

// measure is what a daemon takes.
type measure struct {
	descriptors []string
	threads     int
	kilobytes   int // of anonymous memory
	children    int
	zombies     int
}

func (m *measure) String() string {
	return fmt.Sprintf("%d descriptors, %d threads, %d kB, %d children, %d zombies", len(m.descriptors), m.threads,
		m.kilobytes, m.children, m.zombies)
}

func measured(pid int) *measure {
	m := &measure{}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil {
			m.descriptors = append(m.descriptors, filepath.Base(link)+" "+to)
		}
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch key {
		case "Threads":
			m.threads = n
		case "RssAnon":
			m.kilobytes = n
		}
	}
	for _, child := range children(pid) {
		m.children++
		if stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child)); bytes.Contains(stat, []byte(") Z ")) {
			m.zombies++
		}
	}
	return m
}
