package supervise_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// beNotifier is a program with sd_notify(3) that does what it is told by lines on the FIFO ORDERS.
func beNotifier(fifo string) int {
	tell := func(what string, pid int) {
		f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err == nil {
			fmt.Fprintln(f, what, pid)
			f.Close()
		}
	}
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(s, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")})
	}
	if err != nil {
		tell(strings.ReplaceAll(err.Error(), " ", "-"), 0)
		return 2
	}
	// with sends n descriptors along, and returns when all of them have been closed at the other end.
	with := func(n int, message string) {
		r, w, _ := os.Pipe()
		fds := slices.Repeat([]int{int(w.Fd())}, n)
		if err := unix.Sendmsg(s, []byte(message), unix.UnixRights(fds...), nil, 0); err != nil {
			tell(strings.ReplaceAll(err.Error(), " ", "-"), 0)
		}
		w.Close()
		r.Read(make([]byte, 1))
		r.Close()
	}
	orders, err := os.OpenFile(os.Getenv("ORDERS"), os.O_RDWR, 0)
	if err != nil {
		return 2
	}
	tell(os.Getenv("NAME"), os.Getpid())
	for lines := bufio.NewReader(orders); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return 2
		}
		what, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, message, _ := strings.Cut(rest, " ")
		number, _ := strconv.Atoi(n)
		if text, err := strconv.Unquote(rest); err == nil {
			rest = text
		}
		if text, err := strconv.Unquote(message); err == nil {
			message = text
		}
		switch what {
		case "say": // and wait until it has been heard
			unix.Write(s, []byte(rest))
			with(1, "BARRIER=1")
			tell("said", 0)
		case "with":
			with(number, message)
			tell("closed", 0)
		case "flood": // for ever
			for {
				unix.Write(s, []byte("WATCHDOG=1"))
			}
		case "child", "daemon": // another like this, in the same session or in one of its own
			c := exec.Command("/proc/self/exe")
			c.Env = append(os.Environ(), "NAME="+what, "ORDERS="+os.Getenv("ORDERS")+"2")
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: what == "daemon"}
			if err := c.Start(); err == nil {
				go c.Wait()
			}
		case "catch": // signals, and tell of them
			got := make(chan os.Signal, 9)
			signal.Notify(got, unix.SIGTERM, unix.SIGHUP)
			go func() {
				for sig := range got {
					tell(unix.SignalName(sig.(unix.Signal)), 0)
				}
			}()
			tell("caught", 0)
		case "exit":
			return number
		}
	}
}

// notifier is a world with such a program, a.
type notifier struct {
	*world
	program     supervise.Program
	pid         int
	first, next *os.File // orders for it, and for what it starts
}

func newNotifier(t *testing.T, change ...func(*supervise.Program)) *notifier {
	t.Helper()
	n := &notifier{world: newWorld(t, supervise.Options{})}
	path := n.fifo + ".go"
	for file, f := range map[string]**os.File{path: &n.first, path + "2": &n.next} {
		err := unix.Mkfifo(file, 0o666)
		if err == nil {
			*f, err = os.OpenFile(file, os.O_RDWR, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*f).Close() })
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n.program = supervise.Program{Name: "a", Command: []string{exe},
		Ready:       &supervise.Ready{Notify: true, Timeout: time.Hour},
		Environment: map[string]string{"FIFO": n.fifo, "ORDERS": path, "NAME": "a", "SUPERVISE_ROLE": "notifier"},
		StopTimeout: time.Hour}
	for _, f := range change {
		f(&n.program)
	}
	n.apply(n.program)
	n.pid = n.expect("a")
	return n
}

func (n *notifier) order(format string, args ...any) { fmt.Fprintf(n.first, format+"\n", args...) }

// say has it send a message, and returns its status once that has been heard.
func (n *notifier) say(message string) supervise.Status {
	n.t.Helper()
	n.order("say %q", message)
	n.expect("said")
	return n.set.Status()[0]
}

// promise C7: the end of a program that says more than is heard in time holds nothing up
func TestNotifyFlood(t *testing.T) {
	for range 20 {
		n := newNotifier(t)
		n.say("READY=1")
		n.order("flood")
		for range 10 {
			n.set.Status()
		}
		unix.Kill(n.pid, unix.SIGKILL)
		n.expect("a")
		if err := n.stop(20 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
}

// promise C7: STATUS= is shown, whatever it holds, until there is another process;
// and it is there when a barrier is over
func TestNotifyStatus(t *testing.T) {
	n := newNotifier(t)
	for message, want := range map[string]string{
		"STATUS=loading, 10 %":                      "loading, 10 %",
		"X_OWN=1\nSTATUS=one\nSTATUS=two\n":         "one",
		"STATUS=\x1b[31mred\a \u202eback\r\ttab":    "?[31mred? ?back? tab",
		"STATUS=\xff\xfe":                           "??",
		"STATUS= Größe ":                            "Größe",
		"STATUS=" + strings.Repeat("ä", 1000):       strings.Repeat("ä", 256),
		"STATUS=" + strings.Repeat("too long", 999): "before",
		"STATUS=a\x00b":                             "before",
		"status=x\n\n=\nREADY\nREADY=0\nMAINPID=\n": "before",
		"STATUS=": "",
	} {
		n.say("STATUS=before")
		if st := n.say(message); st.Text != want || st.State != "starting" {
			t.Errorf("%.40q: %+v", message, st)
		}
	}
	for i := range 100 {
		if st := n.say(fmt.Sprint("STATUS=", i)); st.Text != fmt.Sprint(i) {
			t.Fatalf("after %d: %q", i, st.Text)
		}
	}
	for _, c := range []struct{ message, state, text string }{
		{"READY=1\nSTATUS=serving", "up", "serving"},
		{"RELOADING=1\nMONOTONIC_USEC=1", "up", "reloading: serving"},
		{"READY=1", "up", "serving"},
		{"STOPPING=1\nSTATUS=", "up", "stopping"},
		{"READY=1", "up", "stopping"},
		{"STATUS=farewell", "up", "stopping: farewell"},
	} {
		if st := n.say(c.message); st.State != c.state || st.Text != c.text {
			t.Errorf("%q: %+v", c.message, st)
		}
	}
	n.order("exit 0")
	n.expect("a")
	if st := n.set.Status()[0]; st.Text != "" {
		t.Errorf("the next process says %q", st.Text)
	}
	n.say("STATUS=last words")
	n.order("exit 1")
	n.logged("restarting in 1s")
	if st := n.set.Status()[0]; st.State != "backoff" || st.Text != "last words" {
		t.Errorf("after its end: %+v", st)
	}
}

// promise C7: MAINPID is believed when it is a process of the program's own; that gets the reload signal, and is heard
func TestNotifyMain(t *testing.T) {
	n := newNotifier(t, func(p *supervise.Program) { p.ReloadSignal = unix.SIGHUP })
	stranger := exec.Command("sleep", "1000")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stranger.Process.Kill(); stranger.Wait() })
	n.say("READY=1")
	for _, pid := range []int{1, os.Getpid(), stranger.Process.Pid, 0, -1, -n.pid, 1 << 30, n.pid} {
		if st := n.say(fmt.Sprint("MAINPID=", pid)); st.MainPID != 0 {
			t.Errorf("MAINPID=%d: %d", pid, st.MainPID)
		}
	}
	for _, what := range []string{"child", "daemon"} {
		n.order(what)
		pid := n.expect(what)
		t.Cleanup(func() { unix.Kill(pid, unix.SIGKILL) })
		fmt.Fprintf(n.next, "say %q\n", "STATUS="+what)
		n.expect("said")
		if own := n.set.Status()[0].Text == what; own != (what == "child") {
			t.Errorf("before it is the main one, a %s says %q", what, n.set.Status()[0].Text)
		}
		if st := n.say(fmt.Sprint("MAINPID=", pid)); st.MainPID != pid || st.PID != n.pid {
			t.Fatalf("%s %d: %+v", what, pid, st)
		}
		fmt.Fprintf(n.next, "say %q\n", "STATUS="+what)
		n.expect("said")
		if got := n.set.Status()[0].Text; got != what {
			t.Errorf("the main one, a %s, says %q", what, got)
		}
		fmt.Fprintln(n.next, "catch")
		n.expect("caught")
		changed := n.program
		changed.Environment = maps.Clone(changed.Environment)
		changed.Environment["CHANGED"] = what
		n.apply(changed)
		n.expect("SIGHUP")
		unix.Kill(pid, unix.SIGKILL)
		gone(t, pid)
		if st := n.set.Status()[0]; st.MainPID != 0 || st.State != "up" || st.PID != n.pid {
			t.Errorf("when it has ended: %+v", st)
		}
	}
}

// promise C7: who says that it stops is not looked after any more, but for its end
func TestNotifyStopping(t *testing.T) {
	n := newNotifier(t, func(p *supervise.Program) {
		p.Check = &supervise.Check{Command: []string{"/bin/sh", "-c", `! [ -e "$FIFO.ill" ]`}, Every: time.Millisecond,
			Timeout: time.Hour}
		p.Ready.Watchdog = time.Hour
		p.StopTimeout = 300 * time.Millisecond
	})
	n.say("READY=1")
	n.say("STOPPING=1\nWATCHDOG_USEC=1")
	if err := os.WriteFile(n.fifo+".ill", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if line := n.logged(": stopping it"); !strings.Contains(line, "not ended since its STOPPING=1") {
		t.Error(line)
	}
}

// promise C7: the watchdog as the program asks for it
func TestNotifyWatchdog(t *testing.T) {
	t.Run("trigger", func(t *testing.T) {
		n := newNotifier(t)
		n.order("say %q", "WATCHDOG=trigger")
		n.logged("program a: it has asked for it by WATCHDOG=trigger: stopping it")
		gone(t, n.pid)
	})
	t.Run("another time", func(t *testing.T) {
		n := newNotifier(t)
		n.order("say %q", "READY=1\nWATCHDOG_USEC=1000")
		n.logged("program a: no WATCHDOG=1 for 1ms: stopping it")
	})
	t.Run("none any more", func(t *testing.T) {
		n := newNotifier(t, func(p *supervise.Program) { p.Ready.Watchdog = time.Hour })
		n.say("WATCHDOG_USEC=0")
		n.say("READY=1")
		n.say("WATCHDOG=1")
		n.order("say %q", "WATCHDOG=trigger")
		n.logged("WATCHDOG=trigger")
	})
}

// promises C7, T1: whoever asks for more time when it is to end gets no more than the whole stop has
func TestNotifyExtendWithinStop(t *testing.T) {
	n := newNotifier(t)
	n.order("catch")
	n.expect("caught")
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- n.set.Stop(ctx) }()
	n.expect("SIGTERM")
	n.say("EXTEND_TIMEOUT_USEC=36000000000")
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	gone(t, n.pid)
}

// promise C7: of the descriptors that a message brings none is kept, however many they are and whatever it says
func TestNotifyDescriptors(t *testing.T) {
	n := newNotifier(t)
	count := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(open)
	}
	n.say("READY=1")
	before := count()
	for range 20 {
		for _, files := range []int{1, 2, 3, 253} {
			for _, message := range []string{"FDSTORE=1\nFDNAME=x", "BARRIER=1", "READY=1", "", strings.Repeat("x", 9000)} {
				n.order("with %d %q", files, message)
				n.expect("closed")
			}
		}
	}
	if st := n.say("STATUS=well"); st.Text != "well" {
		t.Errorf("%+v", st)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}
