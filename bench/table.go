//go:build linux

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A figure is a row of the table, by its text. With a unit it is told as ratios of medians, without as a sum.
type figure struct{ text, unit string }

var (
	startReady  = figure{"start to ready", "ms"}
	startSecond = figure{"second start, refused", "ms"}
	stopAlone   = figure{"stop", "ms"}
	storm       = figure{"storm of {storm} starts", "ms"}
	idlePSS     = figure{"idle: PSS", "KiB"}
	manyUp      = figure{"{k} programs up", "ms"}
	manyPSS     = figure{"{k} idle: PSS", "KiB"}
	respawn     = figure{"respawn of one of {k}", "ms"}
	reload      = figure{"reload, one of {k} changed", "ms"}
	manyStop    = figure{"stop of {k}", "ms"}
	upgrade     = figure{"upgrade with {k}", "ms"}
	unattended  = figure{"upgrade: nobody looks", "ms"}
	perLine     = figure{"output: CPU a line", "ns"}

	startFailed  = figure{"starts that failed", ""}
	notRefused   = figure{"second starts not refused", ""}
	slowStops    = figure{"stops that took over 5 s", ""}
	manyStatuses = figure{"storms without exactly one status 0", ""}
	manyDaemons  = figure{"storms without exactly one daemon", ""}
	idleCPU      = figure{"idle: CPU, µs a second", ""}
	idleSwitches = figure{"idle: switches a second", ""}
	manyCPU      = figure{"{k} idle: CPU, µs a second", ""}
	manySwitches = figure{"{k} idle: switches a second", ""}
	notUp        = figure{"programs that did not come up, or not again", ""}
	touched      = figure{"others restarted by a reload", ""}
	linesLost    = figure{"lines lost", ""}

	ratios = []figure{startReady, startSecond, stopAlone, storm, idlePSS, manyUp, manyPSS, respawn, reload, manyStop,
		upgrade, unattended, perLine}
	sums = []figure{startFailed, notRefused, slowStops, manyStatuses, manyDaemons, idleCPU, idleSwitches, manyCPU,
		manySwitches, notUp, touched, linesLost}
)

// table is what was measured.
type table struct {
	options options
	dir     string  // scratch
	load    float64 // of the machine, before
	peers   []*peer
	cells   map[cell][]float64
}

type cell struct {
	figure figure
	peer   *peer
}

func (t *table) add(f figure, p *peer, v float64) {
	if t.cells == nil {
		t.cells = map[cell][]float64{}
	}
	t.cells[cell{f, p}] = append(t.cells[cell{f, p}], v)
}

func (t *table) took(f figure, p *peer, d time.Duration) {
	t.add(f, p, float64(d)/float64(time.Millisecond))
}

func (t *table) bad(f figure, p *peer, is bool) { t.add(f, p, map[bool]float64{true: 1}[is]) }

// name is the figure's text, with the numbers of this run.
func (t *table) name(f figure) string {
	numbers := strings.NewReplacer("{k}", fmt.Sprint(t.options.programs), "{storm}", fmt.Sprint(t.options.storm))
	return numbers.Replace(f.text)
}

// base is the median that 1 stands for: that of the first peer that has the figure.
func (t *table) base(f figure) (float64, *peer) {
	for _, p := range t.peers {
		if v := t.cells[cell{f, p}]; len(v) > 0 {
			return quantile(v, 0.5), p
		}
	}
	return math.NaN(), nil
}

// text is what the table says of a peer; "" where there is no figure.
func (t *table) text(f figure, p *peer) string {
	v := t.cells[cell{f, p}]
	switch base, _ := t.base(f); {
	case len(v) == 0:
		return ""
	case f.unit == "":
		sum := 0.0
		for _, x := range v {
			sum += x
		}
		return short(sum)
	default:
		return fmt.Sprintf("%s (%s-%s)", short(quantile(v, 0.5)/base), short(quantile(v, 0.1)/base),
			short(quantile(v, 0.9)/base))
	}
}

// unit is what 1 stands for, in words.
func (t *table) unit(f figure) string {
	base, p := t.base(f)
	if p == nil || f.unit == "" {
		return ""
	}
	return short(base) + " " + f.unit
}

// rows are the lines of one half of the table, with the names of the peers that have anything in it as the first.
func (t *table) rows(figures []figure) [][]string {
	var peers []*peer
	for _, p := range t.peers {
		if slices.ContainsFunc(figures, func(f figure) bool { return len(t.cells[cell{f, p}]) > 0 }) {
			peers = append(peers, p)
		}
	}
	head := []string{"", "1 is"}
	for _, p := range peers {
		head = append(head, p.name)
	}
	rows := [][]string{head}
	for _, f := range figures {
		row := []string{t.name(f), t.unit(f)}
		for _, p := range peers {
			row = append(row, t.text(f, p))
		}
		if strings.Join(row[2:], "") != "" {
			rows = append(rows, row)
		}
	}
	if figures[0].unit == "" { // a sum has nothing to be compared with
		for i := range rows {
			rows[i] = slices.Delete(rows[i], 1, 2)
		}
	}
	return rows
}

func (t *table) print(to io.Writer) {
	fmt.Fprintln(to, "Medians (p10-p90) as ratios to the first that has the figure; then counts.")
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for _, half := range [][]figure{ratios, sums} {
		fmt.Fprintln(w)
		for _, row := range t.rows(half) {
			fmt.Fprintln(w, strings.Join(row, "\t"))
		}
		w.Flush()
	}
}

// short is a number of three digits.
func short(x float64) string {
	switch {
	case x == math.Trunc(x) || math.Abs(x) >= 100:
		return fmt.Sprintf("%.0f", x)
	case math.Abs(x) >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}

func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return slices.Sorted(slices.Values(v))[int(math.Round(q*float64(len(v)-1)))]
}
