//go:build linux

package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// door is a listener that can be left by who accepts, while nobody who has been let in is forgotten, and others wait.
type door struct {
	*net.TCPListener
	left atomic.Bool
}

func (d *door) Accept() (net.Conn, error) {
	c, err := d.TCPListener.Accept()
	if err != nil && d.left.Load() {
		return nil, net.ErrClosed
	}
	return c, err
}

// webd is a server that can be upgraded. A file beside its pidfile has it fail in that, once.
func webd(file string) int {
	d := &daemon.Daemon{Name: "webd", PIDFile: file, User: os.Getenv("WEBD_USER")}
	var ln *door
	var served chan struct{}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			time.Sleep(20 * time.Millisecond)
		case "/passed":
			for _, f := range d.Passed() {
				fmt.Fprintf(f, "of %s", f.Name())
			}
		}
		fmt.Fprint(w, os.Getpid())
	})}
	var open sync.WaitGroup // http.Server.Shutdown hangs up on who has just asked
	server.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Done()
		}
	}
	serve := func(l net.Listener) {
		ln, served = &door{TCPListener: l.(*net.TCPListener)}, make(chan struct{})
		go func() {
			defer close(served)
			server.Serve(ln)
		}()
	}
	d.Start = func(context.Context, context.CancelCauseFunc) error {
		if how, err := os.ReadFile(file + ".fails"); err == nil && d.Inherited != nil {
			os.Remove(file + ".fails")
			if string(how) == "panic" {
				panic("out of cheese")
			}
			return errors.New("there is no cheese")
		}
		if f := d.Inherited.File("http"); f != nil {
			defer f.Close()
			l, err := net.FileListener(f)
			if err == nil {
				serve(l)
			}
			return err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			serve(l)
			err = os.WriteFile(file+".address", []byte(l.Addr().String()), 0o600)
		}
		return err
	}
	d.Upgrades = daemon.Upgrades{Version: "1", Save: func(context.Context) (*daemon.Saved, error) {
		f, err := ln.File()
		if err != nil {
			return nil, err
		}
		ln.left.Store(true)
		ln.SetDeadline(time.Unix(1, 0))
		server.SetKeepAlivesEnabled(false)
		<-served
		open.Wait()
		return &daemon.Saved{Files: map[string]*os.File{"http": f}}, nil
	}}
	if os.Getenv("WEBD_RESUME_HANGS") != "" {
		d.Grace = time.Millisecond
		d.Upgrades.Save = func(context.Context) (*daemon.Saved, error) {
			none, err := os.Open("/")
			none.Close()
			return &daemon.Saved{Files: map[string]*os.File{"none": none}, Resume: func() {
				os.WriteFile(file+".resumes", nil, 0o600)
				select {}
			}}, err
		}
	}
	disturbed(d, file)
	savesOddly(d)
	if len(os.Args) > 1 {
		return d.Verb(os.Args[1])
	}
	if os.Getenv("WEBD_LOG") != "" {
		return d.Main(true, webdLog(file))
	}
	if os.Getenv("WEBD_FOREGROUND") == "" {
		if status, launched := d.Detach(); launched {
			return status
		}
	}
	return daemon.ExitStatus(d.Run(context.Background()))
}

// startWebd returns its pidfile and its address.
func startWebd(t *testing.T, passed ...*os.File) (file, address string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "webd.pid")
	exe, _ := os.Executable()
	// With a limit that the Go runtime raises, for itself.
	c := exec.Command("/bin/sh", "-c", `ulimit -Sn 256; LISTEN_PID=$$ LISTEN_FDNAMES=one:two exec "$0"`, exe)
	c.ExtraFiles = passed
	c.Env = append(os.Environ(), "WEBD="+file, "GORACE=atexit_sleep_ms=0", fmt.Sprintf("LISTEN_FDS=%d", len(passed)))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if p, err := pidfile.Find(file); err == nil {
			p.Signal(unix.SIGKILL)
			p.Wait(time.Minute)
			p.Close()
		}
	})
	b, _ := os.ReadFile(file + ".address")
	return file, string(b)
}

// upgradeVerb has the daemon upgraded as its administrator does.
func upgradeVerb(t *testing.T, file string) (status int, said string) {
	t.Helper()
	exe, _ := os.Executable()
	c := exec.Command(exe, "upgrade")
	c.Env = append(os.Environ(), "WEBD="+file, "GORACE=atexit_sleep_ms=0")
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// promises A1, U1: a daemon of one's own drops no connection: no error in 10,000 requests over ten upgrades
func TestUpgradeUnderLoad(t *testing.T) {
	file, address := startWebd(t)
	st, err := pidfile.Look(file)
	if err != nil {
		t.Fatal(err)
	}
	const workers = 8
	requests := 1250
	if testing.Short() {
		requests = 100
	}
	var asking sync.WaitGroup
	var done, failed atomic.Int64
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	for n := range workers {
		asking.Go(func() {
			path := "/"
			if n == 0 {
				path = "/slow"
			}
			for range requests {
				r, err := client.Get("http://" + address + path)
				if err == nil {
					var b []byte
					if b, err = io.ReadAll(r.Body); err == nil && string(b) != fmt.Sprint(st.PID) {
						err = fmt.Errorf("it says %q", b)
					}
					r.Body.Close()
				}
				if err != nil && failed.Add(1) < 10 {
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	for i := range 10 {
		for done.Load() < int64(i*workers*requests/12) {
			time.Sleep(time.Millisecond)
		}
		if v, err := daemon.AskUpgrade(file, "", false, 0); err != nil || v.Before != "1" || v.After != "1" || v.Pause <= 0 {
			t.Fatalf("upgrade %d: %+v, %v", i+1, v, err)
		}
	}
	asking.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), done.Load())
	}
	if now, err := pidfile.Look(file); err != nil || now != st {
		t.Errorf("it was %+v, and is %+v, %v", st, now, err)
	}
	if b, _ := os.ReadFile(file); string(b) != fmt.Sprintf("%d\n", st.PID) {
		t.Errorf("the pidfile says %q", b)
	}
}

// promise U2: a Start that fails in the program that takes over leads back to the one before
func TestUpgradeReturns(t *testing.T) {
	for _, how := range []string{"error", "panic"} {
		t.Run(how, func(t *testing.T) {
			file, address := startWebd(t)
			st, _ := pidfile.Look(file)
			os.WriteFile(file+".fails", []byte(how), 0o600)
			if status, said := upgradeVerb(t, file); status != 1 ||
				!strings.HasPrefix(said, "webd: not upgraded, all goes on as before: ") || !strings.Contains(said, "cheese") {
				t.Errorf("upgrade: status %d, %q", status, said)
			}
			os.WriteFile(file+".fails", []byte(how), 0o600)
			v, err := daemon.AskUpgrade(file, "", false, 0)
			var refused *daemon.UpgradeError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "cheese") {
				t.Fatalf("%+v, %v", v, err)
			}
			r, err := http.Get("http://" + address)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if b, _ := io.ReadAll(r.Body); string(b) != fmt.Sprint(st.PID) {
				t.Errorf("it says %q", b)
			}
			if v, err = daemon.AskUpgrade(file, "", true, 0); err != nil || v.After != "1" {
				t.Errorf("a dry run: %+v, %v", v, err)
			}
			if status, said := upgradeVerb(t, file); status != 0 || !strings.HasPrefix(said, "upgraded from 1 to 1, in ") {
				t.Errorf("upgrade: status %d, %q", status, said)
			}
		})
	}
}

// stopInAnUpgrade asks webd for an upgrade, and for its end once it has come so far in it that the file of this name
// is beside its pidfile.
func stopInAnUpgrade(t *testing.T, file, far string) (p *pidfile.Process, asked chan error) {
	t.Helper()
	p, err := pidfile.Find(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	asked = make(chan error, 1)
	go func() {
		_, err := daemon.AskUpgrade(file, "", false, 0)
		asked <- err
	}()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(file + "." + far); err == nil {
			break
		}
	}
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return p, asked
}

// promises T2, U2: a Resume that hangs keeps no stop from being heard
func TestUpgradeThatCannotResume(t *testing.T) {
	t.Setenv("WEBD_RESUME_HANGS", "1")
	file, _ := startWebd(t)
	p, asked := stopInAnUpgrade(t, file, "resumes")
	if !p.Wait(time.Minute) {
		t.Error("it goes on")
	}
	if err := <-asked; err == nil {
		t.Error("it was upgraded")
	}
}

// promise U2: where there is no daemon, none is upgraded
func TestUpgradeUnknown(t *testing.T) {
	dir := t.TempDir()
	if _, err := daemon.AskUpgrade(filepath.Join(dir, "none.pid"), "", false, 0); !errors.Is(err, pidfile.ErrNotRunning) {
		t.Errorf("nobody: %v", err)
	}
}

// promise U1: descriptors that were passed and are not taken yet go on, and so does the file for a last word
func TestUpgradeCarries(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	file, address := startWebd(t, w, w)
	w.Close()
	crash := daemon.CrashFile(file)
	before, err := os.Stat(crash)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := daemon.AskUpgrade(file, "", false, 0); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := http.Get("http://" + address + "/passed")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	const want = "of oneof two"
	said := make([]byte, len(want))
	if _, err := io.ReadFull(r, said); err != nil || string(said) != want {
		t.Errorf("it has written %q, %v", said, err)
	}
	if after, err := os.Stat(crash); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file for a last word is another: %v", err)
	}
	p, err := pidfile.Find(file)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Signal(unix.SIGQUIT)
	if !p.Wait(time.Minute) {
		t.Fatal("QUIT does not end it")
	}
	if text, err := os.ReadFile(crash); err != nil || !strings.Contains(string(text), "SIGQUIT") {
		t.Errorf("its last word is %q, %v", text, err)
	}
}
