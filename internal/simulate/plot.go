package simulate

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// The plot's size and where its two panels lie, in pixels.
const (
	plotWidth, plotHeight = 960, 420 // with a legend of one line
	legendTop, legendLine = 400, 22
	panelTop, panelBottom = 56, 352
	panelWidth            = 370
	firstPanel            = 70
	secondPanel           = 550
)

// plotColours of the strategies, told apart also by people who see few colours
// (Okabe & Ito 2008).
var plotColours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

// plotDashes tell strategies of one colour apart: the first six have lines without a gap.
var plotDashes = []string{"", ` stroke-dasharray="7 4"`}

// plotStyle returns the colour of the i-th strategy and what dashes its lines.
func plotStyle(i int) (colour, dashes string) {
	n := len(plotColours)
	return plotColours[i%n], plotDashes[i/n%len(plotDashes)]
}

// Plot writes the mean curves as an SVG image, each with a band of one standard
// error of the mean to both sides: accuracy on the left, macro-F1 on the right.
func (r Result) Plot(w io.Writer, title string) error {
	rows := r.Rows()
	p := svgPlot{rows: rows}
	entries, height := p.legend()
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#222">`+"\n", plotWidth, height, plotWidth, height)
	p.printf(`<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, height)
	p.printf(`<text x="%d" y="24" font-size="15" font-weight="bold">%s</text>`+"\n", firstPanel, escapeXML(title))
	p.printf("%s", entries)
	p.panel(firstPanel, "accuracy", func(r Row) Spread { return r.Accuracy })
	p.panel(secondPanel, "macro-F1", func(r Row) Spread { return r.MacroF1 })
	p.printf("</svg>\n")
	_, err := w.Write(p.Bytes())
	return err
}

type svgPlot struct {
	bytes.Buffer
	rows []Row
}

func (p *svgPlot) printf(format string, args ...any) { _, _ = fmt.Fprintf(p, format, args...) }

func escapeXML(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}

// curves are the rows by strategy.
func (p *svgPlot) curves() [][]Row {
	var out [][]Row
	for i, row := range p.rows {
		if i == 0 || row.Strategy != p.rows[i-1].Strategy {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], row)
	}
	return out
}

// legend returns the names of the strategies with their lines, in as many lines of text as they
// need, and the height of the whole image.
func (p *svgPlot) legend() (entries string, height int) {
	var b strings.Builder
	x, y := firstPanel, legendTop
	for i, c := range p.curves() {
		width := 30 + 8*len(c[0].Strategy)
		if x > firstPanel && x+width > plotWidth {
			x, y = firstPanel, y+legendLine
		}
		colour, dashes := plotStyle(i)
		_, _ = fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s"%s stroke-width="3"/>`, x, y, x+24, y, colour, dashes)
		_, _ = fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", x+30, y+4, escapeXML(c[0].Strategy))
		x += width + 28
	}
	return b.String(), plotHeight + y - legendTop
}

func (p *svgPlot) panel(left float64, name string, figure func(Row) Spread) {
	top, labels, bottom := 0.0, 0.0, 1.0
	for _, r := range p.rows {
		f := figure(r)
		top = max(top, min(1, f.Mean+f.StandardError()))
		bottom = min(bottom, max(0, f.Mean-f.StandardError()))
		labels = max(labels, float64(r.Labels))
	}
	low, high, step := heights(bottom, top)
	x := func(n float64) float64 { return left + panelWidth*n/max(labels, 1) }
	y := func(v float64) float64 {
		return panelBottom - (panelBottom-panelTop)*(min(max(v, low), high)-low)/(high-low)
	}
	p.printf(`<text x="%.1f" y="%d" font-weight="bold">%s</text>`+"\n", left, panelTop-10, name)
	for i := 0; low+float64(i)*step <= high+1e-9; i++ {
		v := low + float64(i)*step
		p.printf(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/>`, left, y(v), left+panelWidth, y(v))
		p.printf(`<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n", left-8, y(v)+4, plotNumber(v))
	}
	step = max(1, niceStep(max(labels, 1), 6))
	for i := 0; float64(i)*step <= labels+1e-9; i++ {
		n := float64(i) * step
		p.printf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#222"/>`, x(n), panelBottom, x(n), panelBottom+5)
		p.printf(`<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(n), panelBottom+20, plotNumber(n))
	}
	p.printf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#222"/>`+"\n", left, panelBottom, left+panelWidth, panelBottom)
	p.printf(`<text x="%.1f" y="%d" text-anchor="end">labels</text>`+"\n", left+panelWidth, panelBottom+38)
	for i, c := range p.curves() {
		colour, dashes := plotStyle(i)
		var line, upper, lower string
		for j, r := range c {
			f := figure(r)
			at := x(float64(r.Labels))
			line += fmt.Sprintf("%.1f,%.1f ", at, y(f.Mean))
			upper += fmt.Sprintf("%.1f,%.1f ", at, y(f.Mean+f.StandardError()))
			back := c[len(c)-1-j]
			f = figure(back)
			lower += fmt.Sprintf("%.1f,%.1f ", x(float64(back.Labels)), y(f.Mean-f.StandardError()))
		}
		p.printf(`<polygon points="%s%s" fill="%s" fill-opacity="0.18"/>`, upper, lower, colour)
		p.printf(`<polyline points="%s" fill="none" stroke="%s" stroke-width="2.5" stroke-linejoin="round"%s/>`, line, colour, dashes)
		for _, r := range c {
			p.printf(`<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`, x(float64(r.Labels)), y(figure(r).Mean), colour)
		}
		p.printf("\n")
	}
}

// heights returns where an axis that holds bottom and top, from 0 to 1, begins and ends, and the step
// between its numbers. It begins at 0 unless curves are all in its upper half.
func heights(bottom, top float64) (low, high, step float64) {
	if bottom < top/2 {
		bottom = 0
	}
	top = max(top, bottom+0.02, 0.1)
	step = niceStep(top-bottom, 5)
	return math.Floor(bottom/step+1e-9) * step, math.Ceil(top/step-1e-9) * step, step
}

// niceStep is the least of 1, 2 and 5 times a power of ten that divides a length
// into at most n steps.
func niceStep(length float64, n int) float64 {
	power := math.Pow(10, math.Floor(math.Log10(length/float64(n))))
	for _, f := range []float64{1, 2, 5} {
		if length/(f*power) <= float64(n)+1e-9 {
			return f * power
		}
	}
	return 10 * power
}

func plotNumber(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'g', -1, 64) }
