// Spoold does what a daemon does that somebody has written who knows the README and nothing else: it watches a
// directory, which a configuration of one line names.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/logging"
)

func main() {
	config := flag.String("config", "/etc/spoold.conf", "names the directory")
	pidfile := flag.String("pid", "/run/spoold.pid", "pidfile")
	log := flag.String("log", "syslog", "syslog, stderr or the path of a file")
	background := flag.Bool("daemon", false, "run in the background")
	flag.Parse()
	path, err := filepath.Abs(*config)
	if err != nil {
		fmt.Fprintln(os.Stderr, "spoold:", err)
		os.Exit(1)
	}
	var watched string
	changed, ended := make(chan string), make(chan struct{})
	d := daemon.Daemon{
		Name: "spoold", PIDFile: *pidfile, Grace: 30 * time.Second,
		Start: func(ctx context.Context, fail context.CancelCauseFunc) (err error) {
			if watched, err = directory(path); err == nil {
				go watch(ctx, watched, changed, ended, fail)
			}
			return err
		},
		Reload: func(ctx context.Context) error {
			next, err := directory(path)
			if err != nil {
				return err
			}
			select {
			case changed <- next:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		Stop: func(context.Context) error { <-ended; return nil },
	}
	if verb := flag.Arg(0); verb != "" {
		os.Exit(d.Verb(verb))
	}
	os.Exit(d.Main(*background, logging.Options{To: *log, Ident: "spoold"}.Logger))
}

func watch(ctx context.Context, dir string, changed <-chan string, ended chan<- struct{},
	fail context.CancelCauseFunc) {
	defer close(ended)
	for {
		select {
		case <-ctx.Done():
			return
		case dir = <-changed:
		case <-time.After(5 * time.Millisecond):
		}
		if _, err := os.Stat(dir); err != nil {
			fail(err)
			return
		}
	}
}

func directory(config string) (string, error) {
	b, err := os.ReadFile(config)
	if err != nil {
		return "", err
	}
	dir := strings.TrimSpace(string(b))
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return "", errors.New(config + ": " + dir + " is not a directory")
	}
	return dir, nil
}
