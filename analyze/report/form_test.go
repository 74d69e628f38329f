package report

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
)

func TestParseFormat(t *testing.T) {
	for _, f := range Formats() {
		if got, err := ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("ParseFormat(%s) = %v, %v, want itself", f, got, err)
		}
	}
	for name, want := range map[string]string{
		"jsn":   `did you mean "json"?`,
		"JSON":  `did you mean "json"?`,
		"tabel": `did you mean "table"?`,
		"md":    `did you mean "markdown"?`,
		"photo": "known: table, ladder, svg, mermaid, html, json",
		"":      "known: table, ladder, svg, mermaid, html, json",
	} {
		if _, err := ParseFormat(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseFormat(%q) = %v, want %q", name, err, want)
		}
	}
}

// Every row of forms is whole, and asked for under its own name.
func TestForms(t *testing.T) {
	for _, f := range forms {
		if f.format == "" || f.about == "" || f.connections == nil {
			t.Errorf("form %q is not whole: %+v", f.format, f)
		}
		if got := formOf(f.format); got.format != f.format {
			t.Errorf("formOf(%s) = %s", f.format, got.format)
		}
	}
	for got, want := range map[string]string{
		Or(Formats()):             "table, ladder, svg, mermaid, html, json, ndjson, csv, zeek, zeek-json or markdown",
		Or(CatalogueFormats()):    "table, json, ndjson, csv or markdown",
		Or(ComparisonFormats()):   "table, html, json or markdown",
		And(SummaryFormats()):     "table and markdown",
		Or([]Format{NDJSON}):      "ndjson",
		Or([]Format{NDJSON, CSV}): "ndjson or csv",
	} {
		if got != want {
			t.Errorf("formats: %q, want %q", got, want)
		}
	}
	if err := WriteCatalogue(io.Discard, SVG, someCatalogue(), Options{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("WriteCatalogue(svg) = %v, want %v", err, errors.ErrUnsupported)
	}
	if err := WriteComparison(io.Discard, CSV, comparisonFixture(), false, Options{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("WriteComparison(csv) = %v, want %v", err, errors.ErrUnsupported)
	}
}

// A format shows what other tools would say where its row says so, and nowhere else: of one connection, with its
// segments, and of many.
func TestShowsCompat(t *testing.T) {
	for _, f := range forms {
		shows := false
		for _, n := range []int{1, 2 * fittedConnections} {
			r := manyConnections(n)
			with := render(t, f.format, r, Options{Width: 120})
			for _, c := range r.Connections {
				c.Compat = analyze.Compat{}
			}
			shows = shows || render(t, f.format, r, Options{Width: 120}) != with
		}
		if shows != f.format.ShowsCompat() {
			t.Errorf("%s shows what other tools would say: %v, want %v", f.format, shows, f.format.ShowsCompat())
		}
	}
}
