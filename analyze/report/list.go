package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// listLayout is the columns that the list of connections has, from the left.
type listLayout []*listColumn

// startColumn is the column of a time of day, whose zone is the reader's.
const startColumn = "start"

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

// columns are the columns of a list whose first connection is given, with the zone of its times.
func (l listLayout) columns(first *analyze.Connection, zone *time.Location) []column {
	columns := make([]column, len(l))
	for i, c := range l {
		columns[i] = column{title: c.table.title, min: c.table.min, right: c.table.right}
		if zone != nil && c.csv == startColumn {
			name, _ := time.Unix(0, int64(first.Start)).In(zone).Zone()
			columns[i].title = "start (" + name + ")"
		}
	}
	return columns
}

// listRow is a row of the list, whose memory the next one uses again.
type listRow struct {
	cells []cell
	lines []line // of the cells, one of each
	room  []byte
}

// set makes r the row of c.
func (r *listRow) set(l listLayout, c *analyze.Connection, zone *time.Location) {
	r.cells, r.lines = r.cells[:0], r.lines[:0]
	for _, column := range l {
		one := line{}
		switch {
		case zone != nil && column.csv == startColumn:
			one.text = time.Unix(0, int64(c.Start)).In(zone).Format("15:04:05.000")
		case column.table.line != nil:
			one = column.table.line(c)
		case column.bare != nil:
			r.room = column.bare(r.room[:0], c)
			one.text = string(r.room)
		default:
			one.text = column.value(c)
		}
		r.lines = append(r.lines, one)
		r.cells = append(r.cells, r.lines[len(r.lines)-1:len(r.lines):len(r.lines)])
	}
}

func (l listLayout) row(c *analyze.Connection, zone *time.Location) []cell {
	var r listRow
	r.set(l, c, zone)
	return r.cells
}

func endsLine(c *analyze.Connection) line {
	return line{text: c.Client.String() + noBreak + "→ " + c.Server.String()}
}

// joinedEnding is the ending with the cause of a reset, who closed first, more, and how many warnings
// there are.
func joinedEnding(c *analyze.Connection, more string) line {
	words, closer := endingWords(c), closerWords(c)
	if c.Reset != nil && c.Ending != analyze.WasRefused {
		words += ": " + resetCauseWords(c)
	}
	switch {
	case c.Ending != analyze.WasReset:
	case closer == "":
		closer = "closer unknown"
	case closer == string(c.Reset.By): // it is named already
		closer = ""
	}
	if closer != "" {
		words += " (" + closer + ")"
	}
	if n := len(c.Warnings); n > 0 {
		more += ", " + count(uint64(n), "warning")
	}
	return line{text: words + more, style: endingStyle(c.Ending), hang: 2}
}

// endingWords are the ending, and who sent the RST that it was.
func endingWords(c *analyze.Connection) string {
	words := doubtedEnding(c)
	if c.Reset != nil && c.Ending == analyze.WasReset {
		words += " " + senderWords(c.Reset.By, c.Reset.Cause)
	}
	return words + lostWay(c)
}

// senderWords say that an end sent the RSTs of that cause, or that something on the way did in its name.
func senderWords(by analyze.Side, cause analyze.ResetCause) string {
	if cause == analyze.Middlebox {
		return "in the " + string(by) + "'s name"
	}
	return "by " + string(by)
}

func doubtedEnding(c *analyze.Connection) string {
	return string(c.Ending) + doubt(c.Confidence, c.Ending == analyze.UnknownEnding)
}

// resetCauseWords are a reset's cause, with what else it may be.
func resetCauseWords(c *analyze.Connection) string {
	if c.Reset == nil {
		return ""
	}
	words := Safe(string(c.Reset.Cause)) + doubt(c.Reset.Confidence, c.Reset.Cause == analyze.UnknownCause)
	if o := madeReset(c); o != nil {
		words += " between " + Safe(o.Seen) + " and " + Safe(o.Missing)
	}
	if others := candidates(c, analyze.ClaimCause, ", "); others != "" {
		words += " (maybe " + others + ")"
	}
	return words
}

// candidates are the values that a claim may have, where it is not known.
func candidates(c *analyze.Connection, claim, between string) string {
	var values []string
	for _, p := range c.Candidates {
		if p.Claim == claim {
			values = append(values, Safe(p.Value))
		}
	}
	return strings.Join(values, between)
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
	if maybe := candidates(c, analyze.ClaimCloser, " or "); maybe != "" {
		return "maybe " + maybe
	}
	words := string(c.Closer)
	if c.Simultaneous {
		words = "both at once"
	}
	return words + doubt(c.CloserSure, words == "")
}

func warningCount(c *analyze.Connection) string {
	if len(c.Warnings) == 0 {
		return ""
	}
	return strconv.Itoa(len(c.Warnings))
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

// timeOfDay is with milliseconds, in UTC.
func timeOfDay(c *analyze.Connection) string {
	if c.Start == 0 {
		return "00:00:00.000"
	}
	return c.Start.String()[len("2006-01-02T"):len("2006-01-02T15:04:05.000")]
}
