package daemon

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

func (d *Daemon) log() *slog.Logger {
	if d.Log != nil {
		return d.Log
	}
	return slog.Default()
}

func (d *Daemon) name() string {
	if d.Name != "" {
		return d.Name
	}
	return filepath.Base(os.Args[0])
}

func (d *Daemon) report(err error) {
	if d.Report != nil {
		d.Report(err)
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", d.name(), err)
}

func (d *Daemon) umask() int {
	if d.NoUmask {
		return 0
	}
	return orDefault(d.Umask, 0o022)
}

func (d *Daemon) grace() time.Duration { return orDefault(d.Grace, 10*time.Second) }

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
