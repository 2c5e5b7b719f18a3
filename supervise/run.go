package supervise

import (
	"context"
	"errors"
	"os"
	"syscall"
)

// Run runs an executable beside the programs, with these arguments and no other environment, in a session of its own
// and to die with this process, and returns how it has ended. When ctx ends it is killed as a group. argv begins with
// the program's name; nil: path alone. files are its descriptors from 0 on, nil is /dev/null; they are open until Run
// returns. It is for who may not wait for children himself, see Options.Orphans. An error is why it could not be
// started, or the end of ctx.
func (s *Set) Run(ctx context.Context, path string, argv, env []string, files []*os.File) (syscall.WaitStatus, error) {
	r := runRequest{path: path, argv: argv, env: env, files: files, reply: make(chan ran, 1)}
	if err := s.send(ctx, r); err != nil {
		return 0, err
	}
	leave := ctx.Done()
	for {
		select {
		case a := <-r.reply:
			return a.ws, errors.Join(a.err, ctx.Err())
		case <-leave:
			leave = nil
			if s.send(context.Background(), endRunRequest{r.reply}) != nil {
				return 0, errStopped
			}
		case <-s.ended:
			return 0, errStopped
		}
	}
}

type (
	runRequest struct {
		path      string
		argv, env []string
		files     []*os.File
		reply     chan ran
	}
	endRunRequest struct{ reply chan ran }
	ran           struct {
		ws  syscall.WaitStatus
		err error
	}
)

func (l *loop) runCommand(r runRequest) {
	if l.stopping != nil {
		r.reply <- ran{err: errStopped}
		return
	}
	if len(r.argv) == 0 {
		r.argv = []string{r.path}
	}
	c := command{path: r.path, argv: r.argv, dir: "/", env: r.env, files: []uintptr{toNull, toNull, toNull}}
	for i, f := range r.files {
		if i >= len(c.files) {
			c.files = append(c.files, noFile)
		}
		if f != nil {
			c.files[i] = f.Fd()
		}
	}
	if l.beside == nil {
		l.beside = map[chan ran]*task{}
	}
	l.beside[r.reply] = l.startTask(c, 0, func(ws syscall.WaitStatus) {
		delete(l.beside, r.reply)
		r.reply <- ran{ws: ws}
	}, func(err error) {
		delete(l.beside, r.reply)
		r.reply <- ran{err: err}
	})
}

func (l *loop) endRun(reply chan ran) {
	if t := l.beside[reply]; t != nil {
		delete(l.beside, reply)
		l.endTask(t, syscall.SIGKILL, feedPatience)
		reply <- ran{}
	}
}
