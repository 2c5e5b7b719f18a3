//go:build linux

package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/internal/fdtest"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// disturbed has webd signal itself in the midst of its upgrade, once for each file that is put beside its pidfile.
// WEBD_DISTURBED says when, and by which signal. Where it says so, the program cannot be executed then.
func disturbed(d *daemon.Daemon, file string) {
	var moment string
	var sig unix.Signal
	if _, err := fmt.Sscan(os.Getenv("WEBD_DISTURBED"), &moment, &sig); err != nil {
		return
	}
	at := func(now string) (disturbed bool) {
		disturbed = now == moment && os.Remove(file+".disturbed") == nil
		if disturbed {
			caught := make(chan os.Signal, 1)
			signal.Notify(caught, sig)
			unix.Kill(os.Getpid(), sig)
			<-caught // and so does whoever else catches it
		}
		return disturbed
	}
	start, save := d.Start, d.Upgrades.Save
	d.Reload = func(context.Context) error { return os.WriteFile(file+".reloaded", nil, 0o600) }
	d.Upgrades.Save = func(ctx context.Context) (*daemon.Saved, error) {
		if at("save") && sig == unix.SIGTERM {
			<-ctx.Done()
		}
		if moment == "refused" { // it has no Resume
			return &daemon.Saved{}, nil
		}
		return save(ctx)
	}
	d.Upgrades.Thread = func(f func()) {
		if at("refused") {
			os.Chmod(file+".new", 0o600)
		}
		at("exec")
		f()
	}
	if d.Inherited = daemon.Inherit(); d.Inherited != nil {
		at("inherit")
	}
	d.Start = func(ctx context.Context, fail context.CancelCauseFunc) error {
		if d.Inherited != nil {
			at("start")
		}
		return start(ctx, fail)
	}
}

// startDisturbed returns the pidfile of a daemon that will be, and the daemon.
func startDisturbed(t *testing.T, moment string, sig unix.Signal) (file string, p *pidfile.Process) {
	t.Helper()
	t.Setenv("WEBD_DISTURBED", fmt.Sprintf("%s %d", moment, sig))
	file, _ = startWebd(t)
	p, err := pidfile.Find(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return file, p
}

// disturb is to be done before each upgrade.
func disturb(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file+".disturbed", nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// reloaded waits for that.
func reloaded(t *testing.T, file string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); os.Remove(file+".reloaded") != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("there was no reload")
		}
	}
}

// promises R2, T2, U1: neither TERM nor HUP is lost at any moment of an upgrade, in neither of the two programs
func TestUpgradeLosesNoSignal(t *testing.T) {
	for _, moment := range []string{"save", "exec", "inherit", "start"} {
		t.Run("TERM at "+moment, func(t *testing.T) {
			file, p := startDisturbed(t, moment, unix.SIGTERM)
			disturb(t, file)
			v, err := daemon.AskUpgrade(file, "", false, 0)
			var refused *daemon.UpgradeError // which says that all goes on
			if errors.As(err, &refused) {
				t.Error(err)
			}
			if !p.Wait(time.Minute) {
				t.Fatalf("it goes on; %+v, %v", v, err)
			}
			if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its pidfile: %v", err)
			}
		})
	}
	for _, moment := range []string{"save", "exec", "inherit", "start"} {
		t.Run("HUP at "+moment, func(t *testing.T) {
			file, _ := startDisturbed(t, moment, unix.SIGHUP)
			disturb(t, file)
			if _, err := daemon.AskUpgrade(file, "", false, 0); err != nil {
				t.Fatal(err)
			}
			reloaded(t, file)
		})
	}
}

// promises R2, U2: what asks for a reload in a program that cannot take over is heard by the one before, which goes on
func TestUpgradeReturnsWhatWasAsked(t *testing.T) {
	for sig, heard := range map[unix.Signal]func(file string, p *pidfile.Process){
		unix.SIGHUP: func(file string, _ *pidfile.Process) { reloaded(t, file) },
		unix.SIGTERM: func(_ string, p *pidfile.Process) {
			if !p.Wait(time.Minute) {
				t.Error("it goes on")
			}
		},
	} {
		file, p := startDisturbed(t, "start", sig)
		disturb(t, file)
		os.WriteFile(file+".fails", []byte("error"), 0o600)
		if v, err := daemon.AskUpgrade(file, "", false, 0); err == nil {
			t.Errorf("%v: upgraded: %+v", sig, v)
		}
		heard(file, p)
	}
}

// promises R2, U2: an exec that fails leaves nothing behind, and loses nothing
func TestUpgradeThatIsRefusedByTheKernel(t *testing.T) {
	file, p := startDisturbed(t, "refused", unix.SIGHUP)
	exe, _ := os.Executable()
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	passedOn, before := possessions(t, p.PID)
	const times = 12
	for range times {
		if err := os.WriteFile(file+".new", program, 0o700); err != nil {
			t.Fatal(err)
		}
		os.Chmod(file+".new", 0o700)
		disturb(t, file)
		var refused *daemon.UpgradeError
		if _, err := daemon.AskUpgrade(file, file+".new", false, 0); !errors.As(err, &refused) ||
			!strings.Contains(err.Error(), "it may not be executed") {
			t.Fatal(err)
		}
		reloaded(t, file)
		if c, err := daemon.Query(file, 0); err != nil || c.Unasked != nil || c.State != daemon.Running {
			t.Errorf("%+v, %v", c, err)
		}
		if text, err := os.ReadFile(file); string(text) != fmt.Sprintf("%d\n", p.PID) {
			t.Errorf("the pidfile says %q, %v", text, err)
		}
	}
	now, after := possessions(t, p.PID)
	if now != passedOn {
		t.Errorf("a child would get\n%s\nand would have got\n%s", now, passedOn)
	}
	if after >= before+times { // a watch, say, is closed some moments later
		t.Errorf("it had %d descriptors, and has %d", before, after)
	}
	if err := p.Signal(unix.SIGTERM); err != nil || !p.Wait(time.Minute) {
		t.Errorf("TERM does not end it: %v", err)
	}
}

// promises U1, U2: on a terminal Ctrl-Z stops the daemon after an upgrade as before, one that has failed included
func TestUpgradeLeavesJobControlAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "webd.pid")
	t.Setenv("WEBD", file)
	t.Setenv("WEBD_DISTURBED", fmt.Sprintf("refused %d", unix.SIGHUP))
	master, slave := fdtest.PTY(t)
	defer master.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), "WEBD_FOREGROUND=1")
	c.Stdin = slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	defer c.Wait()
	defer c.Process.Kill()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if now, _ := daemon.Query(file, 0); now.State == daemon.Running && now.Unasked == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not get ready")
		}
	}
	const jobControl = 1<<(unix.SIGTSTP-1) | 1<<(unix.SIGTTIN-1) | 1<<(unix.SIGTTOU-1)
	untouched := func(when string) {
		t.Helper()
		for _, what := range []string{"SigIgn", "SigCgt"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
			var mask uint64
			_, rest, _ := strings.Cut(string(text), "\n"+what+":\t")
			if _, e := fmt.Sscanf(rest, "%x", &mask); err != nil || e != nil {
				t.Fatal(err, e)
			}
			if mask&jobControl != 0 {
				t.Errorf("%s: %s is %x", when, what, mask)
			}
		}
	}
	untouched("at the start")
	if program, err := os.ReadFile(exe); err != nil || os.WriteFile(file+".new", program, 0o700) != nil {
		t.Fatal("no copy of the program", err)
	}
	disturb(t, file)
	if _, err := daemon.AskUpgrade(file, file+".new", false, 0); err == nil || os.Remove(file+".disturbed") == nil {
		t.Fatalf("the kernel has refused nothing: %v", err)
	}
	untouched("after an upgrade that was refused")
	if _, err := daemon.AskUpgrade(file, "", false, 0); err != nil {
		t.Fatal(err)
	}
	untouched("after an upgrade")
}

// possessions are what the child of a process would get of it, descriptors, their limit and what is ignored, and the
// number of the descriptors that it has.
func possessions(t *testing.T, pid int) (passedOn string, fds int) {
	t.Helper()
	read := func(name, line string) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return regexp.MustCompile("(?m)^" + line + "(.*)$").FindString(string(text))
	}
	passedOn = read("limits", "Max open files") + "\n" + read("status", "SigIgn:") + "\n"
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fdinfo", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range all {
		var flags int
		if n, _ := fmt.Sscanf(read("fdinfo/"+fd.Name(), "flags:"), "flags: %o", &flags); n > 0 && flags&unix.O_CLOEXEC == 0 {
			passedOn += fd.Name() + " "
		}
	}
	return passedOn, len(all)
}
