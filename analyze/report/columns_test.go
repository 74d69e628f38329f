package report

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
)

// TestListColumnsAreWhole holds each row of the columns to what its places need, and names to
// being one column's only.
func TestListColumnsAreWhole(t *testing.T) {
	names, keys := map[string]bool{}, map[string]bool{}
	for i, c := range listColumns {
		if c.csv == "" && c.table.at == 0 {
			t.Errorf("row %d stands nowhere", i)
		}
		if c.csv != "" && (names[c.csv] || (c.value == nil) == (c.bare == nil)) {
			t.Errorf("%s: twice, or without a value", c.csv)
		}
		names[c.csv] = true
		if c.table.at > 0 && (c.table.title == "" || c.table.from > c.table.to || c.table.line == nil && c.csv == "") {
			t.Errorf("row %d: %+v", i, c.table)
		}
		if p := c.page; p.at > 0 {
			if p.key == "" || keys[p.key] || c.table.title == "" || p.sort == nil && c.csv == "" || p.style != nil && p.words == nil {
				t.Errorf("row %d: %+v", i, p)
			}
			keys[p.key] = true
		}
	}
	for _, key := range []string{"id", "ending", "cause", "client", "server"} { // page.js asks for them
		if !keys[key] {
			t.Errorf("the page has no column %q", key)
		}
	}
}

// TestListLayouts shows which columns each layout has.
func TestListLayouts(t *testing.T) {
	want := []string{
		"#, client, server, start (UTC), lasted, bytes →, bytes ←, ending, first closer, reset cause, half-close, lost, warnings",
		"#, client, server, start (UTC), lasted, bytes →, bytes ←, ending (closer), half-close, lost",
		"#, client → server, start (UTC), lasted, bytes →, bytes ←, ending (closer), half-close, lost",
		"#, client → server, lasted, bytes →, bytes ←, ending (closer), lost",
		"#, client → server, lasted, ending (closer)",
	}
	for i, l := range listLayouts {
		var titles []string
		for _, c := range l.columns(&analyze.Connection{}, nil) {
			titles = append(titles, c.title)
		}
		if got := strings.Join(titles, ", "); got != want[i] {
			t.Errorf("layout %d: %s, want %s", i, got, want[i])
		}
		if got := len(l.row(&analyze.Connection{}, nil)); got != len(titles) {
			t.Errorf("layout %d: %d cells under %d titles", i, got, len(titles))
		}
	}
}
