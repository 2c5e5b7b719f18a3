//go:build linux

package daemon

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
)

// image is all of a Daemon that travels to the program that takes over, in a sealed memfd(2). Fields are only ever
// added; a program passes over those that it does not know. Descriptors go by their numbers; -1 is none. State stands
// behind it, as it is: within, each end would read it once more for nothing, in the pause.
type image struct {
	Version    int               `json:"version"`
	PID        int               `json:"pid"`
	From       string            `json:"from"`           // the version of the program that has written this
	Began      time.Duration     `json:"began"`          // the pause, since the boot
	Comm       string            `json:"comm,omitempty"` // the name of the process, which the exec takes away
	Old        int               `json:"old"`            // the program that has written this
	PIDFile    string            `json:"pidfile,omitempty"`
	Stale      bool              `json:"stale,omitempty"`
	Lock       int               `json:"lock"`
	Witness    int               `json:"witness"`
	Socket     [2]int            `json:"socket"`
	Systemd    string            `json:"systemd,omitempty"`
	Score      string            `json:"score,omitempty"`    // for children
	Watchdog   time.Duration     `json:"watchdog,omitempty"` // the period of systemd's
	Background bool              `json:"background,omitempty"`
	Unwritten  bool              `json:"unwritten,omitempty"` // some of the log
	Word       int               `json:"word"`                // the crash file
	Passed     []passedState     `json:"passed,omitempty"`    // in their order
	Asked      *control.Deferred `json:"asked,omitempty"`     // who waits for an answer
	Files      map[string]int    `json:"files,omitempty"`
	Idle       []int             `json:"idle,omitempty"` // to be closed, when there is time: the kernel takes its own for that
	// Descriptors are those that State tells of.
	Descriptors []int           `json:"descriptors,omitempty"`
	Behind      int             `json:"behind,omitempty"` // the length of State there
	State       json.RawMessage `json:"state,omitempty"`  // only programs of before have it here
}

// passedState is one of [Daemon.Passed].
type passedState struct {
	FD   int    `json:"fd"`
	Name string `json:"name"`
}

const imageVersion = 1

// longestImage bounds what is read of one.
const longestImage = 256 << 20

func (x *image) descriptors() []int {
	fds := []int{x.Old, x.Lock, x.Witness, x.Word, x.Socket[0], x.Socket[1]}
	if x.Asked != nil {
		fds = append(fds, x.Asked.FD)
	}
	for _, fd := range x.Files {
		fds = append(fds, fd)
	}
	for _, f := range x.Passed {
		fds = append(fds, f.FD)
	}
	fds = slices.Concat(fds, x.Idle, x.Descriptors)
	return slices.DeleteFunc(fds, func(fd int) bool { return fd < 0 })
}

// closeIdle keeps nobody waiting.
func (x *image) closeIdle() {
	if idle := x.Idle; len(idle) > 0 {
		x.Idle = nil
		go func() {
			for _, fd := range idle {
				unix.Close(fd)
			}
		}()
	}
}

// write returns the descriptor of a sealed memfd with x.
func (x *image) write() (fd int, err error) {
	first := *x
	first.State, first.Behind = nil, len(x.State)
	text, err := json.Marshal(&first)
	if err != nil {
		return -1, fmt.Errorf("write down the state: %w", err)
	}
	return sealed(text, x.State)
}

func sealed(texts ...[]byte) (fd int, err error) {
	fd, err = unix.MemfdCreate("upgrade", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, fmt.Errorf("memory for the state: %w", err)
	}
	for _, text := range texts {
		for err == nil && len(text) > 0 {
			var n int
			if n, err = unix.Write(fd, text); errors.Is(err, unix.EINTR) {
				err = nil
			}
			text = text[max(0, n):]
		}
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS,
			unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("write down the state: %w", err)
	}
	return fd, nil
}

// readSealed reads what sealed has written; whatever else a descriptor may be is an error.
func readSealed(fd int) ([]byte, error) {
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if has, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || has&seals != seals {
		return nil, fmt.Errorf("descriptor %d is not sealed memory", fd)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Size > longestImage {
		return nil, fmt.Errorf("descriptor %d has %d bytes: %w", fd, st.Size, cmp.Or(err, error(unix.EFBIG)))
	}
	text := make([]byte, st.Size)
	for read := 0; read < len(text); {
		n, err := unix.Pread(fd, text[read:], int64(read))
		if n <= 0 && err != unix.EINTR {
			return nil, fmt.Errorf("descriptor %d: %w", fd, cmp.Or(err, io.ErrUnexpectedEOF))
		}
		read += max(0, n)
	}
	return text, nil
}

// decodeImage is strict in a rehearsal only.
func decodeImage(text []byte, strict bool) (*image, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if strict {
		d.DisallowUnknownFields()
	}
	x := &image{Old: -1, Lock: -1, Witness: -1, Word: -1, Socket: [2]int{-1, -1}}
	if err := d.Decode(x); err != nil {
		return nil, fmt.Errorf("state of the daemon: %w", err)
	}
	if x.Version < 1 || x.Version > imageVersion {
		return nil, fmt.Errorf("state of the daemon: it is of version %d, and known are those up to %d", x.Version,
			imageVersion)
	}
	switch behind := text[d.InputOffset():]; {
	case x.Behind == 0 && x.State != nil: // of a program of before
	case x.Behind != len(behind):
		return nil, fmt.Errorf("state of the daemon: %d bytes are behind it, and should be %d", len(behind), x.Behind)
	case x.Behind > 0:
		x.State = behind
	}
	return x, nil
}

func sinceBoot() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return time.Duration(t.Nano())
}

// comm is the name of the process, as ps(1) shows it.
func comm() string {
	b, _ := os.ReadFile("/proc/self/comm")
	return strings.TrimSuffix(string(b), "\n")
}
