package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// picture is an SVG without a background: its colours stand out on white and on black.
type picture struct {
	b             strings.Builder
	width, height int
}

const (
	blue  = "#2f6fab" // a process, or a step that is taken
	green = "#2e7d4f" // all is well
	amber = "#9a6700" // waiting
	red   = "#b3403a" // failure
	slate = "#5b6673" // nothing there
	grey  = "#7a838c" // lines, and text on the page's own background
)

func newPicture(width, height int, title string) *picture {
	p := &picture{width: width, height: height}
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" `+
		`font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="13">`, width, height, width, height)
	p.add(`<title>%s</title>`, html.EscapeString(title))
	return p
}

func (p *picture) add(format string, args ...any) {
	fmt.Fprintf(&p.b, format+"\n", args...)
}

func (p *picture) String() string { return p.b.String() + "</svg>\n" }

type point struct{ x, y float64 }

// box is a filled rectangle with lines of text in its middle. The first line is bold when it is a name.
func (p *picture) box(x, y, w, h float64, fill string, bold bool, lines ...string) {
	p.add(`<rect x="%g" y="%g" width="%g" height="%g" rx="8" fill="%s"/>`, x, y, w, h, fill)
	top := y + h/2 - float64(len(lines)-1)*8 + 4.5
	for i, line := range lines {
		weight := ""
		if bold && i == 0 {
			weight = ` font-weight="bold" font-size="15"`
		}
		p.add(`<text x="%g" y="%g" text-anchor="middle" fill="#ffffff"%s>%s</text>`, x+w/2, top+float64(i)*16, weight,
			html.EscapeString(line))
	}
}

// frame is a dashed rectangle around boxes, with a caption above it.
func (p *picture) frame(x, y, w, h float64, caption string) {
	p.add(`<rect x="%g" y="%g" width="%g" height="%g" rx="12" fill="none" stroke="%s" `+
		`stroke-width="1.5" stroke-dasharray="6 4"/>`, x, y, w, h, grey)
	p.text(x+w/2, y-8, "middle", caption)
}

// text is on the page's own background; anchor is start, middle or end.
func (p *picture) text(x, y float64, anchor string, lines ...string) {
	for i, line := range lines {
		p.add(`<text x="%g" y="%g" text-anchor="%s" fill="%s">%s</text>`, x, y+float64(i)*16, anchor, grey,
			html.EscapeString(line))
	}
}

// heading is text that is larger.
func (p *picture) heading(x, y float64, text string) {
	p.add(`<text x="%g" y="%g" fill="%s" font-weight="bold" font-size="16">%s</text>`, x, y, grey, html.EscapeString(text))
}

// arrow goes from the first point to the last, with rounded corners between.
func (p *picture) arrow(points ...point) {
	last := len(points) - 1
	var d strings.Builder
	fmt.Fprintf(&d, "M%g %g", points[0].x, points[0].y)
	for i := 1; i < last; i++ {
		a, b := towards(points[i], points[i-1], 10), towards(points[i], points[i+1], 10)
		fmt.Fprintf(&d, " L%g %g Q%g %g %g %g", a.x, a.y, points[i].x, points[i].y, b.x, b.y)
	}
	tip, tail := points[last], points[last-1]
	neck := towards(tip, tail, 8)
	fmt.Fprintf(&d, " L%g %g", neck.x, neck.y)
	p.add(`<path d="%s" fill="none" stroke="%s" stroke-width="1.8"/>`, d.String(), grey)
	angle := math.Atan2(tip.y-tail.y, tip.x-tail.x)
	side := func(turn float64) point {
		return point{round(tip.x - 11*math.Cos(angle+turn)), round(tip.y - 11*math.Sin(angle+turn))}
	}
	l, r := side(0.42), side(-0.42)
	p.add(`<path d="M%g %g L%g %g L%g %g Z" fill="%s"/>`, tip.x, tip.y, l.x, l.y, r.x, r.y, grey)
}

// towards is the point at a distance from a, on the way to b.
func towards(a, b point, distance float64) point {
	length := math.Hypot(b.x-a.x, b.y-a.y)
	return point{round(a.x + (b.x-a.x)*distance/length), round(a.y + (b.y-a.y)*distance/length)}
}

func round(x float64) float64 { return math.Round(x*10) / 10 }
