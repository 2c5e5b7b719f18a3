package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func (o *options) noReadyFD() error {
	return fmt.Errorf("--ready-fd %d: it takes -n, and an open descriptor from 3 on", o.readyFD)
}

// lacksReadyFD is for a start: whoever takes over has nothing to tell there any more.
func (o *options) lacksReadyFD() error {
	if o.readyFD == 0 {
		return nil
	}
	if _, err := unix.FcntlInt(uintptr(o.readyFD), unix.F_GETFD, 0); err != nil {
		return o.noReadyFD()
	}
	return nil
}
