package supervise

import "time"

// Backoff is how long a program that died waits before it is started again: not at all, then Min, twice that and so on
// up to Max. A process that has lived for ResetAfter makes it begin anew. Zero fields mean keepalived's rule: 1 s, 60 s
// and 60 s, and never giving up.
type Backoff struct {
	Min, Max, ResetAfter time.Duration
}

// orDefault makes of nil and of zero fields what they mean.
func (p *Backoff) orDefault() (b Backoff) {
	if p != nil {
		b = *p
	}
	if b.Min == 0 {
		b.Min = time.Second
	}
	if b.Max == 0 {
		b.Max = time.Minute
	}
	if b.ResetAfter == 0 {
		b.ResetAfter = time.Minute
	}
	return b
}

// delay returns the wait before restart number n in a row, counted from 0.
func (b Backoff) delay(n int) time.Duration {
	if n == 0 {
		return 0
	}
	d := b.Min
	for range n - 1 {
		if d >= b.Max {
			break
		}
		d *= 2
	}
	return min(d, b.Max)
}

// jitter varies d, above a second, by up to a tenth either way, so that programs which died together do not come back
// together for ever; r is random in [0, 1).
func jitter(d time.Duration, r float64) time.Duration {
	if d <= time.Second {
		return d
	}
	return d + time.Duration((r-0.5)*0.2*float64(d))
}
