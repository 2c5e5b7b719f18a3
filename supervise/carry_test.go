package supervise

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise U1: of what is kept the latest goes on, so much that the pause is short
func TestCarryIsBounded(t *testing.T) {
	from := newReader(&Set{}, nil)
	from.kept.limit(256 << 20)
	much, little := &Sink{program: "much"}, &Sink{program: "little"}
	text := bytes.Repeat([]byte("x"), 8<<10-8)
	for i := range 10_000 {
		from.keep(much,
			&Line{Program: "much", PID: 7, Time: time.Unix(1, int64(i)), Text: fmt.Appendf(nil, "%08d%s", i, text)})
	}
	for i := range 10 {
		from.keep(little, &Line{Program: "little", PID: 8, Stderr: true, Text: fmt.Append(nil, i)})
	}
	much.kept.lines, much.kept.dropped = 12_000, 5
	s := &setState{Sinks: make([]sinkState, 3)}
	fd, err := from.carry(s, map[*Sink]int{much: 0, {}: 1, little: 2})
	if err != nil || fd == 0 {
		t.Fatal(fd, err)
	}
	defer unix.Close(fd)
	s.Kept = fd
	if n := s.Sinks[0].Kept.Records + s.Sinks[2].Kept.Records; n > mostCarried || n < mostCarried-1<<20 {
		t.Errorf("%d bytes go on", n)
	}
	to := newReader(&Set{}, nil)
	to.kept.limit(256 << 20)
	much2, none, little2 := &Sink{program: "much"}, &Sink{program: "none"}, &Sink{program: "little"}
	if err := to.keepOn(s, []*Sink{much2, none, little2}); err != nil {
		t.Fatal(err)
	}
	if k := much2.kept; k == nil || k.lines != 12_000 || k.dropped != 5 || none.kept != nil {
		t.Errorf("the counts are %+v", k)
	}
	for sink, last := range map[*Sink]string{much2: "00009999", little2: "9"} {
		lines := linesOf(sink.program, sink.kept.last(math.MaxInt))
		if len(lines) == 0 || !bytes.HasPrefix(lines[len(lines)-1].Text, []byte(last)) {
			t.Errorf("%s: %d lines, and the last is not %s", sink.program, len(lines), last)
		}
		for i := 1; i < len(lines); i++ {
			if lines[i].N != lines[i-1].N+1 {
				t.Fatalf("%s: line %d follows line %d", sink.program, lines[i].N, lines[i-1].N)
			}
		}
	}
	less := newReader(&Set{}, nil) // with less memory than was carried
	less.kept.limit(64 << 10)
	few := &Sink{program: "much"}
	if err := less.keepOn(s, []*Sink{few}); err != nil {
		t.Fatal(err)
	}
	if lines := linesOf("much", few.kept.last(1)); len(lines) != 1 || !bytes.HasPrefix(lines[0].Text, []byte("00009999")) {
		t.Errorf("%d lines", len(lines))
	}
	for _, records := range []int{s.Sinks[0].Kept.Records - 1, math.MaxInt32} {
		s.Sinks[0].Kept.Records = records
		if err := newReader(&Set{}, nil).keepOn(s, []*Sink{{program: "much"}}); err == nil {
			t.Errorf("%d bytes are believed", records)
		}
	}
}
