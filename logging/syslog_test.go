package logging

import (
	"errors"
	"fmt"
	"log/slog"
	"log/syslog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var toSyslog = Options{To: "syslog", Ident: "tag"}

// Whoever listens is found, behind a socket that is missing and one that was left behind, for datagrams or for a
// stream.
func TestSyslogdIsFound(t *testing.T) {
	for _, network := range []string{"unixgram", "unix"} {
		dir := newFakeSyslogd(t).path
		missing, left, listening := dir+"missing", dir+"left", dir+"listening"
		for _, path := range []string{left, listening} {
			kind := map[string]int{"unixgram": unix.SOCK_DGRAM, "unix": unix.SOCK_STREAM}[network]
			fd, err := unix.Socket(unix.AF_UNIX, kind, 0)
			if err == nil {
				err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
			}
			if err != nil {
				t.Fatal(err)
			}
			if path == left {
				unix.Close(fd)
				continue
			}
			defer unix.Close(fd)
			unix.Listen(fd, 1) // which one for datagrams cannot
		}
		conn, err := dialSyslogd([]string{missing, left, listening})
		if err != nil {
			t.Errorf("%s: %v", network, err)
			continue
		}
		peer, err := unix.Getpeername(int(conn.Fd()))
		if at, _ := peer.(*unix.SockaddrUnix); err != nil || at.Name != listening {
			t.Errorf("%s: connected to %v, %v", network, peer, err)
		}
		conn.Close()
		if conn, err := dialSyslogd([]string{missing, left}); err == nil {
			conn.Close()
			t.Errorf("%s: somebody was found where nobody is", network)
		}
	}
}

// A tag ends at a colon: the number of an instance comes after a slash. // issue 8.7
func TestSyslogTagOfInstance(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	l := mustOpen(t, Options{To: "syslog", Ident: "worker:12"}, f.system())
	l.Logger().Info("m")
	b := make([]byte, 1024)
	f.conn.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := f.conn.Read(b)
	if want := fmt.Sprintf(" worker/12[%d]: m\n", os.Getpid()); err != nil || !strings.HasSuffix(string(b[:n]), want) {
		t.Errorf("got %q, %v, want %q at its end", b[:n], err, want)
	}
}

// promise L2
func TestSyslogSeverity(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	o := toSyslog
	o.Level = slog.LevelDebug - 4
	o.Facility = syslog.LOG_LOCAL3
	l := mustOpen(t, o, f.system())
	for level, severity := range map[slog.Level]syslog.Priority{
		slog.LevelDebug - 4: syslog.LOG_DEBUG,
		slog.LevelDebug:     syslog.LOG_DEBUG,
		slog.LevelInfo - 1:  syslog.LOG_DEBUG,
		slog.LevelInfo:      syslog.LOG_INFO,
		slog.LevelInfo + 2:  syslog.LOG_INFO,
		slog.LevelWarn:      syslog.LOG_WARNING,
		slog.LevelError - 1: syslog.LOG_WARNING,
		slog.LevelError:     syslog.LOG_ERR,
		slog.LevelError + 3: syslog.LOG_ERR,
		slog.LevelError + 4: syslog.LOG_CRIT,
		slog.LevelError + 8: syslog.LOG_CRIT,
	} {
		l.Logger().Log(t.Context(), level, "it's here", "a", "b\nc")
		pri, text := f.read()
		if want := int(syslog.LOG_LOCAL3 | severity); pri != want || text != `it's here a="b\nc"` {
			t.Errorf("%v: <%d>%q, want <%d>", level, pri, text, want)
		}
	}
	mustClose(t, l)
}

func TestSyslogDefaults(t *testing.T) {
	got, err := syslogTarget(Options{To: "syslog"})
	if want := (target{to: "syslog", ident: filepath.Base(os.Args[0]), facility: syslog.LOG_DAEMON}); err != nil ||
		got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

// promise L1
func TestSyslogHungThenDrained(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	l := mustOpen(t, toSyslog, f.system())
	const total = 5 * maxRecords
	for i := range total {
		l.Logger().Info("m", "n", i) // returns: nobody reads yet
	}
	if lost := f.account(total); lost == 0 || lost > total-maxRecords/2 {
		t.Errorf("%d of %d lost", lost, total)
	}
	mustClose(t, l)
}

// promise L1
func TestSyslogHungAtClose(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	sys := f.system()
	sys.flush = time.Millisecond
	l := mustOpen(t, toSyslog, sys)
	s := l.output.Load().sink
	for range maxRecords / 2 {
		l.Logger().Info("m")
	}
	err := l.Close()
	if err == nil || !strings.HasSuffix(err.Error(), " log messages lost") {
		t.Errorf("Close: %v", err)
	}
	f.stop() // lets go of the goroutine
	<-s.done
}

// promise L1
func TestSyslogHungThenReplaced(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	l := mustOpen(t, toSyslog, f.system())
	for range 100 {
		l.Logger().Info("stuck")
	}
	f.stop()
	f.start()
	l.Logger().Info("last")
	for text := ""; text != "last"; {
		_, text = f.read()
	}
	mustClose(t, l)
}

// promise L1
func TestSyslogAbsentThenThere(t *testing.T) {
	f := newFakeSyslogd(t)
	l := mustOpen(t, toSyslog, f.system())
	l.Logger().Info("early")
	<-f.failed
	f.start()
	l.Logger().Info("first after")
	f.want("early")
	f.want("first after")
	mustClose(t, l)
}

// promise L1
func TestSyslogAbsentForLong(t *testing.T) {
	f := newFakeSyslogd(t)
	l := mustOpen(t, toSyslog, f.system())
	const total = 3 * maxRecords
	for i := range total - 1 {
		l.Logger().Info("m", "n", i)
	}
	<-f.failed
	f.start()
	l.Logger().Info("m", "n", total-1)
	if lost := f.account(total); lost == 0 {
		t.Error("nothing was lost: the queue has no bound")
	}
	mustClose(t, l)
}

// promise L1
func TestSyslogAbsentAtClose(t *testing.T) {
	f := newFakeSyslogd(t)
	sys := f.system()
	sys.retry = time.Hour // Close must not wait for it
	l := mustOpen(t, toSyslog, sys)
	l.Logger().Info("one")
	l.Logger().Info("two")
	if err := l.Close(); err == nil || err.Error() != "2 log messages lost" {
		t.Errorf("Close: %v", err)
	}
}

// promise L1
func TestSyslogRestarted(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	l := mustOpen(t, toSyslog, f.system())
	l.Logger().Info("before")
	f.want("before")
	f.stop()
	f.start()
	l.Logger().Info("after")
	f.want("after")
	f.stop()
	l.Logger().Info("between")
	<-f.failed
	f.start()
	l.Logger().Info("again")
	f.want("between")
	f.want("again")
	mustClose(t, l)
}

func TestSyslogTooLongForDatagram(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	l := mustOpen(t, toSyslog, f.system())
	l.Logger().Info(strings.Repeat("x", 1<<20))
	if _, text := f.read(); len(text) != maxLine || !strings.HasSuffix(text, cutMark) {
		t.Errorf("%d bytes, ending in %q", len(text), text[len(text)-10:])
	}
	mustClose(t, l)
}

func TestSyslogSaysHowLate(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	l := mustOpen(t, toSyslog, f.system())
	r := slog.NewRecord(time.Now().Add(-time.Hour), slog.LevelInfo, "old", 0)
	l.Logger().Handler().Handle(t.Context(), r)
	f.want("old delayed=1h0m0s")
	mustClose(t, l)
}

// promise L1
func TestSwitchKeepsSyslogAndItsQueue(t *testing.T) {
	f := newFakeSyslogd(t)
	l := mustOpen(t, toSyslog, f.system())
	l.Logger().Debug("below the level")
	l.Logger().Info("queued")
	<-f.failed
	o := toSyslog
	o.Level = slog.LevelDebug
	l.Switch(mustPrepare(t, l, o))
	f.start()
	l.Logger().Debug("more")
	f.want("queued")
	f.want("more")
	mustClose(t, l)
}

// promise L1
func TestSwitchFromHungSyslogTellsLosses(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	sys := f.system()
	sys.flush = time.Millisecond
	l := mustOpen(t, toSyslog, sys)
	for range maxRecords / 2 {
		l.Logger().Info("m")
	}
	old := l.output.Load().sink
	path := filepath.Join(t.TempDir(), "log")
	l.Switch(mustPrepare(t, l, Options{To: path}))
	<-old.finished
	l.system.flush = time.Minute // of the file there is no hurry
	l.Logger().Info("in the file")
	mustClose(t, l)
	got := lines(t, path)
	if len(got) != 2 || !strings.HasPrefix(got[0], "WARN ") || !strings.HasSuffix(got[0], " log messages lost") ||
		got[1] != "INFO in the file" {
		t.Errorf("%q", got)
	}
	f.stop()
	<-old.done
}

func TestSyslogAttemptsAreSpaced(t *testing.T) {
	f := newFakeSyslogd(t)
	sys := f.system()
	sys.retry = time.Hour
	dials := 0 // read after the goroutine has ended
	sys.dial = func() (*os.File, error) {
		dials++
		f.failed <- struct{}{}
		return nil, errors.New("absent")
	}
	l := mustOpen(t, toSyslog, sys)
	s := l.output.Load().sink
	l.Logger().Info("m")
	<-f.failed
	for range 10 {
		l.Logger().Info("m")
	}
	go func() {
		for range f.failed {
		}
	}()
	// promise L1: a stop is not held up by what nobody takes
	if err := l.Close(); err == nil || err.Error() != "11 log messages lost" {
		t.Errorf("%v", err)
	}
	<-s.done
	close(f.failed)
	if dials != 1 { // the end comes within the hour. // issue 12.2
		t.Errorf("%d attempts", dials)
	}
}
