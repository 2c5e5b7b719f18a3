//go:build linux

package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Ask asks the daemon that listens at path, and puts its answer into result, a pointer; nil: whatever it is. A
// *json.RawMessage gets it as it came, which is for whoever decodes it then to check: it may be long. params are
// marshalled, to an object or an array; nil: none. What the daemon answers in the place of a result is an *[Error].
// That it could not be asked is an *[UnreachableError], of one that turns the caller away as well: within it there is
// an *[Error] then, with CodeBusy or CodeForbidden. Any other error is of params or result, and nothing was asked.
//
// ctx bounds the wait, and is to have an end: a daemon that hangs does not answer. One that is stopped, by SIGSTOP or
// the like, is not asked, and one that is being replaced is asked again, until then. A daemon that is neither root's
// nor the caller's own user's is not believed. Any goroutine may ask.
func Ask(ctx context.Context, path, method string, params, result any) error {
	return AskPID(ctx, path, 0, method, params, result)
}

// AskPID is [Ask] for the daemon of that PID, which its pidfile tells: whoever else listens there is not asked. The
// pidfiles /run/x and /run/x.pid have one socket between them. 0: whoever it is.
func AskPID(ctx context.Context, path string, pid int, method string, params, result any) error {
	return insist(ctx, path, whom{pid: pid}, method, params, result)
}

// AskProven is [AskPID] for a PID of which nobody but root and the caller could have had it taken for the
// daemon's, as a lock on a pidfile of theirs proves it: that process is believed whomever it runs as, for it may
// have given up its privileges.
func AskProven(ctx context.Context, path string, pid int, method string, params, result any) error {
	return insist(ctx, path, whom{pid, pid != 0}, method, params, result)
}

// insist asks again who is being upgraded, of whom that can be asked.
func insist(ctx context.Context, path string, who whom, method string, params, result any) error {
	if v := reflect.ValueOf(result); result != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return fmt.Errorf("%s: the answer cannot be put into %T, which points to nothing", method, result)
	}
	for {
		err := exchange(ctx, path, who, method, params, func(f *os.File) error { return hear(f, result) })
		var told *Error
		if !errors.As(err, &told) || told.Code != CodeAgain {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond): // whoever takes its place is not there before
		}
	}
}

// whom is who may answer.
type whom struct {
	pid    int // 0: any
	proven bool
}

// exchange asks, and has hear read what is said.
func exchange(ctx context.Context, path string, who whom, method string, params any, hear func(*os.File) error) error {
	line, err := question(method, params)
	if err != nil {
		return err
	}
	unreachable := &UnreachableError{Path: path}
	f, err := dial(ctx, path, who)
	if err != nil {
		unreachable.Err = err
		return unreachable
	}
	defer f.Close()
	defer context.AfterFunc(ctx, func() { f.SetDeadline(time.Unix(1, 0)) })()
	// One that turns us away does not read this, but what it has said is there to be read.
	_, err = f.Write(line)
	unreachable.Sent = err == nil
	if err == nil || errors.Is(err, unix.EPIPE) {
		err = hear(f)
	}
	var told *Error
	var own givenUp
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.error
	case errors.As(err, &told) && told.Code != CodeBusy && told.Code != CodeForbidden:
		return told
	case told != nil:
		unreachable.Sent = false
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	unreachable.Err = err
	return unreachable
}

// hear reads an answer; an *Error is one too.
func hear(f *os.File, result any) error {
	said, err := bufio.NewReaderSize(io.LimitReader(f, longestAnswer), 64<<10).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("there was no answer: %w", err)
	}
	if raw, is := result.(*json.RawMessage); is {
		if answer, is := bytes.CutPrefix(said, []byte(answered)); is && bytes.HasSuffix(answer, []byte("}\n")) {
			*raw = answer[:len(answer)-2]
			return nil
		}
	}
	var r struct {
		Result any    `json:"result"` // into which it is decoded at once: it may be long
		Error  *Error `json:"error"`
	}
	if r.Result = result; result == nil {
		r.Result = &json.RawMessage{}
	}
	err = json.Unmarshal(said, &r)
	if r.Error != nil {
		return r.Error
	}
	if err != nil {
		return fmt.Errorf("the answer is not understood: %w", err)
	}
	return nil
}

// answered is how [encode] begins an answer to a question.
const answered = `{"jsonrpc":"2.0","id":1,"result":`

func question(method string, params any) ([]byte, error) {
	q := struct {
		Version string `json:"jsonrpc"`
		ID      int    `json:"id"`
		Method  string `json:"method"`
		Params  any    `json:"params,omitempty"`
	}{"2.0", 1, method, params}
	line, err := json.Marshal(q)
	return append(line, '\n'), err
}

// dial waits for a place in the queue of a daemon that is slow to accept, and for a moment where nobody listens: a
// socket that was deleted is about to be put back, one that was just made to be listened on.
func dial(ctx context.Context, path string, who whom) (*os.File, error) {
	const pause = 10 * time.Millisecond
	for absent := 0; ; {
		fd, cred, err := connect(path)
		switch {
		case err == nil && !believed(int(cred.Uid)) && !(who.proven && int(cred.Pid) == who.pid):
			unix.Close(fd)
			return nil, fmt.Errorf("uid %d listens there, who is not to be believed", cred.Uid)
		case err == nil && !isProcess(int(cred.Pid), who.pid):
			unix.Close(fd)
			return nil, fmt.Errorf("pid %d listens there, which is another daemon", cred.Pid)
		case err == nil && isStopped(int(cred.Pid)):
			unix.Close(fd)
			return nil, stoppedError(cred.Pid)
		case err == nil:
			return os.NewFile(uintptr(fd), path), nil
		case errors.Is(err, unix.EAGAIN) && isStopped(who.pid): // and those who have asked have filled its queue
			return nil, stoppedError(who.pid)
		case errors.Is(err, unix.EAGAIN):
		case (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED)) && absent < 10:
			absent++
		default:
			return nil, fmt.Errorf("connect: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connect: %w", err)
		case <-time.After(pause):
		}
	}
}

// stoppedError is the PID of a daemon that answers nobody, and is asked nothing: it would do it at any time later.
type stoppedError int

func (pid stoppedError) Error() string {
	return fmt.Sprintf("pid %d is stopped, and answers once it goes on: kill -CONT %[1]d", pid)
}

// isStopped tells whether a process is, by SIGSTOP or the like; proc_pid_stat(5). One that is traced may go on by
// itself.
func isStopped(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && bytes.HasPrefix(b[bytes.LastIndexByte(b, ')')+1:], []byte(" T "))
}

// isProcess tells whether the process that the kernel calls listener calls itself pid, be it in a PID namespace of its
// own. 0 is out of sight, or any.
func isProcess(listener, pid int) bool {
	if listener == pid || listener == 0 || pid == 0 {
		return true
	}
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(listener) + "/status")
	_, ids, _ := strings.Cut(string(b), "\nNSpid:")
	ids, _, _ = strings.Cut(ids, "\n")
	own := strings.Fields(ids)
	return len(own) > 1 && own[len(own)-1] == strconv.Itoa(pid)
}
