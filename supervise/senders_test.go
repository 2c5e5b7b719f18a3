package supervise_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// sender tells NOTIFY_SOCKET that all is ready, after BEFORE, and announces itself once the message has been taken.
const sender = `python3 -c '
import array, fcntl, os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
a = os.environ["NOTIFY_SOCKET"]
s.connect("\0" + a[1:] if a[0] == "@" else a)
exec(os.environ.get("BEFORE", ""))
s.send(b"READY=1\n")
unread = array.array("i", [1])
while unread[0]:
    fcntl.ioctl(s, 0x5411, unread) # TIOCOUTQ
open(os.environ["FIFO"], "w").write("sent %d\n" % os.getpid())
time.sleep(1000)
'`

// Readiness is the program's own to tell: any process may send to the socket's name, and only the program's session is
// listened to. What is started as root and has become another user, as named, tor and a child of squid have, is in it.
func TestNotifyFromAStranger(t *testing.T) {
	needsPython(t)
	const nobody, child = "os.setgid(65534); os.setuid(65534)", "os.fork() and time.sleep(1000)\n"
	for name, c := range map[string]struct {
		before string
		root   bool
		ready  bool
	}{
		"its own":                    {before: "", ready: true},
		"itself, as another user":    {before: nobody, root: true, ready: true},
		"its child, as another user": {before: child + nobody, root: true, ready: true},
		"another session":            {before: child + "os.setsid()"},
		"another session and user":   {before: child + "os.setsid()\n" + nobody, root: true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("needs root: it sends as another user")
			}
			w := newWorld(t, supervise.Options{})
			w.forEverybody()
			w.apply(w.program("a", "exec "+sender, func(p *supervise.Program) {
				p.Ready = &supervise.Ready{Notify: true, Timeout: time.Hour}
				p.Environment["BEFORE"] = c.before
			}))
			w.expect("sent")
			if c.ready {
				w.logged("program a: ready")
				return
			}
			for range 1000 { // the message has been read; whoever has read it gets its turn here
				if got := w.state("a"); got != "starting" {
					t.Fatalf("it is %s", got)
				}
			}
		})
	}
}

// promise C1: a life of ResetAfter ends a row of failures
func TestLongLifeEndsARow(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+`sleep 0.05; exit 1`, func(p *supervise.Program) {
		p.Backoff = &supervise.Backoff{Min: time.Hour, ResetAfter: 20 * time.Millisecond}
	}))
	for range 3 { // the second restart of a row would be an hour away
		w.expect("a")
	}
}

// promise T1: a process that is stopped, by a terminal or a debugger, still ends as it is asked to
func TestStopOfAStoppedProcess(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", `trap 'echo "farewell 0" >"$FIFO"; exit' TERM; `+announce+`while :; do kill -STOP $$; done`,
		func(p *supervise.Program) { p.StopTimeout = 5 * time.Second }))
	pid := w.expect("a")
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	w.apply()
	w.logged("program a: stopped")
	w.expect("farewell")
}

// promise T1: who has more time to end than all have together, and is killed for that, is named
func TestKilledForWantOfTimeIsNamed(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", stubborn, func(p *supervise.Program) { p.StopTimeout = time.Hour }))
	pid := w.expect("a")
	if err := w.stop(time.Millisecond); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
	w.logged("program a: still runs, and there is no more time to stop: killed")
}
