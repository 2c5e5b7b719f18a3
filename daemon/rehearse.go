//go:build linux

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// rehearsal is the environment variable of a program that is only to say whether it could take over, on descriptor 4,
// from the image on descriptor 3.
const (
	rehearsal        = "_DAEMON_REHEARSAL"
	rehearsalImage   = 3
	rehearsalVerdict = 4
)

// verdictOf is what such a program says when it could.
type verdictOf struct {
	CanTakeOver bool   `json:"can_take_over"`
	Version     string `json:"version"`
}

// rehearse runs the program that is to take over, and returns its version.
func (r *run) rehearse(ctx context.Context, binary *os.File) (version string, err error) {
	x := &image{Version: imageVersion, PID: os.Getpid(), From: r.Upgrades.Version,
		Old: -1, Lock: -1, Witness: -1, Word: -1, Socket: [2]int{-1, -1}}
	if r.file != nil {
		x.PIDFile = r.file.Path() // as in the image of the upgrade itself
	}
	if r.Upgrades.State != nil {
		if x.State, err = r.Upgrades.State(ctx); err != nil {
			return "", err
		}
	}
	document, err := x.write()
	if err != nil {
		return "", err
	}
	defer unix.Close(document)
	// In the child nothing is put over the program's number: the others are lower, or higher.
	program, err := unix.FcntlInt(binary.Fd(), unix.F_DUPFD_CLOEXEC, 10)
	if err != nil {
		return "", fmt.Errorf("hold on to %s: %w", binary.Name(), err)
	}
	defer unix.Close(program)
	fd, err := unix.FcntlInt(uintptr(document), unix.F_DUPFD_CLOEXEC, program+1)
	if err != nil {
		return "", fmt.Errorf("pass on the state: %w", err)
	}
	state := os.NewFile(uintptr(fd), "state")
	defer state.Close()
	say, err := newHearing()
	if err != nil {
		return "", err
	}
	defer say.close()
	words, err := newHearing()
	if err != nil {
		return "", err
	}
	defer words.close()

	ctx, cancel := context.WithTimeout(ctx, slowestRehearsal)
	defer cancel()
	c := exec.CommandContext(ctx, fmt.Sprintf("/proc/self/fd/%d", program)) // as it will be executed: no script
	args := r.arguments()
	c.Args = slices.Concat(args[:1], r.Upgrades.Flags, args[1:])
	c.Env = append(os.Environ(), rehearsal+"=1")
	c.Stdout, c.Stderr = words.w, words.w
	c.ExtraFiles = []*os.File{state, say.w}
	command := r.Upgrades.Command
	if command == nil {
		command = r.runCommand
	}
	err = command(ctx, c)
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.Canceled) {
		return "", fmt.Errorf("%s: it has not said within %v that it can take over", binary.Name(), slowestRehearsal)
	}
	if version, err = judge(err, words.end(), say.end()); err != nil {
		return "", fmt.Errorf("%s: %w", binary.Name(), err)
	}
	return version, nil
}

// judge returns the version of a program that can take over, or why it cannot: by how its rehearsal has ended, what it
// has written, and its verdict.
func judge(ended error, wrote, verdict []byte) (version string, err error) {
	var v verdictOf
	if wrong := json.Unmarshal(verdict, &v); ended == nil && wrong == nil && v.CanTakeOver {
		return v.Version, nil
	}
	why := strings.TrimSpace(string(wrote))
	switch {
	case ended != nil && why == "":
		return "", explainExec(ended)
	case ended != nil:
		why = explainExec(ended).Error() + "\n" + why
	case why == "":
		why = "it has ended without a word on whether it can take over"
	}
	return "", fmt.Errorf("it cannot take over: %s", why)
}

func (d *Daemon) runCommand(_ context.Context, c *exec.Cmd) (err error) {
	d.Fork(func() { err = c.Start() })
	if err == nil {
		err = c.Wait()
	}
	return err
}

// hearing is a pipe on which somebody says a few words.
type hearing struct {
	r, w *os.File
	said chan []byte
}

// mostWords bounds them: a crash has much to say after its first lines.
const mostWords = 1 << 10

func newHearing() (*hearing, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	h := &hearing{r, w, make(chan []byte, 1)}
	go func() {
		first, _ := io.ReadAll(io.LimitReader(h.r, mostWords))
		io.Copy(io.Discard, h.r)
		h.said <- first
	}()
	return h, nil
}

// end returns what was said; whoever still has the other end is not waited for.
func (h *hearing) end() []byte {
	h.w.Close()
	h.r.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	return <-h.said
}

func (h *hearing) close() {
	h.w.Close()
	h.r.Close()
}

// rehearses says that this program is only to say whether it could take over, and has not yet.
func rehearses() bool { return os.Getenv(rehearsal) != "" }

// Rehearse says, in a program that was run to tell whether it could take over from one that runs, whether it can; is is
// false when it was not, and nothing is done. The process is to leave with the status. Detach and Run call it first of
// all: it is for programs that would do something before that.
func (d *Daemon) Rehearse() (status int, is bool) {
	if !rehearses() {
		return 0, false
	}
	os.Unsetenv(rehearsal)
	unix.CloseOnExec(rehearsalImage)
	unix.CloseOnExec(rehearsalVerdict)
	err := d.rehearse()
	if err == nil {
		var said []byte
		if said, err = json.Marshal(verdictOf{true, d.Upgrades.Version}); err == nil {
			_, err = unix.Write(rehearsalVerdict, said)
		}
	}
	if err != nil {
		d.report(err)
		return 1, true
	}
	return 0, true
}

func (d *Daemon) rehearse() error {
	text, err := readSealed(rehearsalImage)
	if err != nil {
		return err
	}
	x, err := decodeImage(text, true)
	switch {
	case err != nil:
		return err
	case d.Upgrades.Save == nil:
		return errors.New("it does not know of upgrades in place")
	case x.PIDFile != d.pidfile():
		return fmt.Errorf("pidfile: it is %s for the daemon that runs, and would be %s: restart it, or change it back",
			strconv.Quote(x.PIDFile), strconv.Quote(d.pidfile()))
	}
	if who, err := d.account(); err != nil || who != nil {
		return fmt.Errorf("user: the daemon that runs is another than %q: restart it, or change it back", d.User)
	}
	if d.Upgrades.Rehearse == nil {
		return nil
	}
	return d.Upgrades.Rehearse(x.State)
}
