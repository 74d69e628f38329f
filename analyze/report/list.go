package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// listLayout is the columns that the list of connections has, from the left.
type listLayout []*listColumn

// listLayouts are the widest first.
var listLayouts = func() (layouts [bare + 1]listLayout) {
	for i := range listColumns {
		c := &listColumns[i]
		for l := c.table.from; c.table.at > 0 && l <= c.table.to; l++ {
			layouts[l] = append(layouts[l], c)
		}
	}
	for _, l := range layouts {
		slices.SortStableFunc(l, func(a, b *listColumn) int { return cmp.Compare(a.table.at, b.table.at) })
	}
	return layouts
}()

func (l listLayout) columns() []column {
	columns := make([]column, len(l))
	for i, c := range l {
		columns[i] = column{title: c.table.title, min: c.table.min, right: c.table.right}
	}
	return columns
}

func (l listLayout) row(c *analyze.Connection) []cell {
	cells := make([]cell, len(l))
	for i, column := range l {
		if column.table.cell == nil {
			cells[i] = text(column.value(c))
			continue
		}
		cells[i] = column.table.cell(c)
	}
	return cells
}

func endsCell(c *analyze.Connection) cell {
	return text(c.Client.String() + noBreak + "→ " + c.Server.String())
}

// joinedEnding is the ending with who closed first, the cause of a reset, and more.
func joinedEnding(c *analyze.Connection, more string) cell {
	words, closer := endingWords(c), closerWords(c)
	switch cause := doubtedCause(c); {
	case cause != "" && c.Ending == analyze.WasReset:
		words += " by " + string(c.Reset.By) + ": " + cause
	case c.Simultaneous:
		words += " (both at once)"
	case closer != "" && c.Reset == nil:
		words += " (" + closer + ")"
	}
	return cell{{text: words + more, style: endingStyle(c.Ending), hang: 2}}
}

func endingWords(c *analyze.Connection) string {
	return string(c.Ending) + doubt(c.Confidence, c.Ending == analyze.UnknownEnding)
}

func doubtedCause(c *analyze.Connection) string {
	if c.Reset == nil {
		return ""
	}
	return Safe(string(c.Reset.Cause)) + doubt(c.Reset.Confidence, c.Reset.Cause == analyze.UnknownCause)
}

// doubt marks a claim that does not stand in the packets themselves. What is called unknown
// claims nothing.
func doubt(confidence analyze.Confidence, unknown bool) string {
	if !unknown && (confidence == analyze.Inferred || confidence == analyze.Unknown) {
		return "?"
	}
	return ""
}

func closerWords(c *analyze.Connection) string {
	if c.Simultaneous {
		return "both at once"
	}
	return string(c.Closer)
}

func lostWords(c *analyze.Connection) string {
	if n := c.LostBytes().Sum(); n > 0 {
		return grouped(n)
	}
	return ""
}

func halfCloseSpan(c *analyze.Connection) string {
	if c.HalfClose == nil {
		return ""
	}
	return span(event.Time(c.HalfClose.NS).Sub(0))
}

func lastedWords(c *analyze.Connection) string { return span(c.End.Sub(c.Start)) }

func timeOfDay(c *analyze.Connection) string { return strings.TrimSuffix(clock(c.Start), " UTC") }
