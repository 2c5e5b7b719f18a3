//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A job is what is to be kept running: n times a child whose only argument is its name.
type job struct {
	dir     string // for configurations
	child   string
	n       int
	log     string // a directory where output is to be kept, in a file or a directory NAME; "": it need not be kept
	changed map[int]bool
}

func (j job) program(i int) string {
	if j.changed[i] {
		return fmt.Sprintf("n%d", i)
	}
	return fmt.Sprintf("p%d", i)
}

// services writes a directory for each child. The child is its run script's interpreter, so that no shell is in the
// figures.
func (j job) services(logger ...string) error {
	for i := range j.n {
		dir := filepath.Join(j.dir, fmt.Sprintf("p%d", i))
		if err := script(filepath.Join(dir, "run"), j.child+" "+j.program(i)); err != nil {
			return err
		}
		if j.log == "" {
			continue
		}
		to := filepath.Join(j.log, j.program(i))
		err := script(filepath.Join(dir, "log", "run"), "/bin/sh", "exec "+strings.Join(append(logger, to), " "))
		if err := errors.Join(err, os.Mkdir(to, 0o755)); err != nil {
			return err
		}
	}
	return nil
}

func script(path, interpreter string, lines ...string) error {
	text := "#!" + interpreter + "\n" + strings.Join(lines, "\n") + "\n"
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	return errors.Join(err, os.WriteFile(path+".new", []byte(text), 0o755), os.Rename(path+".new", path))
}

// renew has one service be another, and told so by a command.
func renew(tool string, args ...string) func(job, int) (func(int), error) {
	return func(j job, i int) (func(int), error) {
		dir := filepath.Join(j.dir, fmt.Sprintf("p%d", i))
		err := script(filepath.Join(dir, "run"), fmt.Sprintf("%s n%d", j.child, i))
		return func(int) { wait(spawn(append(append([]string{tool}, args...), dir))) }, err
	}
}

func runit(p *peer) error {
	runsvdir, err := installed("runsvdir")
	svlogd, err2 := installed("svlogd")
	sv, err3 := installed("sv")
	p.keep = func(j job) ([]string, error) {
		if j.n > 1000 {
			return nil, errors.New("runsvdir keeps a thousand at most")
		}
		if err := j.services(svlogd); err != nil || j.log == "" {
			return []string{runsvdir, j.dir}, err
		}
		var err error
		for i := range j.n { // s6-log is told the same: no file is full before the end
			err = errors.Join(err, os.WriteFile(filepath.Join(j.log, j.program(i), "config"), []byte("s16777215\n"), 0o644))
		}
		return []string{runsvdir, j.dir}, err
	}
	p.end = unix.SIGHUP
	p.change = renew(sv, "restart")
	return errors.Join(err, err2, err3)
}

func s6(p *peer) error {
	svscan, err := installed("s6-svscan")
	log, err2 := installed("s6-log")
	svc, err3 := installed("s6-svc")
	p.keep = func(j job) ([]string, error) {
		return []string{svscan, "-c", "8000", j.dir}, j.services(log, "n3", "s16777215")
	}
	p.change = renew(svc, "-r")
	return errors.Join(err, err2, err3)
}

func supervisord(p *peer) error {
	path, err := installed("supervisord")
	ctl, err2 := installed("supervisorctl")
	in := func(file string) string { return filepath.Join(p.dir, file) }
	write := func(j job, how string) error {
		var b strings.Builder
		fmt.Fprintf(&b, "[supervisord]\n%s\npidfile=%s\nlogfile=%s\nchildlogdir=%s\nminfds=%d\n"+
			"[unix_http_server]\nfile=%s\n[supervisorctl]\nserverurl=unix://%[6]s\n"+
			"[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
			how, p.pidfile, in("log"), p.dir, min(20000, 1024+4*j.n), in("sock"))
		for i := range j.n {
			log := "NONE"
			if j.log != "" {
				log = filepath.Join(j.log, j.program(i)) + "\nstdout_logfile_maxbytes=0"
			}
			fmt.Fprintf(&b, "[program:p%d]\ncommand=%s %s\nstartsecs=0\n"+
				"autorestart=true\nredirect_stderr=true\nstdout_logfile=%s\n",
				i, j.child, j.program(i), log)
		}
		return os.WriteFile(in("conf"), []byte(b.String()), 0o600)
	}
	p.argv = []string{path, "-c", in("conf")}
	p.slow = true
	p.keep = func(j job) ([]string, error) {
		return []string{path, "-n", "-c", in("conf")}, write(j, "nodaemon=true")
	}
	p.change = func(j job, i int) (func(int), error) {
		j.changed = map[int]bool{i: true}
		return func(int) { wait(spawn([]string{ctl, "-c", in("conf"), "update"})) }, write(j, "nodaemon=true")
	}
	return errors.Join(err, err2, write(job{}, ""))
}
