package main

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
)

// issue 7.C: what is said before the log is open is a sentence for the caller, and no line of a log.
func TestCaller(t *testing.T) {
	var said bytes.Buffer
	log := slog.New(caller{&said})
	log.Warn("no second witness", "path", "/run/x", "err", errors.New("uid 7 has taken its name"))
	log.Warn("replacing a pidfile", "path", "/run/x", "uid", 7)
	log.Info("it is as it was")
	log.Debug("not for the caller")
	want := "keepalivedd: warning: no second witness (path /run/x): uid 7 has taken its name\n" +
		"keepalivedd: warning: replacing a pidfile (path /run/x, uid 7)\n" +
		"keepalivedd: it is as it was\n"
	if got := said.String(); got != want {
		t.Errorf("it said\n%swant\n%s", got, want)
	}
}
