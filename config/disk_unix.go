//go:build linux || darwin

package config

import (
	"io/fs"
	"os"
	"syscall"
)

const (
	fileFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY
	dirFlags  = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_DIRECTORY
)

func idOf(_ string, info fs.FileInfo) ID {
	st := info.Sys().(*syscall.Stat_t)
	return [2]uint64{uint64(st.Dev), st.Ino}
}
