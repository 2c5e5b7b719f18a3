package logging

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// forgeries are lines with which a program might pass for another, or for the daemon.
var forgeries = map[string]string{
	"plain":                               "plain",
	"a\tb":                                "a\tb",
	"\r2026-11-23T10:00:00 ERROR ready":   `\r2026-11-23T10:00:00 ERROR ready`,
	"x\n<3>Nov 23 10:00:00 su[1]: root":   `x\n<3>Nov 23 10:00:00 su[1]: root`,
	"\x1b[31mred\x1b[0m \x1b]0;title\a":   `\x1b[31mred\x1b[0m \x1b]0;title\a`,
	"nul\x00 bro\xffken \u202e \u2028":    `nul\x00 bro\xffken \u202e \u2028`,
	"\u009b31m\x7f\x08\x08\x08\x08\x08ok": `\u009b31m\x7f\b\b\b\b\bok`,
	"":                                    "",
}

// promise L3: a line of a program stands under its name, and can pass for nothing else
func TestSaid(t *testing.T) {
	for text, want := range forgeries {
		for layout, head := range map[layout]string{
			bare: "", dated: "2026-11-23T10:00:00.000+01:00 WARN web:1[42]: ", console: "10:00:00.000 warn  web:1[42]: ",
			coloured: "10:00:00.000 \x1b[33mwarn\x1b[0m  " + nameColour("web:1") + "web:1[42]:\x1b[0m ",
		} {
			if layout != bare {
				want += "\n"
			}
			if got := string(layout.said(noon, "web:1", 42, slog.LevelWarn, []byte(text))); got != head+want {
				t.Errorf("%v: %q, want %q", layout, got, head+want)
			}
			want = strings.TrimSuffix(want, "\n")
		}
	}
	long := string(dated.said(noon, "web", 1, slog.LevelInfo, []byte(strings.Repeat("\x1b", 8<<10))))
	if len(long) > maxLine+1 || !strings.HasSuffix(long, cutMark+"\n") {
		t.Errorf("%d bytes: %q", len(long), long[max(0, len(long)-50):])
	}
}

// promise L3: syslog has the program's name and PID for a tag, and the severity tells where it was written
func TestSayToSyslog(t *testing.T) {
	f := newFakeSyslogd(t)
	f.start()
	o := toSyslog
	o.Level = slog.LevelError // of our own
	l := mustOpen(t, o, f.system())
	defer l.Close()
	read := func() string {
		t.Helper()
		b := make([]byte, 64<<10)
		f.conn.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := f.conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	for text, want := range forgeries {
		l.Say("web:1", 42, slog.LevelInfo, []byte(text))
		got := read()
		if head, said, _ := strings.Cut(got, ": "); !strings.HasPrefix(head, "<30>") ||
			!strings.HasSuffix(head, " web/1[42]") || said != want+"\n" {
			t.Errorf("%q, want %q", got, want)
		}
	}
	l.Say("web", 7, slog.LevelWarn, []byte("oh"))
	l.Logger().Error("ours")
	for _, want := range [][2]string{{"<28>", " web[7]: oh\n"}, {"<27>", fmt.Sprintf(" tag[%d]: ours\n", os.Getpid())}} {
		if got := read(); !strings.HasPrefix(got, want[0]) || !strings.HasSuffix(got, want[1]) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// promise L3, C6: who floods takes no room from the daemon's own messages; what is not taken is told of in its place,
// and counted
func TestFloodLeavesRoom(t *testing.T) {
	sys := host()
	hung, begun := make(chan struct{}), make(chan struct{}, 1)
	var written strings.Builder
	sys.put = func(_ int, p []byte) (int, error) {
		select {
		case begun <- struct{}{}:
		default:
		}
		<-hung
		return written.Write(p)
	}
	l, err := open(Options{To: "stderr"}, sys)
	if err != nil {
		t.Fatal(err)
	}
	log := l.Logger()
	log.Info("first")
	<-begun
	refused := 0
	for i := range maxRecords {
		if !l.Say("web", 1, slog.LevelInfo, fmt.Append(nil, "line ", i)) {
			refused++
		}
	}
	for i := range maxRecords/2 - 10 {
		log.Info("ours", "i", i)
	}
	if l.Say("web", 1, slog.LevelInfo, []byte("late")) {
		t.Error("a late line was taken")
	}
	if want := maxRecords / 2; refused != want || l.Dropped() != uint64(want)+1 {
		t.Errorf("%d were refused, and %d counted, want %d", refused, l.Dropped(), want)
	}
	close(hung)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	text := written.String()
	if n := strings.Count(text, "INFO ours i="); n != maxRecords/2-10 {
		t.Errorf("%d of our own messages", n)
	}
	at := strings.Index(text, fmt.Sprintf("WARN %d log messages lost\n", refused))
	if at < strings.Index(text, fmt.Sprintf("web[1]: line %d\n", maxRecords-refused-1)) ||
		at > strings.Index(text, "INFO ours i=0\n") {
		t.Errorf("the loss is told of elsewhere: at %d", at)
	}
	if !strings.HasSuffix(text, "WARN 1 log messages lost\n") {
		t.Errorf("it ends with %q", text[len(text)-100:])
	}
}
