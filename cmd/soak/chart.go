package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// svg draws the median and 99th percentile of the latency per second, on a
// logarithmic scale in milliseconds.
func (l *ledger) svg() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	const width, height, left, bottom = 800.0, 300.0, 60.0, 30.0
	var p50, p99 []float64
	top := 1.0
	for _, s := range l.seconds {
		s = slices.Clone(s)
		slices.Sort(s)
		a, b := ms(percentile(s, 0.5)), ms(percentile(s, 0.99))
		p50, p99 = append(p50, a), append(p99, b)
		top = max(top, b)
	}
	const low = 0.01
	y := func(v float64) float64 {
		return height - bottom - (height-2*bottom)*math.Log10(max(v, low)/low)/math.Log10(top/low)
	}
	line := func(values []float64, colour string) string {
		var pts []string
		for i, v := range values {
			x := left + (width-left-10)*float64(i)/float64(max(len(values)-1, 1))
			pts = append(pts, fmt.Sprintf("%.1f,%.1f", x, y(v)))
		}
		return fmt.Sprintf(`<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`+"\n", colour, strings.Join(pts, " "))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for v := low; v <= top*1.001; v *= 10 {
		fmt.Fprintf(&b, `<line x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="4" y="%.1f">%g ms</text>`+"\n", left, width-10, y(v), y(v), y(v)+4, v)
	}
	b.WriteString(line(p50, "#1668b0"))
	b.WriteString(line(p99, "#c8471b"))
	fmt.Fprintf(&b, `<text x="%.0f" y="18" fill="#1668b0">median</text><text x="%.0f" y="18" fill="#c8471b">99 %%</text><text x="%.0f" y="%.0f">%d seconds</text>`+"\n",
		left, left+60, width-90, height-8, len(p50))
	b.WriteString("</svg>\n")
	return b.String()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
