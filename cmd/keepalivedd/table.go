package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// pageWidth is what the table and the details fit into.
const pageWidth = 80

// longestName is what is left of them beside the other pageWidth.
const longestName = 33

// table is a line for each program, and the words that say what is not as it should be below it.
func table(a *state, loads []load, paint painter) []string {
	if len(a.Programs) == 0 {
		return nil
	}
	across := len("NAME")
	for i := range a.Programs {
		if n := cells(plain(a.Programs[i].Name)); n <= longestName {
			across = max(across, n)
		}
	}
	lines := make([]string, 0, 2*len(a.Programs)+2)
	lines = append(lines, "",
		fmt.Sprintf("%-*s %-8s %7s %6s %8s %5s %6s", across, "NAME", "STATE", "PID", "UP FOR", "RESTARTS", "CPU%", "MEMORY"))
	for i := range a.Programs {
		p := &a.Programs[i]
		called, pid, up := plain(p.Name), "-", "-"
		if cells(called) > longestName {
			lines = append(lines, called)
			called = ""
		}
		if p.PID != 0 {
			pid, up = strconv.Itoa(p.PID), short(a.Time.Sub(p.Started))
		}
		lines = append(lines, fmt.Sprintf("%-*s %s %7s %6s %8d %5s %6s", across, called, paint.state(p.State, 8), pid, up,
			p.restarts(), loads[i], memory(p.MemoryBytes)))
		lines = append(lines, below(p.words(a.Time))...)
	}
	return lines
}

func (p *programState) restarts() int { return max(0, p.Starts-1) }

// words say what is not as it should be; nothing, if nothing is.
func (p *programState) words(now time.Time) string {
	words := plain(p.Why)
	if p.well() {
		return words
	}
	if words == "" {
		words = plain(p.Last)
	}
	if p.Text != "" {
		words = strings.TrimPrefix(words+"; ", "; ") + "it says: " + plain(p.Text)
	}
	if !p.Next.IsZero() {
		words = strings.TrimPrefix(words+"; ", "; ") + "again in " + short(p.Next.Sub(now))
	}
	return words
}

// below is words in lines below a program, each indented.
func below(words string) []string {
	const margin = "    "
	lines := broken(words, pageWidth-len(margin))
	for i := range lines {
		lines[i] = margin + lines[i]
	}
	return lines
}

// broken is words in lines of so many cells. A word that is longer is not cut.
func broken(words string, room int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(words) {
		if line != "" && cells(line)+1+cells(word) > room {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// short is a time in its two greatest units, at most six letters.
func short(d time.Duration) string {
	d = max(0, d)
	const day = 24 * time.Hour
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d < 100*day:
		return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// memory is a size in at most six letters.
func memory(bytes *int64) string {
	if bytes == nil {
		return "-"
	}
	size := float64(*bytes) / 1024
	for _, unit := range []string{"K", "M", "G", "T"} {
		switch {
		case size < 10:
			return fmt.Sprintf("%.1f%s", size, unit)
		case size < 1023.5:
			return fmt.Sprintf("%.0f%s", size, unit)
		}
		size /= 1024
	}
	return fmt.Sprintf("%.0fP", size)
}

// legible is plain for a line of output, in which a tab may stand.
func legible(s string) string {
	words := strings.Split(s, "\t")
	for i := range words {
		words[i] = plain(words[i])
	}
	return strings.Join(words, "\t")
}

// plain is s as it may stand on a terminal: what is no letter is shown by its number, so that it can move nothing,
// colour nothing and pass for nothing else.
func plain(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteString(s[:n])
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}
