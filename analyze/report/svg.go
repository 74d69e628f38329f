package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html"
	"io"
	"net/netip"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

//go:embed assets/diagram.css
var diagramCSS string

// The measures of a drawn diagram, in pixels.
const (
	svgChar    = 7  // width of a character, a little less
	svgLine    = 16 // height of a line of text
	svgPad     = 10 // between rows
	svgHead    = 34 // above the first row
	svgVerdict = 132
)

// measures say where the columns of a drawing are.
type measures struct {
	class  string
	width  int
	number int    // where the calls' numbers begin; 0 leaves them out
	time   int    // where times end
	line   [2]int // the lifelines
	labels [2]int // characters that a line beside each lifeline holds
	words  int    // characters that an arrow holds
}

var (
	wide   = measures{class: "wide-picture", width: 1000, number: 12, time: 92, line: [2]int{366, 676}, labels: [2]int{34, 41}, words: 42}
	narrow = measures{class: "narrow-picture", width: 536, time: 60, line: [2]int{210, 382}, labels: [2]int{17, 19}, words: 22}
)

// makeRoom moves the times to the right where the numbers of d's calls would run into them, at the
// cost of the labels beside the client's lifeline.
func (m *measures) makeRoom(d *diagram) {
	needed := 0
	for i := range d.rows {
		row, number := &d.rows[i], 0
		if m.number != 0 {
			number = len(callNumber(row)) + 1
		}
		if row.kind != timeWaitKind {
			needed = max(needed, number+len(milliseconds(row.time, d.base)))
		}
	}
	if more := needed*svgChar - (m.time - m.number); more > 0 {
		m.time += more
		m.labels[0] = max(8, m.labels[0]-(more+svgChar-1)/svgChar)
	}
}

// svgRow is where a row of the diagram stands.
type svgRow struct {
	*diagramRow
	even, scaled int // top, with even spacing and with time to scale
	height       int
	labels       [2][]label // wrapped
}

// drawing is a diagram with its measures.
type drawing struct {
	*diagram
	measures
	b            strings.Builder
	rows         []svgRow
	even, scaled int // heights
}

func newSVGBody(s *Stream) body {
	return &pictureBody{Stream: s, most: CallsShown, draw: func(s *Stream, r *analyze.Result) error {
		return writeSVG(s.w, r)
	}}
}

// writeSVG writes a picture of every connection of r, one below the other, that stands alone.
func writeSVG(w io.Writer, r *analyze.Result) error {
	var body strings.Builder
	height, o := 0, outlineOf(r)
	for _, c := range r.Connections {
		title := svgTitle(r, c)
		fmt.Fprintf(&body, `<text class="title" x="12" y="%d">%s</text>`+"\n", height+24, escape(title))
		height += 36
		d := newDrawing(newDiagram(o, c), wide)
		fmt.Fprintf(&body, `<g transform="translate(0 %d)">`+"\n", height)
		body.WriteString(d.draw())
		body.WriteString("</g>\n")
		height += d.even + 8
		height = writeUnder(&body, height, underPicture(o, d.diagram, "a dot"))
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" class="ladder" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img">
<title>%s</title>
<style>%s</style>
<rect class="paper" width="%[1]d" height="%[2]d"/>
%[5]s</svg>
`, wide.width, max(height, 40), escape(documentTitle(r)), diagramCSS, body.String())
	if err != nil {
		return fmt.Errorf("write svg: %w", err)
	}
	return nil
}

// underPicture is what stands under a connection's picture: how it ended, and what the
// picture leaves out. mark is by what it tells which points saw a segment, "" where it does not.
func underPicture(o *outline, d *diagram, mark string) []string {
	c := d.conn
	words, _, _ := strings.Cut(o.verdict(c, nil), "\n")
	lines := []string{words}
	if points := d.waypointWords(mark); points != "" {
		lines = append(lines, points)
	}
	if c.Omitted > 0 {
		lines = append(lines, count(c.Omitted, "further segment")+" of the transfer not drawn")
	}
	return lines
}

// writeUnder writes lines from y on and returns where they end.
func writeUnder(b *strings.Builder, y int, lines []string) int {
	for _, s := range lines {
		for _, l := range wrapText(s, svgVerdict, 2) {
			y += 18
			fmt.Fprintf(b, `<text class="verdict" x="12" y="%d">%s</text>`+"\n", y-4, escape(plainSpaces(l)))
		}
	}
	return y + 14
}

func svgTitle(r *analyze.Result, c *analyze.Connection) string {
	if len(r.Connections) > 1 {
		return fmt.Sprintf("%s · conn %d · %s", documentTitle(r), c.ID, ends(c))
	}
	return documentTitle(r) + " · " + ends(c)
}

// documentTitle names a result in a few words.
func documentTitle(r *analyze.Result) string {
	if r.Scenario != "" {
		return Safe(r.Scenario)
	}
	return Safe(cmp.Or(r.Capture.Title, r.Capture.Source))
}

func escape(s string) string { return html.EscapeString(s) }

func plainSpaces(s string) string { return strings.ReplaceAll(s, noBreak, " ") }

// newDrawing measures d.
func newDrawing(d *diagram, m measures) *drawing {
	m.makeRoom(d)
	p := &drawing{diagram: d, measures: m, even: svgHead, scaled: svgHead}
	span := d.span()
	for i := range d.rows {
		row := svgRow{diagramRow: &d.rows[i], even: p.even, height: svgLine + svgPad}
		for column, labels := range d.sideLabels(row.diagramRow) {
			for _, l := range labels {
				for _, part := range wrapText(l.text, m.labels[column], 2*column) {
					row.labels[column] = append(row.labels[column], label{plainSpaces(part), l.style, l.state})
				}
			}
			row.height = max(row.height, len(row.labels[column])*svgLine+svgPad)
		}
		if row.kind == callRowKind && row.side == analyze.NoSide {
			row.height = max(row.height, len(wrapText(stepWords(row.call), m.words-2, 0))*svgLine+svgPad)
		}
		p.rows = append(p.rows, row)
		p.even += row.height
	}
	for i := range p.rows {
		p.rows[i].scaled = p.scaled
		gap := p.rows[i].height
		if i+1 < len(p.rows) && p.rows[i+1].kind != timeWaitKind && span > 0 {
			share := float64(p.rows[i+1].time-p.rows[i].time) / float64(span)
			gap = max(gap, int(share*float64(2*p.even)))
		}
		p.scaled += gap
	}
	p.even += svgPad
	p.scaled += svgPad
	return p
}

// span is the time from the first row to the last that is no end of TIME_WAIT.
func (d *diagram) span() event.Time {
	var last event.Time
	for i := range d.rows {
		if d.rows[i].kind != timeWaitKind {
			last = d.rows[i].time
		}
	}
	if len(d.rows) == 0 {
		return 0
	}
	return last - d.rows[0].time
}

// draw writes what stands inside the svg element.
func (p *drawing) draw() string {
	left := p.head(analyze.Client, p.conn.Client)
	overhang := max(0, textWidth(left)*(svgChar+1)-(p.line[0]-p.time-svgLine))
	fmt.Fprintf(&p.b, `<text class="head" x="%d" y="18" text-anchor="end">%s</text>`, p.line[0]+3+overhang, escape(left))
	fmt.Fprintf(&p.b, `<text class="head" x="%d" y="18">%s</text>`, p.line[1]-3, escape(p.head(analyze.Server, p.conn.Server)))
	fmt.Fprintf(&p.b, `<text class="time" x="%d" y="18" text-anchor="end">ms</text>`+"\n", p.time)
	p.waypointLines()
	for i := range p.rows {
		p.row(&p.rows[i])
	}
	for _, side := range bothSides {
		p.lifeline(side)
	}
	p.waits()
	return p.b.String()
}

// head names an end, with its address where there is room for it.
func (p *drawing) head(side analyze.Side, a netip.AddrPort) string {
	if p.number == 0 {
		return string(side)
	}
	return p.endName(side) + " " + a.String()
}

// lifeline draws the states of one end as coloured pieces.
func (p *drawing) lifeline(side analyze.Side) {
	column, x := lifeline(side), p.line[lifeline(side)]
	for i := 0; i < len(p.rows); {
		state := p.rows[i].after[column]
		j := i
		for j < len(p.rows) && p.rows[j].after[column] == state {
			j++
		}
		from, to := p.rows[i].even, p.even
		if j < len(p.rows) {
			to = p.rows[j].even
		}
		fmt.Fprintf(&p.b, `<rect class="life %s" data-side="%s" data-state="%s" data-first="%d" data-last="%d" x="%d" y="%d" width="6" height="%d"/>`+"\n",
			phaseOf(state), side, escape(Safe(state)), i, j, x-3, from+svgLine/2, max(0, to-from))
		i = j
	}
}

// waits draws a bar along the lifeline for every call that waits.
func (p *drawing) waits() {
	for i := range p.rows {
		if p.rows[i].part != callBegins {
			continue
		}
		j := len(p.rows)
		for k := i + 1; k < len(p.rows); k++ {
			if p.rows[k].part == callReturns && p.rows[k].call == p.rows[i].call {
				j = k
			}
		}
		to := p.even
		if j < len(p.rows) {
			to = p.rows[j].even
		}
		x := p.line[lifeline(p.rows[i].side)] - 11
		if p.rows[i].side == analyze.Server {
			x += 18
		}
		fmt.Fprintf(&p.b, `<rect class="wait" data-call="%d" data-first="%d" data-last="%d" x="%d" y="%d" width="4" height="%d"/>`+"\n",
			p.rows[i].call.ID, i, j, x, p.rows[i].even+svgLine/2, to-p.rows[i].even)
	}
}

// row draws a row at its place; its data attributes say what it is.
func (p *drawing) row(row *svgRow) {
	fmt.Fprintf(&p.b, `<g class="row %s" transform="translate(0 %d)" data-even="%[2]d" data-scaled="%d"%s role="img" aria-label="%s">`,
		p.rowClass(row), row.even, row.scaled, p.rowData(row), escape(p.spoken(row)))
	fmt.Fprintf(&p.b, `<rect class="hit" x="0" y="-3" width="%d" height="%d"/>`, p.width, row.height)
	if row.kind != timeWaitKind {
		p.text("time", p.time, 0, "end", milliseconds(row.time, p.base))
	}
	if p.number > 0 {
		p.text("number", p.number, 0, "start", callNumber(row.diagramRow))
	}
	switch row.kind {
	case segmentKind, foldKind:
		p.arrow(row)
	case callRowKind:
		p.callMark(row)
	}
	for column, labels := range row.labels {
		anchor, x := "end", p.line[0]-22
		if column == 1 {
			anchor, x = "start", p.line[1]+22
		}
		for i, l := range labels {
			p.text("label "+labelClass(l), x, i, anchor, strings.TrimSpace(l.text))
		}
	}
	p.b.WriteString("</g>\n")
}

func (p *drawing) text(class string, x, line int, anchor, s string) {
	if s == "" {
		return
	}
	fmt.Fprintf(&p.b, `<text class="%s" x="%d" y="%d" text-anchor="%s">%s</text>`, class, x, 12+line*svgLine, anchor, escape(s))
}

func labelClass(l label) string {
	if l.state != "" {
		return "state " + string(phaseOf(l.state))
	}
	return [...]string{plain: "plain", dim: "dim", bold: "bold", good: "good", bad: "bad", warn: "warn"}[l.style]
}

func (p *drawing) callMark(row *svgRow) {
	switch row.side {
	case analyze.NoSide:
		for i, l := range wrapText(stepWords(row.call), p.words-2, 0) {
			p.text("step", (p.line[0]+p.line[1])/2, i, "middle", plainSpaces(l))
		}
	case analyze.Client:
		fmt.Fprintf(&p.b, `<path class="mark" d="M%d 8h14"/>`, p.line[0]-18)
	default:
		fmt.Fprintf(&p.b, `<path class="mark" d="M%d 8h14"/>`, p.line[1]+4)
	}
}

// arrow draws a segment from its sender's lifeline; a lost one ends midway.
func (p *drawing) arrow(row *svgRow) {
	s := row.segments[0]
	from, to, way := p.line[0]+3, p.line[1]-3, 1
	if row.side == analyze.Server {
		from, to, way = p.line[1]-3, p.line[0]+3, -1
	}
	words := p.arrowText(row.diagramRow, false)
	if textWidth(words) > p.words {
		words = p.arrowText(row.diagramRow, true)
	}
	begins, ends := p.stretch(s)
	length := float64(to - from)
	from, to = from+int(begins*length), from+int(ends*length)
	if begins > 0 {
		fmt.Fprintf(&p.b, `<circle class="tip" cx="%d" cy="17" r="4"/>`, from)
	}
	middle := (from + to) / 2
	if row.kind == segmentKind && s.Lost != "" {
		if ends == 1 {
			to = from + (to-from)*3/5
		}
		middle = from + way*max((to-from)*way/2, textWidth(words)*svgChar/2+4)
		fmt.Fprintf(&p.b, `<path class="shaft" d="M%d 17L%d 20"/><path class="cross" d="M%d 15l10 10m0 -10l-10 10"/>`, from, to, to-5)
	} else {
		fmt.Fprintf(&p.b, `<path class="shaft" d="M%d 17L%d 20"/><path class="tip" d="M%d 20l%d -5v10z"/>`, from, to-way*8, to, -way*10)
	}
	p.sightings(row, from, to)
	p.text("words", middle, 0, "middle", shorten(words, p.words))
}
