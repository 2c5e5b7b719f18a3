package supervise

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise/vfork"
)

// onThread runs f on a thread that nobody else uses, and that ends with it.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
}

// A fork does what syscall.ForkExec does with the same attributes.
func TestForkIsForkExec(t *testing.T) {
	dir := t.TempDir()
	unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) // as a launcher does
	script := `pwd; echo "$A"; echo "$0 $1"; umask; ulimit -Sn; ulimit -Hn; id; for f in /proc/$$/fd/*; ` +
		`do case $f in */[012]) ;; *) readlink $f;; esac; done; grep -E "Sig|NSpid:|Groups" /proc/$$/status | grep -vE ` +
		`"SigQ|SigIgn" | grep -v NSpid; ps -o sid= -p $$ | grep -c "^ *$$\$"; exec 3>&-; read x <&4; echo "$x"; echo "$x" >&2`
	run := func(fork func(string, []string, *syscall.ProcAttr) (int, error),
		user *syscall.Credential) (string, syscall.WaitStatus) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		in := filepath.Join(dir, "in")
		os.WriteFile(in, []byte("line\n"), 0o644)
		f, err := os.Open(in)
		if err != nil {
			t.Fatal(err)
		}
		null, _ := os.Open(os.DevNull)
		defer null.Close()
		defer f.Close()
		attr := &syscall.ProcAttr{Dir: dir, Env: []string{"A=b", "PATH=/bin:/usr/bin"},
			Files: []uintptr{null.Fd(), w.Fd(), w.Fd(), noFile, f.Fd(), null.Fd()},
			Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: user}}
		var pid int
		pid, err = fork("/bin/sh", []string{"sh", "-c", script, "zero", "one"}, attr)
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		out, _ := io.ReadAll(r)
		var ws syscall.WaitStatus
		syscall.Wait4(pid, &ws, 0, nil)
		return string(out), ws
	}
	users := []*syscall.Credential{nil}
	if os.Geteuid() == 0 {
		users = append(users, &syscall.Credential{Uid: 12345, Gid: 12346, Groups: []uint32{12347, 12348}},
			&syscall.Credential{Uid: 1, Gid: 2})
		os.Chmod(dir, 0o755)
		os.Chmod(filepath.Dir(dir), 0o755)
	}
	for _, user := range users {
		onThread(func() {
			want, _ := run(syscall.ForkExec, user)
			for _, few := range []bool{false, true} {
				got, ws := run((&fork{few: few}).forkExec, user)
				if got != want || ws != 0 || !strings.HasSuffix(got, "line\nline\n") {
					t.Errorf("few %v: status %#x, got\n%s\nwant\n%s", few, int(ws), got, want)
				}
			}
		})
	}
}

// promise C3: a child that shares the descriptors until it has its own changes none of ours, whether it executes
// anything or not, and gets none above its files
func TestForkSharesDescriptors(t *testing.T) {
	mine, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	above, err := unix.FcntlInt(mine.Fd(), unix.F_DUPFD, 300) // without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(above)
	r, w, err := openPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(r)
	defer unix.Close(w)
	links := func() (all []string) {
		for _, fd := range []int{0, 1, 2, int(mine.Fd()), r, w, above} {
			link, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
			all = append(all, link)
		}
		return all
	}
	before := links()
	onThread(func() {
		files := []uintptr{mine.Fd(), uintptr(w), uintptr(w), noFile}
		for _, path := range []string{"/bin/sh", "/nowhere"} {
			pid, err := (&fork{few: true}).forkExec(path, []string{"sh", "-c", "echo /proc/$$/fd/*"},
				&syscall.ProcAttr{Files: files})
			if (err == nil) != (path == "/bin/sh") {
				t.Errorf("%s: %v", path, err)
			}
			if err == nil {
				syscall.Wait4(pid, nil, 0, nil)
			}
		}
	})
	if after := links(); !slices.Equal(after, before) {
		t.Errorf("%q, and before %q", after, before)
	}
	buf := make([]byte, 1000)
	n, _ := unix.Read(r, buf)
	said := string(buf[:max(n, 0)])
	if !strings.Contains(said, "/fd/2") || strings.Contains(said, "/fd/"+strconv.Itoa(above)) {
		t.Errorf("the child has %s", said)
	}
}

// What a child cannot do is told, and the child is gone.
func TestForkFails(t *testing.T) {
	notExecutable := filepath.Join(t.TempDir(), "file")
	os.WriteFile(notExecutable, nil, 0o644)
	onThread(func() {
		for _, c := range []struct {
			path, dir string
			want      error
			at        func(x *fork) int
		}{
			{"/nowhere/at/all", "", syscall.ENOENT, func(x *fork) int { return x.exec }},
			{notExecutable, "", syscall.EACCES, func(x *fork) int { return x.exec }},
			{"/bin/true", "/nowhere", syscall.ENOENT, func(x *fork) int { return x.dir }},
		} {
			x := &fork{}
			pid, err := x.forkExec(c.path, []string{"x"}, &syscall.ProcAttr{Dir: c.dir, Sys: &syscall.SysProcAttr{Setsid: true}})
			if pid != 0 || !errors.Is(err, c.want) || int(x.At) != c.at(x) {
				t.Errorf("%s in %s: %d, %v, at call %d", c.path, c.dir, pid, err, x.At)
			}
			if _, err := syscall.Wait4(x.child(), nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
				t.Errorf("%s: its child is left: %v", c.path, err)
			}
		}
	})
}

// A child that could not execute anything is forgotten while its number is still its own: who is to kill it when it
// hangs must not kill the next one of that number.
func TestForkIsForgottenBeforeItIsReaped(t *testing.T) {
	forgotten := false
	x := &fork{}
	x.forget = func() {
		forgotten = true
		if err := unix.Waitid(unix.P_PID, x.child(), nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Errorf("it has been reaped: %v", err)
		}
	}
	onThread(func() {
		if _, err := x.forkExec("/nowhere", []string{"nowhere"}, &syscall.ProcAttr{}); !errors.Is(err, unix.ENOENT) {
			t.Errorf("it is started: %v", err)
		}
	})
	if !forgotten {
		t.Error("it is not forgotten")
	}
}

// issue 8.2: an exec that hangs stops no goroutine and no garbage collector, and can be ended.
func TestForkThatHangs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	x := &fork{}
	if err := x.prepare("/bin/true", []string{"true"},
		&syscall.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}}); err != nil {
		t.Fatal(err)
	}
	long := &unix.Timespec{Sec: 1000}
	x.keep = append(x.keep, long)
	x.list = slices.Insert(x.list, x.exec,
		vfork.Call{Trap: unix.SYS_NANOSLEEP, A: [5]uintptr{uintptr(unsafe.Pointer(long))}})
	ended := make(chan error, 1)
	go onThread(func() {
		_, err := x.carryOut()
		ended <- err
	})
	for x.child() == 0 {
		runtime.Gosched()
	}
	for range 3 {
		runtime.GC()
	}
	select {
	case err := <-ended:
		t.Fatal("it has ended by itself: ", err)
	default:
	}
	unix.Kill(x.child(), unix.SIGKILL)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var ws syscall.WaitStatus
	syscall.Wait4(x.child(), &ws, 0, nil)
	if !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
		t.Errorf("%#x", int(ws))
	}
}

// A child may be killed at any instant: this process goes on as if nothing were.
func TestForkThatIsKilled(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for i := range 3000 {
		x := &fork{}
		ended := make(chan error, 1)
		go onThread(func() {
			_, err := x.forkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}})
			ended <- err
		})
		for x.child() == 0 {
		}
		for range 30 * (i % 100) {
			x.child()
		}
		unix.Kill(x.child(), unix.SIGKILL)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		var ws syscall.WaitStatus
		syscall.Wait4(x.child(), &ws, 0, nil)
	}
}

// A child that is killed before it has done anything has told nothing: the parent finds out by itself that it is the
// parent, as the first process of a namespace too, whose getppid returns 0 as the vfork of a child does.
func TestForkThatIsKilledAtOnce(t *testing.T) {
	x := &fork{}
	if err := x.prepare("/bin/true", []string{"true"}, &syscall.ProcAttr{}); err != nil {
		t.Fatal(err)
	}
	me := vfork.Call{Trap: unix.SYS_GETPID}
	x.PID, x.list[0], x.list[1] = int32(os.Getpid()), me, me // a fork that returns as that of a parent does
	x.Ask[0] = vfork.Call{Trap: unix.SYS_SCHED_YIELD}        // returns 0
	onThread(func() { x.Run(x.list) })
	if x.At != 0 || x.Err != 0 {
		t.Errorf("the parent has gone on with call %d as the child: %v", x.At, x.Err)
	}
}

// What runs between fork and exec calls nothing but system calls, however this program was built. Of a test that is run
// at once the linker leaves no symbols, so the package is compiled by itself.
func TestForkCallsNothingElse(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("what a call looks like is known for amd64 and arm64")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs go")
	}
	for _, flag := range []string{"-race=" + strconv.FormatBool(isRace()), "-gcflags=-N -l"} {
		object := filepath.Join(t.TempDir(), "vfork.a")
		if out, err := exec.Command("go", "build", flag, "-o", object, "./vfork").CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v: %s", flag, err, out)
		}
		out, err := exec.Command("go", "tool", "objdump", "-s", `vfork\.\(\*Fork\)\.run$`, object).Output()
		if err != nil {
			t.Fatalf("go tool objdump: %v", err)
		}
		var calls []string
		for _, m := range regexp.MustCompile(`R_CALL\w*:(\S+)`).FindAllStringSubmatch(string(out), -1) {
			calls = append(calls, m[1])
		}
		want := []string{"runtime.entersyscall", "syscall.runtime_BeforeFork", "syscall.RawSyscall6",
			"syscall.runtime_AfterFork", "runtime.exitsyscall"}
		if !slices.Equal(calls, want) {
			t.Errorf("%s: it calls %q, and not only %q", flag, calls, want)
		}
	}
}

// isRace tells whether this test was built with the race detector.
func isRace() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
