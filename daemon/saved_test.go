//go:build linux

package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// savesOddly has webd leave what WEBD_SAVES says.
func savesOddly(d *daemon.Daemon) {
	start := d.Start
	d.Start = func(ctx context.Context, fail context.CancelCauseFunc) error {
		if f := d.Inherited.File("http"); f != nil {
			runtime.GC()
			if again := d.Inherited.File("http"); again != f {
				return errors.New("a second look at a descriptor gives it a second owner")
			}
		}
		return start(ctx, fail)
	}
	switch os.Getenv("WEBD_SAVES") {
	case "work": // that ends with the context of Start
		started, ended := d.Start, make(chan struct{})
		d.Start = func(ctx context.Context, fail context.CancelCauseFunc) error {
			context.AfterFunc(ctx, func() { close(ended) })
			return started(ctx, fail)
		}
		d.Grace, d.Stop = time.Minute, func(ctx context.Context) error {
			select {
			case <-ended:
				return nil
			case <-ctx.Done():
				return errors.New("the context of Start has not ended")
			}
		}
	case "late": // it does not come to say whether it could take over
		d.Upgrades.Rehearse = func(json.RawMessage) error {
			os.WriteFile(d.PIDFile+".rehearses", nil, 0o600)
			select {}
		}
	case "words":
		d.Upgrades.Save = func(context.Context) (*daemon.Saved, error) {
			for range wordsOfSave {
				slog.Info("saving")
			}
			return nil, nil
		}
	case "nothing":
		d.Upgrades.Save = func(context.Context) (*daemon.Saved, error) { return nil, nil }
	case "no file":
		d.Upgrades.Save = func(context.Context) (*daemon.Saved, error) {
			return &daemon.Saved{Files: map[string]*os.File{"http": nil}}, nil
		}
	}
}

// promise U2: a Save that has nothing to leave says so by nil; a file that could not be had refuses the upgrade
func TestUpgradeWithNothingSaved(t *testing.T) {
	t.Setenv("WEBD_SAVES", "nothing")
	file, _ := startWebd(t)
	st, err := pidfile.Look(file)
	if err != nil {
		t.Fatal(err)
	}
	if status, said := upgradeVerb(t, file); status != 0 {
		t.Errorf("nothing: status %d, %q", status, said)
	}
	t.Setenv("WEBD_SAVES", "no file")
	other, _ := startWebd(t)
	if status, said := upgradeVerb(t, other); status != 1 || !strings.Contains(said, "as before: file http: ") {
		t.Errorf("no file: status %d, %q", status, said)
	}
	for _, file := range []string{file, other} {
		if c, err := daemon.Query(file, 0); err != nil || c.State != daemon.Running || file != other && c.PID != st.PID {
			t.Errorf("%+v, %v", c, err)
		}
	}
}

// promise U1: whoever takes over may look at a descriptor twice
func TestInheritedTwice(t *testing.T) {
	file, _ := startWebd(t)
	if status, said := upgradeVerb(t, file); status != 0 {
		t.Errorf("status %d, %q", status, said)
	}
}

// promises T1, U1: the context of Start ends with the request to stop after an upgrade too
func TestStartsContextAfterAnUpgrade(t *testing.T) {
	t.Setenv("WEBD_SAVES", "work")
	file, _ := startWebd(t)
	for range 2 {
		if status, said := upgradeVerb(t, file); status != 0 {
			t.Fatalf("status %d, %q", status, said)
		}
	}
	if ran, err := daemon.Stop(file, daemon.StopOptions{}); !ran || err != nil {
		t.Errorf("%v, %v", ran, err)
	}
	if word, err := os.ReadFile(daemon.CrashFile(file)); err == nil {
		t.Errorf("it has left a word: %s", word)
	}
}

// promises U1, U2: a pidfile that is named from the working directory is the same as long as that is, and else refused:
// a daemon in the background has another
func TestUpgradeWithARelativePidfile(t *testing.T) {
	for _, foreground := range []string{"1", ""} {
		exe, _ := os.Executable()
		c := exec.Command(exe)
		c.Dir = t.TempDir()
		c.Env = append(os.Environ(), "WEBD=webd.pid", "WEBD_FOREGROUND="+foreground, "GORACE=atexit_sleep_ms=0")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(c.Dir, "webd.pid")
		var p *pidfile.Process
		for end := time.Now().Add(time.Minute); p == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
			if s, err := daemon.Query(file, 0); err == nil && s.State == daemon.Running && s.Unasked == nil {
				p, _ = pidfile.Find(file)
			}
		}
		if p == nil {
			t.Fatal("it does not run")
		}
		status, said := upgradeVerb(t, file)
		switch {
		case foreground != "" && status != 0:
			t.Errorf("in the foreground: status %d, %q", status, said)
		case foreground == "" && (status != 1 || !strings.Contains(said, `would be "/webd.pid"`)):
			t.Errorf("in the background: status %d, %q", status, said)
		}
		if p.Wait(0) {
			t.Error("it has ended")
		}
		p.Signal(unix.SIGKILL)
		p.Wait(time.Minute)
		p.Close()
		c.Wait()
	}
}

// promises T2, Q1: an upgrade that a stop calls off is no refusal after which all goes on
func TestUpgradeDuringAStop(t *testing.T) {
	t.Setenv("WEBD_SAVES", "late")
	file, _ := startWebd(t)
	p, asked := stopInAnUpgrade(t, file, "rehearses")
	if err := <-asked; !errors.Is(err, pidfile.ErrNotRunning) || !strings.Contains(err.Error(), "is stopping") {
		t.Errorf("%T: %v", err, err)
	}
	if !p.Wait(time.Minute) {
		t.Error("it goes on")
	}
}

// webdLog cannot be had where a file beside the pidfile says when: always, or not in a rehearsal.
func webdLog(file string) func() (*slog.Logger, io.Closer, error) {
	return func() (*slog.Logger, io.Closer, error) {
		when, _ := os.ReadFile(file + ".nolog")
		switch {
		case string(when) == "late" && os.Getenv("_DAEMON_REHEARSAL") == "":
			os.Remove(file + ".nolog")
			return nil, nil, errors.New("there is no room for a log")
		case string(when) == "always":
			return nil, nil, errors.New("there is no room for a log")
		}
		return logging.Options{To: file + ".log"}.Logger()
	}
}

// promise U2: a log that the new program cannot open is found in the rehearsal, or leads back to the program before
func TestUpgradeWithoutALog(t *testing.T) {
	t.Setenv("WEBD_LOG", "1")
	file, _ := startWebd(t)
	st, _ := pidfile.Look(file)
	for _, when := range []string{"always", "late"} {
		if err := os.WriteFile(file+".nolog", []byte(when), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, said := upgradeVerb(t, file); status != 1 || !strings.Contains(said, "all goes on as before: ") ||
			!strings.Contains(said, "no room") || strings.Contains(said, "could not take over") != (when == "late") {
			t.Errorf("%s: status %d, %q", when, status, said)
		}
		os.Remove(file + ".nolog")
		if c, err := daemon.Query(file, 0); err != nil || c.State != daemon.Running || c.PID != st.PID {
			t.Fatalf("%s: %v, %v", when, c, err)
		}
	}
	if status, said := upgradeVerb(t, file); status != 0 {
		t.Errorf("status %d, %q", status, said)
	}
}

const wordsOfSave = 400 // less than what a log keeps

// promises L1, U1: no line of the log is lost in an upgrade, the last ones of the program before included, but that it
// is told
func TestUpgradeWritesTheLog(t *testing.T) {
	t.Setenv("WEBD_LOG", "1")
	t.Setenv("WEBD_SAVES", "words")
	file, _ := startWebd(t)
	const times = 10
	for range times {
		if status, said := upgradeVerb(t, file); status != 0 {
			t.Fatalf("status %d, %q", status, said)
		}
	}
	text, err := os.ReadFile(file + ".log")
	told := strings.Contains(string(text), "log messages of the program before are lost") // as a slow machine may have it
	if n := strings.Count(string(text), "saving"); n != times*wordsOfSave && !told || err != nil {
		t.Errorf("of %d lines there are %d, %v", times*wordsOfSave, n, err)
	}
}

// promise A1: an Inherited that nobody has inherited, as of a test, holds nothing, and is refused by Run
func TestInheritedOfNobody(t *testing.T) {
	i := &daemon.Inherited{State: json.RawMessage(`{}`)}
	var none *daemon.Inherited
	if i.File("http") != nil || i.PIDFile() != "" || none.File("http") != nil || none.PIDFile() != "" {
		t.Error("it holds something")
	}
	d := daemon.Daemon{Inherited: i}
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "Inherit") {
		t.Errorf("Run: %v", err)
	}
}

// promise A1: no threads are none, as with Daemon.Threads
func TestNoThreads(*testing.T) { daemon.MakeThreads(-1) }
