//go:build linux

package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The measures of the chart. Its colours stand out on white and on black, and shapes tell the same as they do.
const (
	left, right, top, line = 214.0, 26.0, 70.0, 30.0
	width                  = 960.0
	grey                   = "#7a838c"
)

var marks = map[string]struct{ colour, shape string }{
	"go-floor":         {grey, "bar"},
	"c-floor":          {"#a0703c", "bar"},
	"keepalivedd":      {"#2f81f7", "disc"},
	"keepalivedd-bare": {"#2f81f7", "ring"},
	"keepalived":       {"#d1602b", "square"},
	"go-daemon":        {"#8f5bd6", "down"},
	"runit":            {"#2e9d5a", "diamond"},
	"s6":               {"#c23b78", "up"},
	"supervisord":      {"#a88400", "cross"},
}

// chart is the first half of the table, on a logarithmic scale: a mark for each median, and a line from p10 to p90.
func (t *table) chart() string {
	var rows []figure
	low, high := 1.0, 1.0
	for _, f := range ratios {
		base, p := t.base(f)
		if p == nil || base <= 0 {
			continue
		}
		rows = append(rows, f)
		for _, p := range t.peers {
			if v := t.cells[cell{f, p}]; len(v) > 0 {
				low, high = min(low, quantile(v, 0.1)/base), max(high, quantile(v, 0.9)/base)
			}
		}
	}
	from := math.Floor(math.Log10(max(low, 1e-3)))
	to := math.Max(from+1, math.Ceil(math.Log10(high)))
	x := func(ratio float64) float64 {
		at := (math.Log10(max(ratio, 1e-3)) - from) / (to - from)
		return math.Round(10*(left+at*(width-left-right))) / 10
	}
	bottom := top + line*float64(len(rows))
	s := &svg{}
	s.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%[1]g" height="%[2]g" role="img" `+
		`font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="13">`, width, bottom+48)
	s.add(`<title>What it costs, as ratios: less is better</title>`)
	t.legend(s)
	for e := from; e <= to; e++ {
		at := x(math.Pow(10, e))
		s.line(at, top-8, at, bottom, 0.35)
		s.text(at, bottom+18, "middle", fmt.Sprintf("%g", math.Pow(10, e)))
	}
	s.text((left+width-right)/2, bottom+38, "middle",
		"times the first of them that has the figure, on a logarithmic scale: less is better")
	for i, f := range rows {
		y := top + line*float64(i) + line/2
		base, _ := t.base(f)
		s.text(left-14, y+4.5, "end", t.name(f))
		s.line(left, y, width-right, y, 0.2)
		for _, ours := range []bool{false, true} { // ours last: it is not covered
			for _, p := range t.peers {
				if v := t.cells[cell{f, p}]; len(v) > 0 && strings.HasPrefix(p.name, "keepalivedd") == ours {
					s.spread(x(quantile(v, 0.1)/base), x(quantile(v, 0.9)/base), y, marks[p.name].colour)
					s.mark(x(quantile(v, 0.5)/base), y, p.name)
				}
			}
		}
	}
	return s.String() + "</svg>\n"
}

func (t *table) legend(s *svg) {
	at := 20.0
	for _, p := range t.peers {
		s.mark(at, 26, p.name)
		s.text(at+12, 30.5, "start", p.name)
		at += 38 + 7.2*float64(len(p.name))
	}
}

type svg struct{ strings.Builder }

func (s *svg) add(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

func (s *svg) text(x, y float64, anchor, text string) {
	s.add(`<text x="%g" y="%g" text-anchor="%s" fill="%s">%s</text>`, x, y, anchor, grey, html.EscapeString(text))
}

func (s *svg) line(x1, y1, x2, y2, opacity float64) {
	s.add(`<path d="M%g %gL%g %g" stroke="%s" stroke-opacity="%g"/>`, x1, y1, x2, y2, grey, opacity)
}

func (s *svg) spread(from, to, y float64, colour string) {
	if to-from > 1 {
		s.add(`<path d="M%g %gH%g" stroke="%s" stroke-width="3" stroke-opacity="0.45"/>`, from, y, to, colour)
	}
}

func (s *svg) mark(x, y float64, name string) {
	m := marks[name]
	s.add(`<g transform="translate(%g %g)" fill="%s" stroke="%[3]s">`, x, y, m.colour)
	s.WriteString(map[string]string{
		"bar":     `<path d="M0 -9V9" stroke-width="3.5"/>`,
		"disc":    `<circle r="6.5"/>`,
		"ring":    `<circle r="5.5" fill="none" stroke-width="2.5"/>`,
		"square":  `<path d="M-5 -5H5V5H-5Z"/>`,
		"diamond": `<path d="M0 -6.5L6.5 0L0 6.5L-6.5 0Z"/>`,
		"up":      `<path d="M-6 5L0 -6L6 5Z"/>`,
		"down":    `<path d="M-6 -5L0 6L6 -5Z"/>`,
		"cross":   `<path d="M-5 -5L5 5M-5 5L5 -5" stroke-width="3"/>`,
	}[m.shape])
	s.add(`<title>%s</title></g>`, name)
}
