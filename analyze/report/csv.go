package report

import (
	"strings"

	"github.com/closecap/closecap/analyze"
)

// csvColumns are the columns of the CSV form, one row a connection.
var csvColumns = func() (columns []*listColumn) {
	for i := range listColumns {
		if listColumns[i].csv != "" {
			columns = append(columns, &listColumns[i])
		}
	}
	return columns
}()

func newCSVBody(s *Stream) body {
	return &linesBody{Stream: s, heading: csvHeading(), line: appendCSV}
}

func csvHeading() string {
	names := make([]string, len(csvColumns))
	for i, c := range csvColumns {
		names[i] = c.csv
	}
	return strings.Join(names, ",") + "\n"
}

func appendCSV(b []byte, c *analyze.Connection) []byte {
	for i, column := range csvColumns {
		if i > 0 {
			b = append(b, ',')
		}
		if column.bare != nil {
			b = column.bare(b, c)
		} else {
			b = appendField(b, column.value(c))
		}
	}
	return append(b, '\n')
}

// appendRow appends a line of n fields.
func appendRow(b []byte, n int, field func(i int) string) []byte {
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendField(b, field(i))
	}
	return append(b, '\n')
}

// appendField quotes s where RFC 4180 asks for it. Text that a spreadsheet would take for a
// formula gets an apostrophe before it.
func appendField(b []byte, s string) []byte {
	if isBare(s) { // as nearly all are: looking for each exception took a sixth of the instructions
		return append(b, s...)
	}
	s = Safe(s)
	if s != "" && strings.IndexByte("=+-@", s[0]) >= 0 {
		s = "'" + s
	}
	if !strings.ContainsAny(s, ",\"\n\r") {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}

// isBare reports whether s needs neither quotes nor an apostrophe, nor an escape.
func isBare(s string) bool {
	for i := range len(s) {
		if !bareBytes[s[i]] {
			return false
		}
	}
	return s == "" || strings.IndexByte("=+-@", s[0]) < 0
}

// bareBytes are the bytes that may stand anywhere in a bare field.
var bareBytes = func() (bare [256]bool) {
	for c := '!'; c <= '~'; c++ {
		bare[c] = c != '"' && c != ','
	}
	return bare
}()
