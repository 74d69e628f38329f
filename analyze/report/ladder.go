package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
)

const (
	ladderLeast = 14 // columns beside a lifeline that labels always get
	ladderMost  = 44 // columns beside a lifeline that labels get at most
	arrowLeast  = 20
	arrowMost   = 28 // columns that an arrow takes from the labels at most
)

// ladder draws connections as sequence diagrams between two lifelines.
type ladder struct {
	p      *printer
	d      *diagram
	g      ladderGlyphs
	call   int    // columns of the calls' numbers
	clock  int    // columns of the time
	beside [2]int // columns of the labels left and right
	arrow  int    // columns between the lifelines
}

func newLadderBody(s *Stream) body {
	return &pictureBody{Stream: s, most: CallsShown, draw: func(s *Stream, r *analyze.Result) error {
		return inOrder(s.print.wireHeader, s.print.ladders, s.notDrawn, s.print.footer)(r)
	}}
}

// ladders draws every connection of r.
func (p *printer) ladders(r *analyze.Result) error {
	o := outlineOf(r)
	return p.each(o, func(c *analyze.Connection) error {
		d := newDiagram(o, c)
		d.zone = p.opt.Zone
		if err := newLadder(p, d).write(); err != nil {
			return err
		}
		return p.omitted(c)
	})
}

func newLadder(p *printer, d *diagram) *ladder {
	l := &ladder{p: p, d: d, g: glyphsOf(p.opt), clock: len("ms")}
	want := [2]int{textWidth(l.end(analyze.Client)), textWidth(l.end(analyze.Server))}
	arrow, least := arrowLeast, arrowLeast
	for i := range d.rows {
		row := &d.rows[i]
		if row.kind != timeWaitKind {
			l.clock = max(l.clock, len(milliseconds(row.time, d.base)))
		}
		l.call = max(l.call, len(callNumber(row)))
		for column, labels := range d.sideLabels(row) {
			for _, b := range labels {
				want[column] = max(want[column], textWidth(p.opt.glyphs(b.text)))
			}
		}
		arrow = max(arrow, textWidth(p.opt.glyphs(d.arrowText(row, false)))+8)
		least = max(least, textWidth(p.opt.glyphs(d.arrowText(row, true)))+5+lostGap(row))
	}
	l.fit(want, arrow, min(least, arrowMost))
	return l
}

// lostGap is how far before the other lifeline the arrow of a lost segment ends.
func lostGap(row *diagramRow) int {
	if row.kind == segmentKind && row.segments[0].Lost != "" {
		return 4
	}
	return 0
}

// fit shares the terminal's columns out: to the arrows what their labels need, the rest to
// what stands beside the lifelines, and what is left over to the arrows again.
func (l *ladder) fit(want [2]int, arrow, least int) {
	for column := range want {
		want[column] = min(max(want[column], ladderLeast), ladderMost)
	}
	l.beside, l.arrow = want, arrow
	if l.p.opt.Width == 0 {
		return
	}
	room := l.p.opt.Width - l.gutter() - 6
	l.arrow = min(arrow, max(least, room-want[0]-want[1]))
	labels := max(room-l.arrow, 2*ladderLeast)
	if want[0]+want[1] > labels {
		narrow := min(want[0], want[1], labels/2)
		if want[0] <= want[1] {
			l.beside = [2]int{narrow, labels - narrow}
		} else {
			l.beside = [2]int{labels - narrow, narrow}
		}
	}
	l.arrow = max(arrowLeast, room-l.beside[0]-l.beside[1])
}

// gutter is how many columns stand left of all labels.
func (l *ladder) gutter() int {
	if l.call == 0 {
		return l.clock + 1
	}
	return l.call + 1 + l.clock + 1
}

// callNumber is the number of the call that a row shows.
func callNumber(row *diagramRow) string {
	if row.call == nil {
		return ""
	}
	return "#" + strconv.FormatUint(row.number, 10)
}

func (l *ladder) end(side analyze.Side) string {
	if side == analyze.Client {
		return l.d.endName(side) + " " + l.d.conn.Client.String()
	}
	return l.d.endName(side) + " " + l.d.conn.Server.String()
}

func (l *ladder) write() error {
	for _, side := range bothSides {
		if textWidth(l.end(side)) > l.beside[lifeline(side)] {
			return l.writeRows([2][]label{{{text: l.d.endName(analyze.Client), style: bold}}, {{text: l.d.endName(analyze.Server), style: bold}}})
		}
	}
	return l.writeRows([2][]label{{{text: l.end(analyze.Client), style: bold}}, {{text: l.end(analyze.Server), style: bold}}})
}

func (l *ladder) writeRows(heads [2][]label) error {
	lines := l.lines(&diagramRow{}, "ms", heads, l.waypointHead(), dim)
	before := [2]string{}
	for i := range l.d.rows {
		row := &l.d.rows[i]
		at := ""
		if row.kind != timeWaitKind {
			at = milliseconds(row.time, l.d.base)
		}
		middle, st := l.middle(row)
		shown := *row
		shown.after = l.lineAt(row, before)
		lines = append(lines, l.lines(&shown, at, l.d.sideLabels(row), middle, st)...)
		before = row.after
	}
	lines = append(lines, l.legend())
	if words := l.d.waypointWords(l.g.through); words != "" {
		for _, part := range wrapText(words, max(l.p.opt.Width-l.gutter(), 0), 2) {
			lines = append(lines, l.p.opt.paint(dim, strings.Repeat(" ", l.gutter())+plainSpaces(part)))
		}
	}
	for _, s := range lines {
		if _, err := fmt.Fprintln(l.p.w, strings.TrimRight(s, " ")); err != nil {
			return fmt.Errorf("write ladder: %w", err)
		}
	}
	return nil
}

// lineAt says which states the lifelines show at a row: those after it, before it where the
// end has none yet.
func (l *ladder) lineAt(row *diagramRow, before [2]string) [2]string {
	after := row.after
	for column := range after {
		if after[column] == "" {
			after[column] = before[column]
		}
	}
	return after
}

// lines draws a row: as many lines as its longest label needs.
func (l *ladder) lines(row *diagramRow, at string, labels [2][]label, middle []string, st style) []string {
	var columns [2][]label
	height := max(1, len(middle))
	for column, list := range labels {
		for _, b := range list {
			for _, part := range wrapText(l.p.opt.glyphs(b.text), l.beside[column], 2*column) {
				columns[column] = append(columns[column], label{text: plainSpaces(part), style: b.style})
			}
		}
		height = max(height, len(columns[column]))
	}
	var out []string
	for i := range height {
		var b strings.Builder
		b.WriteString(l.margin(row, at, i))
		l.beforeLine(&b, columns[0], i)
		b.WriteString(" " + l.tick(row, 0, i) + l.line(row, 0))
		if i < len(middle) {
			b.WriteString(l.p.opt.paint(st, l.past(row, middle[i])))
		} else {
			b.WriteString(l.past(row, strings.Repeat(" ", l.arrow)))
		}
		b.WriteString(l.line(row, 1) + l.tick(row, 1, i) + " ")
		if i < len(columns[1]) {
			b.WriteString(l.p.opt.paint(columns[1][i].style, columns[1][i].text))
		}
		out = append(out, b.String())
	}
	return out
}

// margin writes the number of the row's call and the time.
func (l *ladder) margin(row *diagramRow, at string, i int) string {
	number := callNumber(row)
	if i > 0 {
		number, at = "", ""
	}
	if l.call == 0 {
		return fmt.Sprintf("%*s ", l.clock, at)
	}
	return l.p.opt.paint(dim, fmt.Sprintf("%*s", l.call, number)) + fmt.Sprintf(" %*s ", l.clock, at)
}

// beforeLine writes the label left of the client's lifeline, close to it.
func (l *ladder) beforeLine(b *strings.Builder, labels []label, i int) {
	if i >= len(labels) {
		b.WriteString(strings.Repeat(" ", l.beside[0]))
		return
	}
	text := strings.TrimSpace(labels[i].text)
	b.WriteString(strings.Repeat(" ", max(0, l.beside[0]-textWidth(text))) + l.p.opt.paint(labels[i].style, text))
}

// line is the piece of a lifeline at a row.
func (l *ladder) line(row *diagramRow, column int) string {
	piece := l.g.line[phaseOf(row.after[column])]
	return l.p.opt.paint(phaseStyle(phaseOf(row.after[column])), piece)
}

func phaseStyle(p phase) style {
	switch p {
	case open:
		return good
	case active, passive:
		return warn
	case notOpen, closed, waiting:
		return dim
	}
	return plain
}

// tick joins a call to its lifeline and runs along while it waits.
func (l *ladder) tick(row *diagramRow, column, i int) string {
	mine := row.kind == callRowKind && row.call != nil && row.side != analyze.NoSide && lifeline(row.side) == column
	switch {
	case mine && row.part == wholeCall && i == 0 && !row.waiting[column]:
		return l.g.call
	case mine && row.part == callBegins && i == 0:
		return l.g.begin[column]
	case mine && row.part == callBegins:
		return l.g.wait
	case mine && row.part == callReturns && i == 0:
		return l.g.back[column]
	case row.waiting[column]:
		return l.g.wait
	}
	return " "
}
