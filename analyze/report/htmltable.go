package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// tableRow is a row of a page's table: cells of HTML, and the row as plain text for copying.
type tableRow struct {
	attributes string
	cells      []string
	text       []string
}

func (r *tableRow) add(html, text string) {
	r.cells = append(r.cells, html)
	r.text = append(r.text, strings.TrimSpace(plainSpaces(text)))
}

// pageRows is how many rows a page's table has at most, the first and the last: a browser takes
// seconds to lay out ten times as many.
const pageRows = 2000

// leftOut says which of n rows a page's table leaves out, those in [from, to).
func leftOut(n int) (from, to int) {
	if n <= pageRows {
		return n, n
	}
	return pageRows / 2, n - pageRows/2
}

// gapRow stands in the place of n rows, in a table of that many columns.
func gapRow(n, columns, column int) tableRow {
	var r tableRow
	for i := range columns {
		words := ""
		if i == column {
			words = "… " + count(uint64(n), "row") + " more: closecap shows them as a table or as JSON"
		}
		r.add(`<span class="dim">`+words+`</span>`, words)
	}
	return r
}

func writeTable(b *strings.Builder, class, label string, titles []string, rows []tableRow) {
	fmt.Fprintf(b, `<table class="rows %s"><caption>%s</caption><thead><tr>`, class, label)
	for _, t := range titles {
		fmt.Fprintf(b, `<th scope="col">%s</th>`, t)
	}
	b.WriteString("</tr></thead><tbody>\n")
	for _, r := range rows {
		fmt.Fprintf(b, `<tr%s data-copy="%s">`, r.attributes, escape(strings.Join(r.text, "\t")))
		for _, c := range r.cells {
			b.WriteString("<td>" + c + "</td>")
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table>")
}

var (
	callTitles = []string{"#", "ms", "call", "result", "wire events it caused", "client", "server"}
	wireTitles = []string{"#", "ms", "wire", "seq", "ack", "len", "notes", "client", "server"}
)

// writeCallTable writes a row for each call, as the terminal's table has it.
func writeCallTable(b *strings.Builder, view *analyze.Result, d *diagram) {
	var rows []tableRow
	shown := map[stateKey]string{}
	calls := callRows(view)
	states := rowStates(calls, view)
	from, to := leftOut(len(calls))
	for i, row := range calls {
		if i == from {
			rows = append(rows, gapRow(to-from, len(callTitles), 4))
		}
		if i >= from && i < to {
			continue
		}
		var r tableRow
		call, result := uncalledWords(row), cell{}
		id := ""
		var a attributes
		if row.call != nil {
			call, result = cell{callLine(row.call)}, cell{resultLine(row.call)}
			id = strconv.Itoa(row.call.ID)
			callData(&a, row.call)
		}
		r.attributes = a.String()
		r.add(id, id)
		ms := milliseconds(row.time, d.base)
		r.add(ms, ms)
		r.addCell("code", call)
		r.addCell("", result)
		r.add(wireHTML(row, d), wireCell(row).text())
		for _, side := range bothSides {
			r.addState(stateCell(row.connection, states(i), side, shown), states(i)[lifeline(side)])
		}
		rows = append(rows, r)
	}
	writeTable(b, "calls", "Calls, what they returned, and the wire events they caused", callTitles, rows)
}

func (r *tableRow) addCell(class string, c cell) {
	var b strings.Builder
	for _, l := range c {
		fmt.Fprintf(&b, `<div class="%s %s">%s</div>`, class, labelClass(label{style: l.style}), escape(plainSpaces(l.text)))
	}
	r.add(b.String(), c.text())
}

func (r *tableRow) addState(c cell, state string) {
	words := c.text()
	r.add(fmt.Sprintf(`<span class="state %s">%s</span>`, phaseOf(state), escape(words)), state)
}

// text writes the cell's lines as one.
func (c cell) text() string {
	words := make([]string, len(c))
	for i, l := range c {
		words[i] = l.text
	}
	return strings.Join(words, "; ")
}

// wireHTML lists a row's segments, each an element of its own, and what is to say besides.
func wireHTML(row callRow, d *diagram) string {
	var b strings.Builder
	for _, run := range fold(row.segments) {
		if len(run) > 1 {
			fmt.Fprintf(&b, `<div class="dim">%s</div>`, escape(run.words()))
			continue
		}
		writeWireEvent(&b, run[0], d)
	}
	for _, l := range wireCell(row)[len(fold(row.segments)):] {
		fmt.Fprintf(&b, `<div class="dim">%s</div>`, escape(plainSpaces(l.text)))
	}
	return b.String()
}

func writeWireEvent(b *strings.Builder, s *analyze.Segment, d *diagram) {
	var a attributes
	d.segmentData(&a, s)
	words := wireEvent(s).text
	if s.Lost != "" {
		words += " (" + lossWords(s) + ": " + Safe(s.Lost) + ")"
	}
	fmt.Fprintf(b, `<div class="event %s"%s>%s</div>`, segmentClass(s), a.String(), escape(plainSpaces(words)))
}

// writeWireTable writes a row for each segment.
func writeWireTable(b *strings.Builder, d *diagram) {
	var rows []tableRow
	shown := map[stateKey]string{}
	runs := fold(d.conn.Segments)
	from, to := leftOut(len(runs))
	titles, class, several := wireTitles, "segments", len(d.waypoints()) > 0
	if several {
		titles, class = slices.Insert(slices.Clone(titles), len(titles)-2, d.waypointTitle()), "segments several"
	}
	for i, run := range runs {
		if i == from {
			rows = append(rows, gapRow(to-from, len(titles), 6))
		}
		if i >= from && i < to {
			continue
		}
		var r tableRow
		s := run[0]
		if len(run) > 1 {
			words := run.words()
			for range 6 {
				r.add("", "")
			}
			r.add(`<span class="dim">`+escape(words)+`</span>`, words)
		} else {
			var a attributes
			d.segmentData(&a, s)
			r.attributes = a.String()
			d.addSegment(&r, s)
		}
		if several {
			seen := ""
			if len(run) == 1 {
				seen = seenCell(d.conn, s)
			}
			r.add(escape(seen), seen)
		}
		states := statesAfter(d.conn, run[len(run)-1])
		for _, side := range bothSides {
			r.addState(stateCell(d.conn.ID, states, side, shown), states[lifeline(side)])
		}
		rows = append(rows, r)
	}
	writeTable(b, class, "Segments; the states are inferred from them", titles, rows)
}

func (d *diagram) addSegment(r *tableRow, s *analyze.Segment) {
	plainCell := func(s string) { r.add(escape(s), s) }
	plainCell(strconv.FormatUint(s.Frame, 10))
	plainCell(milliseconds(s.Time, d.base))
	words := arrow(s.From) + " " + s.Flags.Words()
	r.add(fmt.Sprintf(`<span class="event %s">%s</span>`, segmentClass(s), escape(words)), words)
	plainCell(seqRange(s))
	ack := ""
	if s.Flags.Has(event.ACK) {
		ack = strconv.FormatInt(s.Ack, 10)
	}
	plainCell(ack)
	plainCell(strconv.FormatUint(uint64(s.Len), 10))
	notes := plainSpaces(segmentNotes(s))
	switch {
	case slices.Contains(s.Notes, analyze.LostOnTheWay):
		notes += ": " + Safe(s.Lost)
	case s.Lost != "":
		notes = strings.TrimSpace(notes + " seems lost: " + Safe(s.Lost))
	}
	plainCell(notes)
}
