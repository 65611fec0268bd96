package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// A chartBar is a bar of a chart: a median with the range of its samples.
type chartBar struct {
	label string
	s     Spread
	style string // a class of the style sheet: "ours", "limit" or "peer"
}

// Sizes in pixels.
const (
	chartWidth = 760
	labelWidth = 230
	valueWidth = 130
	rowHeight  = 24
	headHeight = 48
)

// style works on light and dark pages.
const style = `<style>
text{font:13px system-ui,sans-serif;fill:#24292f}
.t{font-weight:600;font-size:15px}
.ours{fill:#0969da}.limit{fill:#8c959f}.peer{fill:#b6c2cf}
.w{stroke:#57606a;stroke-width:1.5}.g{stroke:#d0d7de;stroke-width:1}
.l{fill:none;stroke:#0969da;stroke-width:2.5}.m{text-anchor:middle}.e{text-anchor:end}
@media(prefers-color-scheme:dark){text{fill:#d1d7e0}.w{stroke:#9198a1}.g{stroke:#3d444d}.peer{fill:#4c5866}.ours{fill:#4493f8}.l{stroke:#4493f8}}
</style>`

// barChart draws horizontal bars, with whiskers from the smallest to the
// largest sample. It returns "" if there is nothing to draw.
func barChart(title string, bars []chartBar) string {
	var most float64
	for _, b := range bars {
		most = max(most, b.s.Max, b.s.Median)
	}
	if most <= 0 {
		return ""
	}
	height := headHeight + rowHeight*len(bars) + 8
	var w strings.Builder
	open(&w, title, height)
	scale := (chartWidth - labelWidth - valueWidth) / most
	for i, b := range bars {
		y := headHeight + i*rowHeight
		mid := float64(y) + rowHeight/2 - 2
		fmt.Fprintf(&w, `<text class="e" x="%d" y="%d">%s</text>`+"\n", labelWidth-8, y+15, html.EscapeString(b.label))
		fmt.Fprintf(&w, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`+"\n", b.style, labelWidth, y+2, b.s.Median*scale, rowHeight-8)
		fmt.Fprintf(&w, `<line class="w" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`+"\n",
			labelWidth+b.s.Min*scale, labelWidth+b.s.Max*scale, mid, mid)
		fmt.Fprintf(&w, `<text x="%.1f" y="%d">%s</text>`+"\n", labelWidth+max(b.s.Median, b.s.Max)*scale+8, y+15, number(b.s.Median))
	}
	w.WriteString("</svg>\n")
	return w.String()
}

// A chartPoint is a point of a line chart.
type chartPoint struct {
	label string
	y     float64
}

// lineChart draws one line over points that stand at equal distances, both
// axes from zero or, with log, the vertical one in powers of ten. It returns
// "" if there are fewer than two points or nothing above zero.
func lineChart(title string, points []chartPoint, log bool) string {
	const height, left, bottom, right = 300, 90, 40, 30
	low, high := math.Inf(1), 0.0
	for _, p := range points {
		high = max(high, p.y)
		if p.y > 0 {
			low = min(low, p.y)
		}
	}
	if len(points) < 2 || high <= 0 {
		return ""
	}
	plot := func(y float64) float64 { return y / niceTop(high) }
	ticks := []float64{0, niceTop(high) / 4, niceTop(high) / 2, niceTop(high) * 3 / 4, niceTop(high)}
	if log {
		from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
		to = max(to, from+1)
		plot = func(y float64) float64 { return (math.Log10(max(y, math.Pow(10, from))) - from) / (to - from) }
		ticks = nil
		for e := from; e <= to; e++ {
			ticks = append(ticks, math.Pow(10, e))
		}
	}
	var w strings.Builder
	open(&w, title, height)
	yOf := func(y float64) float64 { return height - bottom - plot(y)*(height-bottom-headHeight) }
	for _, t := range ticks {
		fmt.Fprintf(&w, `<line class="g" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`+"\n", left, chartWidth-right, yOf(t), yOf(t))
		fmt.Fprintf(&w, `<text class="e" x="%d" y="%.1f">%s</text>`+"\n", left-8, yOf(t)+4, tick(t))
	}
	step := float64(chartWidth-left-right) / float64(len(points))
	var line, marks strings.Builder
	for i, p := range points {
		x := left + step*(float64(i)+0.5)
		fmt.Fprintf(&line, "%.1f,%.1f ", x, yOf(p.y))
		fmt.Fprintf(&marks, `<circle class="ours" cx="%.1f" cy="%.1f" r="4"/>`+"\n", x, yOf(p.y))
		fmt.Fprintf(&marks, `<text class="m" x="%.1f" y="%.1f">%s</text>`+"\n", x, yOf(p.y)-10, number(p.y))
		fmt.Fprintf(&marks, `<text class="m" x="%.1f" y="%d">%s</text>`+"\n", x, height-bottom+20, html.EscapeString(p.label))
	}
	fmt.Fprintf(&w, `<polyline class="l" points="%s"/>`+"\n", strings.TrimSpace(line.String()))
	w.WriteString(marks.String())
	w.WriteString("</svg>\n")
	return w.String()
}

func open(w *strings.Builder, title string, height int) {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" role="img">`+"\n", chartWidth, height, chartWidth)
	fmt.Fprintf(w, "<title>%s</title>\n%s\n", html.EscapeString(title), style)
	fmt.Fprintf(w, `<text class="t" x="12" y="26">%s</text>`+"\n", html.EscapeString(title))
}

// niceTop returns the smallest number of the form 1, 2, 4 or 8 times a power of
// ten that is at least v, so that its quarters are round.
func niceTop(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 4, 8} {
		if f*p >= v {
			return f * p
		}
	}
	return 10 * p
}

// tick formats the number at a grid line, without trailing zeros.
func tick(v float64) string {
	s := number(v)
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}
