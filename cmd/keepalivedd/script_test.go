package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/signals"
)

// The commands that the scripts have beside testscript's own:
//
//	exits STATUS COMMAND [ARG...]   run it to its end, which must have this status; a command line as for exec
//	await FILE PATTERN [COUNT]      wait until the file has so many matches
//	track NAME FILE                 take hold of the process that the file names
//	signal SIGNAL NAME              send it a signal
//	ended NAME [STATUS]             wait for its end, and for this status of it
//	[!] alive NAME                  it has not ended, at this instant
//	same NAME FILE                  the file still says exactly the PID of the process
//	nothing-left                    no process of the script lives, or all that do are dying
//	storm COUNT NAME SIGNAL         send it a signal so many times
//
// $WORK in *.toml and *.sh files is replaced. What a script leaves running is killed.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup:               setUp,
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, errors.New("unknown condition")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":        cmdExits,
			"await":        cmdAwait,
			"track":        cmdTrack,
			"signal":       cmdSignal,
			"ended":        cmdEnded,
			"alive":        cmdAlive,
			"same":         cmdSame,
			"nothing-left": cmdNothingLeft,
			"storm":        cmdStorm,
		},
	})
}

func setUp(env *testscript.Env) error {
	env.Setenv(strings.TrimSuffix(worldMark, "="), env.WorkDir)
	env.Values[trackedKey{}] = map[string]*process{}
	env.Defer(func() {
		killAll(env.WorkDir)
		for _, p := range env.Values[trackedKey{}].(map[string]*process) {
			p.close()
		}
		bury()
	})
	for _, dir := range []string{filepath.Dir(env.WorkDir), env.WorkDir} {
		if err := os.Chmod(dir, 0o755); err != nil { // a script may go on as another user
			return err
		}
	}
	return filepath.WalkDir(env.WorkDir, func(path string, e fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err != nil || ext != ".toml" && ext != ".sh" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(b), "$WORK", env.WorkDir)), 0o644)
	})
}

type trackedKey struct{}

func tracked(ts *testscript.TestScript, name string) *process {
	p := ts.Value(trackedKey{}).(map[string]*process)[name]
	if p == nil {
		ts.Fatalf("%s is not tracked", name)
	}
	return p
}

func want(ts *testscript.TestScript, neg bool, args []string, least, most int, usage string) {
	if neg || len(args) < least || len(args) > most {
		ts.Fatalf("usage: %s", usage)
	}
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 100, "exits STATUS COMMAND [ARG...]")
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != status {
		ts.Fatalf("status %d, want %d", got, status)
	}
}

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 3, "await FILE PATTERN [COUNT]")
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	count := 1
	if len(args) == 3 {
		count, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	ts.Check(await(ts.MkAbs(args[0]), pattern, count))
}

func cmdTrack(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "track NAME FILE")
	text := ts.ReadFile(args[1])
	pid, err := strconv.Atoi(strings.TrimSuffix(text, "\n"))
	if err != nil {
		ts.Fatalf("%s says %q", args[1], text)
	}
	p, err := hold(pid)
	if err != nil {
		ts.Fatalf("%s says %d: %v", args[1], pid, err)
	}
	all := ts.Value(trackedKey{}).(map[string]*process)
	if old := all[args[0]]; old != nil {
		old.close()
	}
	all[args[0]] = p
	ts.Setenv(args[0], strconv.Itoa(pid))
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "signal SIGNAL NAME")
	sig, err := signals.Parse(args[0])
	ts.Check(err)
	ts.Check(unix.PidfdSendSignal(tracked(ts, args[1]).pidfd, sig, nil, 0))
}

func cmdStorm(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, 3, "storm COUNT NAME SIGNAL")
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	sig, err := signals.Parse(args[2])
	ts.Check(err)
	p := tracked(ts, args[1])
	for range n {
		ts.Check(unix.PidfdSendSignal(p.pidfd, sig, nil, 0))
	}
}

func cmdEnded(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 2, "ended NAME [STATUS]")
	p := tracked(ts, args[0])
	if !p.ends(patience) {
		ts.Fatalf("process %d has not ended: %s", p.pid, p)
	}
	if len(args) < 2 {
		return
	}
	var ws unix.WaitStatus
	_, err := unix.Wait4(p.pid, &ws, 0, nil)
	ts.Check(err)
	got := ws.ExitStatus()
	if ws.Signaled() {
		got = 128 + int(ws.Signal())
	}
	if strconv.Itoa(got) != args[1] {
		ts.Fatalf("it ended with %d, want %s", got, args[1])
	}
}

func cmdAlive(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] alive NAME")
	}
	if p := tracked(ts, args[0]); p.ends(0) != neg {
		ts.Fatalf("process %d: alive is %v", p.pid, neg)
	}
}

func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "same NAME FILE")
	p := tracked(ts, args[0])
	if text := ts.ReadFile(args[1]); text != strconv.Itoa(p.pid)+"\n" || p.ends(0) {
		ts.Fatalf("%s says %q, want the live process %d", args[1], text, p.pid)
	}
}

func cmdNothingLeft(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, 0, "nothing-left")
	for _, p := range processes(ts.Getenv("WORK")) {
		ended := p.ends(patience)
		text := p.String()
		p.close()
		if !ended {
			ts.Fatalf("process %d is left: %s", p.pid, text)
		}
	}
}
