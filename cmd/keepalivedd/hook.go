package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/keepalivedd/keepalivedd/config"
)

// runHook runs a command of the daemon itself to its end. It fails with the last that the command wrote.
func runHook(ctx context.Context, what string, h *config.Hook) error {
	if h == nil {
		return nil
	}
	runtime.LockOSThread() // its death signal comes when the thread that started it ends
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	var out bytes.Buffer
	c := exec.CommandContext(ctx, h.Command[0], h.Command[1:]...)
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	c.Dir = "/"
	c.Stdout, c.Stderr = &out, &out
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second // for a grandchild that keeps the output
	err := c.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("killed after %v", h.Timeout)
	}
	if err == nil {
		return nil
	}
	wrote := bytes.TrimSpace(out.Bytes())
	if len(wrote) == 0 {
		return fmt.Errorf("%s: %s: %w", what, h.Command[0], err)
	}
	return fmt.Errorf("%s: %s: %w; it wrote:\n%s", what, h.Command[0], err, wrote[max(0, len(wrote)-1024):])
}
