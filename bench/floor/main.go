//go:build linux

// Floor is the least that the figures of bench can be in Go. What it does is in its name:
//
//	start PIDFILE         is a daemon once it returns 0: one more exec, a locked pidfile, a pipe for the verdict;
//	                      TERM ends it
//	keep N CHILD [DIR]    keeps CHILD p0 to CHILD pN-1 running, with their output in files in DIR; TERM ends them, and it
//	child NAME            writes its name and PID to the named pipe beside it, and waits
//	say NAME              the same, and then writes 240 lines of 200 bytes a second
//
// floor/c does the same in C.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(run()) }

func run() int {
	switch filepath.Base(os.Args[0]) {
	case "start":
		return start(os.Args[1])
	case "keep":
		n, _ := strconv.Atoi(os.Args[1])
		dir := ""
		if len(os.Args) > 3 {
			dir = os.Args[3]
		}
		return keep(n, os.Args[2], dir)
	case "child":
		announce(os.Args[1])
		select {}
	case "say":
		announce(os.Args[1])
		return say()
	}
	return 2
}

const mark = "BENCH_FLOOR_COPY=1"

func start(pidfile string) int {
	if name, value, _ := strings.Cut(mark, "="); os.Getenv(name) == value {
		return serve(pidfile)
	}
	var verdict [2]int
	null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil || syscall.Pipe2(verdict[:], syscall.O_CLOEXEC) != nil {
		return 2
	}
	n := uintptr(null)
	if _, err := syscall.ForkExec(os.Args[0], os.Args, &syscall.ProcAttr{
		Dir: "/", Env: append(os.Environ(), mark), Files: []uintptr{n, n, n, uintptr(verdict[1])},
		Sys: &syscall.SysProcAttr{Setsid: true},
	}); err != nil {
		return 2
	}
	syscall.Close(verdict[1])
	var b [1]byte
	if n, _ := syscall.Read(verdict[0], b[:]); n != 1 {
		return 1
	}
	return int(b[0])
}

// serve is the copy: descriptor 3 takes the verdict.
func serve(pidfile string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	fd, err := syscall.Open(pidfile, syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o644)
	if err != nil || syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		syscall.Write(3, []byte{1})
		return 1
	}
	syscall.Ftruncate(fd, 0)
	syscall.Write(fd, append(strconv.AppendInt(nil, int64(os.Getpid()), 10), '\n'))
	syscall.Write(3, []byte{0})
	syscall.Close(3)
	<-term
	syscall.Unlink(pidfile)
	return 0
}

func keep(n int, child, dir string) int {
	term, died := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	signal.Notify(died, syscall.SIGCHLD)
	names := make(map[int]string, n)
	for i := range n {
		names[spawn(child, "p"+strconv.Itoa(i), dir)] = "p" + strconv.Itoa(i)
	}
	for stopping := false; !stopping || len(names) > 0; {
		select {
		case <-term:
			stopping = true
			for pid := range names {
				syscall.Kill(pid, syscall.SIGTERM)
			}
		case <-died:
		}
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
			name := names[pid]
			delete(names, pid)
			if !stopping {
				names[spawn(child, name, dir)] = name
			}
		}
	}
	return 0
}

func spawn(child, name, dir string) int {
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}}
	if dir != "" {
		r, w, err := os.Pipe()
		file, err2 := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil || err2 != nil {
			os.Exit(1)
		}
		go func() {
			io.Copy(file, r)
			r.Close()
			file.Close()
		}()
		defer w.Close()
		attr.Files[1] = w.Fd()
	}
	pid, err := syscall.ForkExec(child, []string{child, name}, attr)
	if err != nil {
		os.Exit(1)
	}
	return pid
}

func announce(name string) {
	pipe, err := os.OpenFile(filepath.Join(filepath.Dir(os.Args[0]), "fifo"), os.O_WRONLY, 0)
	if err == nil {
		fmt.Fprintf(pipe, "%s %d\n", name, os.Getpid())
		pipe.Close()
	}
}

func say() int {
	rest := strings.Repeat("x", 191)
	for i, next := 1, time.Now(); ; i++ {
		if _, err := fmt.Printf("%07d %s\n", i, rest); err != nil {
			return 1
		}
		next = next.Add(time.Second / 240)
		time.Sleep(time.Until(next))
	}
}
