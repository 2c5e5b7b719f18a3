//go:build linux

package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Of what a copy says, this much is looked through for its reason; and a reason is no longer than what goes through a
// pipe in one piece, so that nothing else comes in between.
const mostKept, longestReason = 64 << 10, 2 << 10

// heard is what the launcher has heard from the copy: text, which the caller has had, and a reason, which it has not.
type heard struct {
	text, reason []byte
	inReason     bool
}

// hear takes in what the copy has written, and returns what of it is text for the caller.
func (h *heard) hear(said []byte) (text []byte, ready bool) {
	for len(said) > 0 && !ready {
		i := bytes.IndexAny(said, string([]byte{verdict, because}))
		part := said
		if i >= 0 {
			part = said[:i]
		}
		if h.inReason {
			h.reason = append(h.reason, part...)
		} else {
			text = append(text, part...)
		}
		if i < 0 {
			break
		}
		ready = said[i] == verdict
		h.inReason = !h.inReason && !ready
		said = said[i+1:]
	}
	h.text = append(h.text, text[:min(len(text), mostKept-len(h.text))]...)
	return text, ready
}

// untold is the reason, unless the copy has told the caller as much in its own way. One that has said nothing at all
// has left from within a hook.
func (h *heard) untold(status int) error {
	if len(h.reason)+len(h.text) == 0 {
		return fmt.Errorf("it ended with status %d before it was ready, and did not say why", status)
	}
	for line := range strings.Lines(string(h.reason)) {
		if !bytes.Contains(h.text, []byte(strings.TrimSpace(line))) {
			return errors.New(string(h.reason))
		}
	}
	return nil
}

// explain tells the launcher why the daemon will not be ready: whoever has called Run may log that where the caller
// does not see it.
func (c *backgroundCopy) explain(err error) {
	if c == nil || err == nil || c.told.Load() {
		return
	}
	text := strings.ReplaceAll(strings.ReplaceAll(err.Error(), string(rune(verdict)), ""), string(rune(because)), "")
	text = text[:min(len(text), longestReason)]
	c.launcher.Write([]byte(string(rune(because)) + text + string(rune(because))))
}
