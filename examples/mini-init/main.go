// Mini-init keeps commands running, as PID 1 of a container or below another program: each is a line of standard input.
// It needs package supervise alone.
//
//	printf '%s\n' '/usr/sbin/crond -f' '/usr/sbin/webd --port 80' | mini-init
//
// TERM or INT stops all of them, the last one first, and ends it with 0.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

func main() { os.Exit(run()) }

func run() (status int) {
	asked, release := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer release()
	programs, err := read()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mini-init:", err)
		return 1
	}
	set := supervise.New(supervise.Options{Orphans: true})
	_, err = set.Update(asked, programs)
	if err == nil {
		<-asked.Done()
	}
	bounded, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if e := set.Stop(bounded); err == nil {
		err = e
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mini-init:", err)
		return 1
	}
	return 0
}

func read() (programs []supervise.Program, err error) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		argv := strings.Fields(lines.Text())
		if len(argv) == 0 {
			continue
		}
		p := supervise.Program{Name: fmt.Sprintf("%d", len(programs)+1), Command: argv, Output: supervise.Inherit}
		if len(programs) > 0 {
			p.Order = &supervise.Order{After: []string{programs[len(programs)-1].Name}}
		}
		programs = append(programs, p)
	}
	return programs, lines.Err()
}
