package supervise

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Line is what a program has written of a line: all of it, or, of one that is longer, up to 8 KiB, and the next piece
// is another Line.
type Line struct {
	N       uint64 // those of all programs are numbered in their order
	Program string
	PID     int       // of the process that the Set has started, though another may have written it; 0: it never ran
	Time    time.Time // when it was read
	Stderr  bool
	Text    []byte // without its newline, and otherwise as it was written
}

// mostKept is what is kept in all, unless Keep says something else.
const mostKept = 4 << 20

// Keep bounds the memory for the last lines of all programs together, which is 4 MiB at first. It is taken as it is
// needed; when it is all taken, those who have the most of it give way. 0 keeps nothing.
func (s *Set) Keep(bytes int) {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	s.reader.kept.limit(bytes)
}

// Lines returns, in their order, the last lines that are kept of the programs that of says yes to: so many lines, and
// of so many bytes of text, at most. Those of a program are kept until it is removed, or writes to elsewhere. now is
// called at the moment that the answer is of: Options.Line has been called for all that is in it, and is called for
// what follows. It must not wait.
func (s *Set) Lines(of func(program string) bool, lines, bytes int, now func()) []Line {
	type copied struct {
		program string
		records []byte
	}
	var copies []copied
	r := s.reader
	r.mu.Lock()
	for _, k := range r.kept.rings {
		if k.used > 0 && lines > 0 && of(k.program) {
			copies = append(copies, copied{k.program, k.last(lines)})
		}
	}
	now()
	r.mu.Unlock()

	var all []*Line
	for _, c := range copies {
		some := linesOf(c.program, c.records)
		for i := range some {
			all = append(all, &some[i])
		}
	}
	slices.SortFunc(all, func(a, b *Line) int { return cmp.Compare(a.N, b.N) })
	first := max(0, len(all)-lines)
	for i := len(all) - 1; i >= first; i-- {
		if bytes -= len(all[i].Text); bytes < 0 {
			first = i + 1
		}
	}
	last := make([]Line, 0, len(all)-first)
	for _, line := range all[first:] {
		last = append(last, *line)
		last[len(last)-1].Text = slices.Clone(line.Text) // the rest is not to be held by it
	}
	return last
}

// keep is called for each line that is read, with the reader's lock. What has come from a program that has gone, or of
// an output that it had before, is nobody's.
func (r *reader) keep(s *Sink, line *Line) {
	g := &r.kept
	k := r.keptOf(s)
	if k == nil {
		return
	}
	g.n++
	line.N = g.n
	g.keep(k, line)
	if g.hear != nil {
		g.hear(line)
	}
}

// keptOf is what is kept of the program whose sink it is; nil: nothing is any more.
func (r *reader) keptOf(s *Sink) *kept {
	if s.kept == nil && !s.closing && s.program != "" {
		s.kept = &kept{program: s.program}
		r.kept.rings = append(r.kept.rings, s.kept)
	}
	return s.kept
}

// forget gives back what is kept of a program that has gone.
func (r *reader) forget(k *kept) {
	if k == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept.resize(k, 0)
	r.kept.rings = slices.DeleteFunc(r.kept.rings, func(other *kept) bool { return other == k })
}

// What is told of the last lines of a process, in a message of its end.
const (
	mostWords   = 3
	longestWord = 200 // bytes, of a line
)

// lastWords are the last lines of the process that p had last, as they were written but for their length.
func (l *loop) lastWords(p *program) (words []string) {
	if p.sink == nil || p.ran == 0 {
		return nil
	}
	l.reader.mu.Lock()
	defer l.reader.mu.Unlock()
	if p.sink.kept == nil {
		return nil
	}
	lines := linesOf(p.spec.Name, p.sink.kept.last(mostWords))
	for i := range lines {
		if line := &lines[i]; line.PID == int(p.ran) {
			words = append(words, shortened(string(line.Text)))
		}
	}
	return words
}

func shortened(text string) string {
	if len(text) <= longestWord {
		return text
	}
	n := longestWord
	for n > longestWord-utf8.UTFMax && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}

// itSaid is that for a message.
func (l *loop) itSaid(p *program) []any {
	words := l.lastWords(p)
	if len(words) == 0 {
		return nil
	}
	return []any{"output", strings.Join(words, "\n")}
}

// output tells the counts of p.
func (l *loop) output(p *program, st *Status) {
	if p.sink == nil {
		return
	}
	l.reader.mu.Lock()
	defer l.reader.mu.Unlock()
	if k := p.sink.kept; k != nil {
		st.OutputLines, st.OutputDropped = k.lines, p.sink.dropped()
	}
}

// readableLines are lines in which all that is no letter, mark or the like is shown by its number.
func readableLines(lines []string) string {
	var b strings.Builder
	for i, text := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		for len(text) > 0 {
			r, n := utf8.DecodeRuneInString(text)
			if unicode.IsPrint(r) && r != utf8.RuneError || r == '\t' {
				b.WriteString(text[:n])
			} else {
				quoted := strconv.Quote(text[:n])
				b.WriteString(quoted[1 : len(quoted)-1])
			}
			text = text[n:]
		}
	}
	return b.String()
}
