package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// The scripts run main in copies of this binary; the other tests run the program as `go build` makes it, because a
// process under the race detector makes other system calls than the one that is installed.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		name:              failing,
		"blocked":         blocked,
		"ignored":         ignored,
		"hostile":         hostile,
		"supervise-setup": main, // what main runs itself as
		"supervise-guard": main,
		"beat":            beat,
		"soaked":          soaked,
		"panics":          panics,
	})
}

type tests struct{ *testing.M }

func (m tests) Run() int {
	// A detached daemon becomes our child again, so that its end and its status can be waited for.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // else a second at the end of each process
	}
	unix.Umask(0o022)
	dir, err := os.MkdirTemp("", "keepalivedd-test")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	built = filepath.Join(dir, "bin", name)
	// Other users run these too: the temporary directories are made for us alone.
	if script, err := exec.LookPath(name); err == nil {
		os.Chmod(filepath.Dir(filepath.Dir(script)), 0o755)
		os.Chmod(script, 0o755)
	}
	os.Chmod(dir, 0o755)
	return m.M.Run()
}

// long tells whether there is time for all rounds.
func long() bool { return os.Getenv("KEEPALIVEDD_LONG") != "" }

// blocked runs a command with every signal blocked, which a shell cannot do.
func blocked() {
	runtime.LockOSThread()
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil); err != nil {
		panic(err)
	}
	become(os.Args[1:])
}

// ignored runs a command with every signal ignored that can be.
func ignored() {
	script := "trap ''"
	for n := 1; n <= 31; n++ {
		if n != int(unix.SIGKILL) && n != int(unix.SIGSTOP) {
			script += " " + strconv.Itoa(n)
		}
	}
	become(append([]string{"/bin/sh", "-c", script + "; exec \"$@\"", "sh"}, os.Args[1:]...))
}

func become(command []string) {
	path, err := exec.LookPath(command[0])
	if err == nil {
		err = unix.Exec(path, command, os.Environ())
	}
	panic(err)
}
