package report

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
)

// TestPageHasWhatTheTableHas holds the page's list to the widest table: every column, with the same words of
// each connection, by whom and doubt ("?") among them, and what is to be said of the capture.
func TestPageHasWhatTheTableHas(t *testing.T) {
	r := manyConnections(48)
	for i, c := range r.Connections {
		if i%2 == 0 {
			c.Confidence, c.CloserSure = analyze.Inferred, analyze.Inferred
		}
	}
	r.Warnings = []string{"the kernel dropped 7 packets"}
	doubts := 0
	for i := range listColumns {
		column := &listColumns[i]
		if column.table.at == 0 || column.table.from != whole {
			continue
		}
		if column.page.at == 0 {
			t.Errorf("the page has no column %q", column.table.title)
			continue
		}
		at := 0
		for pageColumns[at] != column {
			at++
		}
		for _, c := range r.Connections {
			words := column.table.line
			if words == nil {
				words = func(c *analyze.Connection) line { return line{text: column.text(c)} }
			}
			want := plainText(cell{words(c)})
			got := shownOnPage(pageRow(c, r.Connections[0].Start)[at])
			if got != strings.ReplaceAll(want, noBreak, " ") {
				t.Errorf("conn %d, %s: the page has %q, the table %q", c.ID, column.table.title, got, want)
			}
			doubts += strings.Count(got, "?")
		}
	}
	if doubts == 0 {
		t.Error("no ? in any of them")
	}
	var b bytes.Buffer
	if err := Write(&b, HTML, r, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, w := range Warnings(r) {
		if !strings.Contains(b.String(), "warning: "+html.EscapeString(w)) {
			t.Errorf("the page lacks the warning %q", w)
		}
	}
}

// plainText is a cell's text without its styles.
func plainText(c cell) string {
	var lines []string
	for _, l := range c {
		lines = append(lines, l.text)
	}
	return strings.Join(lines, " ")
}

// shownOnPage is what the page's script shows of a cell: its words where it has some.
func shownOnPage(value any) string {
	if pair, ok := value.([]any); ok {
		value = pair[1]
	}
	return strings.ReplaceAll(fmt.Sprint(value), noBreak, " ")
}
