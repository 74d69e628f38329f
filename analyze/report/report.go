// Package report shows what package analyze found: as a table for a terminal, as JSON, NDJSON,
// CSV or Markdown, as a verdict in plain words, and as pictures: a ladder in the terminal, SVG,
// Mermaid, and a page for the browser. All pictures draw the rows of one diagram.
//
// It judges nothing: every claim in its output stands in what it is given, an analyze.Result, an
// endings.Connection or a sockets.Listing, and what it assumes to reckon with is called so. It decides no
// colour, width or line-drawing either; Options says what the terminal can show.
package report

import (
	"io"
	"time"

	"github.com/closecap/closecap/analyze"
)

// Options say what the output may look like. The zero value is plain ASCII of any width.
type Options struct {
	Width   int  // columns of the terminal; 0 means as wide as the content needs
	Color   bool // ANSI colours
	Box     bool // box-drawing lines and arrows; ASCII otherwise
	Summary bool // of many connections only the summary, no row for each
	Brief   bool // NDJSON without the states and segments of connections

	// Command is what was traced, for the header.
	Command string

	// Again is the command that reads the same connections, to which a finding adds the flags that pick some of
	// them; "" where there is none.
	Again string

	// TooNarrow is called where nothing fits into Width: columns would be enough. nil is nobody.
	TooNarrow func(columns int)

	// Zone is the zone of times of day in tables, ladders and verdicts; nil is UTC.
	Zone *time.Location

	// TimeWait is how long an end stays in TIME_WAIT; 0 means analyze.DefaultTimeWait.
	TimeWait time.Duration

	// Filtered tells that the packets were picked by a filter.
	Filtered bool
}

// Write writes r, whose Connections are all there.
func Write(w io.Writer, format Format, r *analyze.Result, opt Options) error {
	s := NewStream(w, format, opt)
	for _, c := range r.Connections {
		if err := s.Connection(c); err != nil {
			return err
		}
	}
	return s.Finish(r)
}
