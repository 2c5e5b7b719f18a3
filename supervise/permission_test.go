package supervise

import (
	"testing"
	"time"
)

// promise G1: what a gate has given, and when the program has to be dead
func TestPermission(t *testing.T) {
	const s = time.Second
	type at struct {
		now  time.Duration
		what string // line, end, look
		lost string // then
		left time.Duration
	}
	for name, c := range map[string]struct {
		renew, timeout time.Duration
		steps          []at
	}{
		"a gate without renewals is silent for as long as it likes": {0, 5 * s, []at{
			{1 * s, "line", "", -1}, {1000 * s, "look", "", -1}, {2000 * s, "end", "killed by SIGKILL", 5 * s}}},
		"silence before the first line is waiting": {4 * s, 1 * s, []at{
			{0, "look", "", -1}, {1000 * s, "look", "", -1}, {1001 * s, "line", "", 4 * s}}},
		"silence after it is a loss, from when it has been too long": {4 * s, 5 * s, []at{
			{10 * s, "line", "", 4 * s}, {13 * s, "line", "", 4 * s}, {17 * s, "look", "", 0},
			{18 * s, "look", "it has been silent for more than 4s", 4 * s},
			{22 * s, "look", "it has been silent for more than 4s", 0}}},
		"who wakes up later than that has no time left": {4 * s, 5 * s, []at{
			{10 * s, "line", "", 4 * s}, {3600 * s, "look", "it has been silent for more than 4s", 0}}},
		"what was said meanwhile comes too late": {4 * s, 5 * s, []at{
			{10 * s, "line", "", 4 * s}, {15 * s, "line", "it has been silent for more than 4s", 4 * s}}},
		"so does the end": {4 * s, 5 * s, []at{
			{10 * s, "line", "", 4 * s}, {100 * s, "end", "it has been silent for more than 4s", 0}}},
		"lost is lost": {4 * s, 5 * s, []at{
			{10 * s, "line", "", 4 * s}, {11 * s, "end", "killed by SIGKILL", 5 * s},
			{12 * s, "line", "killed by SIGKILL", 4 * s}}},
		"a gate may end before it has said anything": {4 * s, 5 * s, []at{{3 * s, "end", "killed by SIGKILL", 5 * s}}},
	} {
		p := permission{renew: c.renew, timeout: c.timeout}
		for _, step := range c.steps {
			switch step.what {
			case "line":
				p.line(step.now)
			case "end":
				p.end(step.now, "killed by SIGKILL")
			default:
				p.look(step.now)
			}
			left, ok := p.left(step.now)
			if !ok {
				left = -1
			} else if p.lost == "" {
				left-- // it looks just after
			}
			if p.lost != step.lost || left != step.left {
				t.Errorf("%s: at %v: lost %q, %v left; want %q, %v", name, step.now, p.lost, left, step.lost, step.left)
			}
		}
	}
}
