package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// stubborn is a required program that never gets ready, takes no notice of TERM, and has started others like that, of
// which one has cleared its environment, and one has left its session. Each says that it is there.
const stubborn = `
[program.stubborn]
required = true
ready = "fd:3"
ready_timeout = "100s"
stop_timeout = "100s"
command = ["/bin/sh", "-c", '''
trap "" TERM
child='echo there >>$DIR/there; : $DIR/; while :; do sleep 1; done'
sh -c "$child" &
env -i sh -c "$child" &
setsid sh -c "$child" &
while :; do sleep 1; done
''']
`

// promises S2, S5: a start that takes too long leaves nobody running, also of programs that do not end when they are
// asked to, and of what those have started
func TestStartThatTakesTooLongLeavesNobody(t *testing.T) {
	for _, cgroups := range []string{"auto", "off"} {
		t.Run(cgroups, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			w.startStubborn(cgroups, "3s")
			status, stderr := w.run()
			if status != failure || !strings.HasSuffix(stderr, name+": not ready after 3s, so it was stopped\n") {
				t.Errorf("status %d, %q", status, stderr)
			}
			if w.read(filepath.Join(w.dir, "there")) != "there\nthere\nthere\n" {
				t.Log("the machine was too slow for this test to show anything")
			}
			w.nothingOfThePrograms()
		})
	}
}

// promise S2: the caller of a start that is called off, as it is when it takes too long, is told what it has waited for
func TestStartThatIsCalledOffSaysWhatItWaitsFor(t *testing.T) {
	for what, test := range map[string]struct{ config, want string }{
		"programs": {`
[program.next]
command = ["/bin/true"]
required = true
after = ["slow"]
[program.slow]
command = ["/bin/sh", "-c", "echo >$DIR/there; exec tail -n 0 -f $DIR/conf.toml"]
required = true
ready = "fd:3"
`, "keepalivedd: program next is blocked: waits for slow\n" +
			"keepalivedd: program slow is starting(: waits for .*)?\n"}, // that it runs may be news
		"startup": {`
[startup]
command = ["/bin/sh", "-c", "echo >$DIR/there; exec tail -n 0 -f $DIR/conf.toml"]
`, "keepalivedd: startup: /bin/sh: (killed|not executed) when the start was called off\n"}, // as above
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, test.config)
			over := make(chan string)
			go func() {
				_, stderr := w.run()
				over <- stderr
			}()
			w.await(filepath.Join(w.dir, "there"), "\n")
			w.daemon().signal(t, unix.SIGTERM)
			want := regexp.MustCompile("^" + test.want + "keepalivedd: it was called off before it was ready\n$")
			if got := <-over; !want.MatchString(got) {
				t.Errorf("it says\n%s", got)
			}
			w.empty()
		})
	}
}

// promises S2, T3: a copy that is killed before it is ready leaves nobody running: with the pidfile that the next start
// would find them by, those are gone that its programs have started
func TestKilledStartLeavesNobody(t *testing.T) {
	for _, cgroups := range []string{"auto", "off"} {
		t.Run(cgroups, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			w.startStubborn(cgroups, "100s")
			over := make(chan string)
			go func() {
				status, stderr := w.run()
				over <- fmt.Sprint(status, " ", stderr)
			}()
			w.await(filepath.Join(w.dir, "there"), "there\nthere\nthere\n")
			if dir, err := supervise.FindCgroup(); cgroups == "off" || err != nil || unix.Access(dir, unix.W_OK) != nil {
				w.await(sessionsFile(w.pidfile), `^[0-9]+ [0-9]+$`)
			}
			copied := w.daemon()
			copied.signal(t, unix.SIGKILL)
			if got := <-over; got != fmt.Sprint(failure, " ", name, ": it died before it was ready: signal: killed\n") {
				t.Error(got)
			}
			w.nothingOfThePrograms()
		})
	}
}

func (w *world) startStubborn(cgroups, patience string) {
	w.configure(fmt.Sprintf("start_timeout = %q\ncgroups = %q\n%s", patience, cgroups, stubborn))
	text := strings.Replace(w.read(w.conf), `shutdown_timeout = "20s"`, `shutdown_timeout = "1s"`, 1)
	if err := os.WriteFile(w.conf, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) nothingOfThePrograms() {
	w.t.Helper()
	w.empty()
	if _, err := os.Lstat(sessionsFile(w.pidfile)); err == nil {
		w.t.Errorf("%s is left", sessionsFile(w.pidfile))
	}
}
