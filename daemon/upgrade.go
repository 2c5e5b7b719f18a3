//go:build linux

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/signals"
)

const (
	slowestRehearsal = 10 * time.Second
	slowestSave      = 30 * time.Second
)

var errNoUpgrade = errors.New("it cannot be upgraded in place: restart it")

// Upgrade replaces this program by the one in the file binary; "": the file that it was started from. The process stays
// the same, with its PID, its children, its pidfile and control socket, and what Upgrades.Save returns. First the new
// program is run as a child, with the arguments of this one, to say within 10 s whether it can take over. With dryRun
// that is all. When it fails in the midst of taking over, this program is executed again, and goes on.
//
// It may be called from any goroutine, but that of a hook, which it would wait for. It does not return when it has
// succeeded; an error is an *[UpgradeError], or that of ctx, or says that the daemon does not run, or stops.
func (d *Daemon) Upgrade(ctx context.Context, binary string, dryRun bool) (Upgraded, error) {
	p := d.public.Load()
	if p == nil {
		return Upgraded{}, errors.New("the daemon does not run")
	}
	file, err := openBinary(binary)
	if err != nil {
		return Upgraded{}, &UpgradeError{err.Error()}
	}
	defer file.Close()
	u := &upgrading{ctx: ctx, binary: file, dry: dryRun, verdict: make(chan upgraded, 1)}
	select {
	case p.upgrades <- u:
	case <-p.over:
		return Upgraded{}, errStopping
	case <-ctx.Done():
		return Upgraded{}, ctx.Err()
	}
	v := <-u.verdict
	return v.Upgraded, v.err
}

// upgrading is an upgrade that is asked for.
type upgrading struct {
	ctx     context.Context // of a control.Method; or another
	binary  *os.File
	dry     bool
	verdict chan upgraded
}

type upgraded struct {
	Upgraded
	err error
}

// openBinary holds on to the file: what is looked at is what is executed, whatever the path has come to name.
func openBinary(path string) (*os.File, error) {
	if path == "" {
		self, err := os.Readlink("/proc/self/exe")
		if err != nil {
			return nil, err
		}
		path = strings.TrimSuffix(self, " (deleted)")
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (r *run) answerUpgrade(ctx context.Context, raw json.RawMessage) (any, error) {
	var p upgradeParams
	if err := control.Params(raw, &p); err != nil {
		return nil, err
	}
	v, err := r.Upgrade(ctx, p.Binary, p.DryRun)
	if err != nil {
		return nil, refusedUpgrade(err)
	}
	return v, nil
}

func refusedUpgrade(err error) error {
	var told *control.Error
	if errors.As(err, &told) {
		return told
	}
	return &control.Error{Code: control.CodeRefused, Message: err.Error()}
}

// upgrade is the loop's part.
func (r *run) upgrade(u *upgrading) (v upgraded) {
	refuse := func(err error) upgraded {
		if r.life.Err() != nil {
			r.log().Info("upgrade called off by the stop", "program", u.binary.Name(), "err", err)
			return upgraded{v.Upgraded, errStopping}
		}
		r.log().Error("upgrade refused, everything goes on as before", "program", u.binary.Name(), "err", err)
		return upgraded{v.Upgraded, &UpgradeError{err.Error()}}
	}
	if r.Upgrades.Save == nil {
		return refuse(errNoUpgrade)
	}
	v.Before = r.Upgrades.Version
	err := r.hook(func(ctx context.Context) (err error) {
		v.After, err = r.rehearse(ctx, u.binary)
		return err
	})
	switch {
	case err != nil:
		return refuse(err)
	case u.dry:
		return v
	}
	r.log().Info("upgrading", "program", u.binary.Name(), "from", v.Before, "to", v.After)
	r.notify(reloading())
	x := &image{Version: imageVersion, PID: os.Getpid(), From: v.Before, Began: sinceBoot(), Comm: comm(),
		Background: r.background(), Systemd: string(r.systemd), Score: string(r.score.started), Watchdog: r.period,
		Lock: -1, Witness: -1, Word: -1, Socket: [2]int{-1, -1}}
	var left, saved *Saved
	err = r.hook(func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, slowestSave)
		defer cancel()
		if left, err = r.Upgrades.Save(ctx); left == nil {
			left = &Saved{}
		}
		if err == nil {
			x.Unwritten = !r.writeLog(ctx)
		}
		return err
	})
	if !errors.Is(err, errHung) { // else it may be written yet
		saved = left
	}
	if err == nil {
		err = r.become(u, saved, x) // which does not return
	}
	if saved != nil && saved.Resume != nil {
		if e := r.hook(func(context.Context) error { saved.Resume(); return nil }); e != nil {
			r.log().Error("after the upgrade that was refused not everything goes on", "err", e)
		}
	}
	r.notify("READY=1")
	v = refuse(err)
	if x.Asked != nil {
		x.Asked.Answer(nil, refusedUpgrade(v.err))
	}
	return v
}

// writeLog has what was logged be written, as far as that can be had: a log keeps nobody waiting.
func (r *run) writeLog(ctx context.Context) bool {
	if r.flush == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return r.flush(ctx) == nil
}

// become executes the new program. When it returns, everything but what was saved is as it was.
func (r *run) become(u *upgrading, saved *Saved, x *image) (err error) {
	if r.life.Err() != nil {
		return errAsked
	}
	if err := r.pack(x, saved); err != nil {
		return err
	}
	old, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("hold on to this program: %w", err)
	}
	defer unix.Close(old)
	x.Old = old
	defer x.closeIdle()
	idle := func(fd int) {
		if fd >= 0 {
			x.Idle = append(x.Idle, fd)
		}
	}
	if r.file != nil {
		x.PIDFile, x.Stale = r.file.Path(), r.crashed
		idle(r.file.EndWatch())
		fds, err := r.file.Suspend()
		defer func() {
			if err := r.file.Resume(r.log()); err != nil {
				r.log().Error("the pidfile says that the daemon is starting", "err", err)
			}
		}()
		if err != nil {
			return err
		}
		x.Lock, x.Witness = fds[0], fds[1]
	}
	if d, err := control.Defer(u.ctx); err == nil {
		x.Asked = d
	}
	if server := r.server.Load(); server != nil {
		idle(server.EndWatch())
		if x.Socket, err = server.Handover(); err != nil {
			return err
		}
		defer func() { r.take(x.Socket) }()
	}
	document, err := x.write()
	if err != nil {
		return err
	}
	defer unix.Close(document)
	r.onThread(func() { err = r.execute(int(u.binary.Fd()), document, x) })
	return err
}

// pack puts into x what was saved, what the caller has passed on, and the file for a last word.
func (r *run) pack(x *image, saved *Saved) (err error) {
	x.State, x.Descriptors, x.Files = saved.State, saved.Descriptors, map[string]int{}
	for name, file := range saved.Files {
		if x.Files[name], err = numberOf(file); err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
	}
	for _, file := range r.passed {
		fd, err := numberOf(file)
		if err != nil {
			return fmt.Errorf("file %s: %w", file.Name(), err)
		}
		x.Passed = append(x.Passed, passedState{fd, file.Name()})
	}
	if r.word != nil {
		if x.Word, err = numberOf(r.word.file); err != nil {
			return fmt.Errorf("file %s: %w", r.word.path, err)
		}
	}
	return nil
}

// numberOf is that of the descriptor of a file. [os.File.Fd] would have the description block that others may share.
func numberOf(file *os.File) (n int, err error) {
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { n = int(fd) })
	}
	return n, err
}

// execute is the last step. From the moment on at which signals would be lost they are not caught any more: HUP and INT
// are ignored, and TERM is deadly.
func (r *run) execute(binary, document int, x *image) error {
	settle()
	quiet(r.release)
	var owed owed
	if len(r.requests.Reload) > 0 {
		owed = owesReload
	}
	defer func() {
		r.requests, r.release = signals.Notify()
		unquiet()
		r.owesReload = owed == owesReload
	}()
	select {
	case sig := <-r.requests.Stop:
		r.log().Info("stopping", "signal", signals.Name(sig.(unix.Signal)))
		r.fail(errAsked)
		return errAsked
	default:
	}
	return execute(binary, r.arguments(), append(x.descriptors(), document),
		[]string{fmt.Sprintf("%s=%d", successor, document), owes + "=" + string(owed)})
}

// arguments are those of the program that takes over.
func (r *run) arguments() []string {
	if r.Upgrades.Args == nil {
		return os.Args
	}
	return append([]string{os.Args[0]}, r.Upgrades.Args...)
}

func (r *run) onThread(f func()) {
	if r.Upgrades.Thread != nil {
		r.Upgrades.Thread(f)
		return
	}
	f()
}

// background says that this process was detached from its caller, here or in a program before.
func (r *run) background() bool {
	return r.copy != nil || r.Daemon.Inherited != nil && r.Daemon.Inherited.image.Background
}
