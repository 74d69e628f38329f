package report

import (
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// listLayout says which columns the list of connections has.
type listLayout struct {
	joinEnds   bool // both addresses in one column
	joinEnding bool // closer and cause stand with the ending
	lean       bool // neither start nor half-close
	bare       bool // no bytes either, lost ones stand with the ending
}

var listLayouts = []listLayout{
	{},
	{joinEnding: true},
	{joinEnding: true, joinEnds: true},
	{joinEnding: true, joinEnds: true, lean: true},
	{joinEnding: true, joinEnds: true, lean: true, bare: true},
}

func (l listLayout) columns() []column {
	columns := []column{{title: "#", right: true}}
	if l.joinEnds {
		columns = append(columns, column{title: "client → server", min: 20})
	} else {
		columns = append(columns, column{title: "client"}, column{title: "server"})
	}
	if !l.lean {
		columns = append(columns, column{title: "start (UTC)"})
	}
	columns = append(columns, column{title: "lasted", right: true})
	if !l.bare {
		columns = append(columns, column{title: "bytes →", right: true}, column{title: "bytes ←", right: true})
	}
	if l.joinEnding {
		columns = append(columns, column{title: "ending (closer)", min: 12})
	} else {
		columns = append(columns, column{title: "ending"}, column{title: "first closer"}, column{title: "reset cause"})
	}
	if !l.lean {
		columns = append(columns, column{title: "half-close", right: true})
	}
	if l.bare {
		return columns
	}
	return append(columns, column{title: "lost", right: true})
}

func (l listLayout) row(c *analyze.Connection) []cell {
	cells := []cell{text(strconv.Itoa(c.ID))}
	if l.joinEnds {
		cells = append(cells, text(c.Client.String()+noBreak+"→ "+c.Server.String()))
	} else {
		cells = append(cells, text(c.Client.String()), text(c.Server.String()))
	}
	if !l.lean {
		cells = append(cells, text(strings.TrimSuffix(clock(c.Start), " UTC")))
	}
	cells = append(cells, text(together(span(c.End.Sub(c.Start)))))
	if !l.bare {
		cells = append(cells, text(grouped(c.Bytes.Client)), text(grouped(c.Bytes.Server)))
	}
	cells = append(cells, l.endingCells(c)...)
	if !l.lean {
		half := ""
		if c.HalfClose != nil {
			half = together(span(event.Time(c.HalfClose.NS).Sub(0)))
		}
		cells = append(cells, text(half))
	}
	if l.bare {
		return cells
	}
	lost := ""
	if n := c.LostBytes().Sum(); n > 0 {
		lost = grouped(n)
	}
	return append(cells, styled(bad, lost))
}

func (l listLayout) endingCells(c *analyze.Connection) []cell {
	st := endingStyle(c.Ending)
	closer, cause := closerWords(c), ""
	if c.Reset != nil {
		cause = Safe(string(c.Reset.Cause)) + doubt(c.Reset.Confidence, c.Reset.Cause == analyze.UnknownCause)
	}
	words := string(c.Ending) + doubt(c.Confidence, c.Ending == analyze.UnknownEnding)
	if !l.joinEnding {
		return []cell{styled(st, words), text(closer), text(cause)}
	}
	switch {
	case cause != "" && c.Ending == analyze.WasReset:
		words += " by " + string(c.Reset.By) + ": " + cause
	case c.Simultaneous:
		words += " (both at once)"
	case closer != "" && c.Reset == nil:
		words += " (" + closer + ")"
	}
	if n := c.LostBytes().Sum(); n > 0 && l.bare {
		words += ", lost " + grouped(n)
	}
	return []cell{{{text: words, style: st, hang: 2}}}
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
