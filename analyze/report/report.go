// Package report shows what package analyze found: as a table for a terminal, as JSON, NDJSON,
// CSV or Markdown, as a verdict in plain words, and as pictures: a ladder in the terminal, SVG,
// Mermaid, and a page for the browser. All pictures draw the rows of one diagram.
//
// It judges nothing: every claim in its output stands in the analyze.Result. It decides no
// colour, width or line-drawing either; Options says what the terminal can show.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/closecap/closecap/analyze"
)

// Format is how a result is written.
type Format string

// The formats.
const (
	Table    Format = "table"
	JSON     Format = "json"   // one document
	NDJSON   Format = "ndjson" // one connection a line
	CSV      Format = "csv"    // one connection a line, under a heading
	Markdown Format = "markdown"
	Ladder   Format = "ladder" // a sequence diagram for a terminal
	SVG      Format = "svg"    // the same as a picture
	Mermaid  Format = "mermaid"
	HTML     Format = "html" // a page for a browser
)

// draws reports whether f draws each connection, which is for few of them.
func (f Format) draws() bool { return f == Ladder || f == SVG || f == Mermaid }

// Formats lists the formats in the order of a help text.
func Formats() []Format {
	return []Format{Table, JSON, NDJSON, CSV, Markdown, Ladder, SVG, Mermaid, HTML}
}

// ParseFormat reads a format's name. The error names the nearest one.
func ParseFormat(name string) (Format, error) {
	if f := Format(name); slices.Contains(Formats(), f) {
		return f, nil
	}
	names := make([]string, 0, len(Formats()))
	best, distance := "", 3
	for _, f := range Formats() {
		names = append(names, string(f))
		if d := levenshtein.ComputeDistance(strings.ToLower(name), string(f)); d < distance {
			best, distance = string(f), d
		}
	}
	if name == "md" {
		best = string(Markdown)
	}
	if best != "" {
		return "", fmt.Errorf("parse format: unknown format %q, did you mean %s?", name, best)
	}
	return "", fmt.Errorf("parse format: unknown format %q, known are %s", name, strings.Join(names, ", "))
}

// Options say what the output may look like. The zero value is plain ASCII of any width.
type Options struct {
	Width   int  // columns of the terminal; 0 means as wide as the content needs
	Color   bool // ANSI colours
	Box     bool // box-drawing lines and arrows; ASCII otherwise
	Summary bool // of many connections only the summary, no row for each

	// Filtered tells that the packets were picked by a filter.
	Filtered bool
}

// Write writes r, whose Connections are all there.
func Write(w io.Writer, format Format, r *analyze.Result, opt Options) error {
	if format == JSON {
		return writeDocument(w, r)
	}
	s := NewStream(w, format, opt)
	for _, c := range r.Connections {
		if err := s.Connection(c); err != nil {
			return err
		}
	}
	return s.Finish(r)
}
