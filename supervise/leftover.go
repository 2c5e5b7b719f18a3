package supervise

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// EndLeftovers kills, and waits for, what a Set with the same Options.Mark has left behind when its process was killed:
// the children died with it, but not what these had started. It returns their PIDs. Call it before New, and only when
// nobody else can have a Set of that mark. This process and its parent, which a program of the dead Set may have started,
// are spared.
func EndLeftovers(mark string) (pids []int) {
	procs, _ := os.ReadDir("/proc")
	for _, e := range procs {
		f := "/proc/" + e.Name() + "/environ"
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || pid == os.Getppid() || !marked(f, mark) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if marked(f, mark) { // still the same process, and the descriptor holds it
			if unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil {
				pids = append(pids, pid)
				awaitEnd(fd, 5*time.Second)
			}
		}
		unix.Close(fd)
	}
	return pids
}

func awaitEnd(pidfd int, limit time.Duration) {
	for end := time.Now().Add(limit); ; {
		left := time.Until(end)
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(max(0, left).Milliseconds())); n > 0 || left <= 0 || err != nil && err != unix.EINTR {
			return
		}
	}
}

func marked(environ, mark string) bool {
	b, err := os.ReadFile(environ)
	return err == nil && bytes.Contains(append([]byte{0}, b...), []byte("\x00"+mark+"\x00"))
}
