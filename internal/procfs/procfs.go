//go:build unix

// Package procfs reads what the kernel tells of processes.
package procfs

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Stat reads /proc/PID/stat, proc_pid_stat(5): the name, which may contain anything, and the words behind it, of which
// the first is field 3, and there are 29 at least.
func Stat(pid int) (name string, words []string, err error) {
	text, err := Page("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", nil, err
	}
	open, shut := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open >= 0 && shut > open {
		name, words = text[open+1:shut], strings.Fields(text[shut+1:])
	}
	if len(words) < 29 {
		return "", nil, fmt.Errorf("/proc/%d/stat: %d words", pid, len(words))
	}
	return name, words, nil
}

// Page reads a file of the kernel's that is never longer than a page. os.ReadFile asks the kernel three times as much:
// the runtime would have its poller watch the file, and a thread is woken for that.
func Page(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var page [4096]byte
	n, err := unix.Read(fd, page[:])
	return string(page[:max(n, 0)]), err
}
