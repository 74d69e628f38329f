package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// rowClass says what a row looks like.
func (p *drawing) rowClass(row *svgRow) string {
	switch row.kind {
	case callRowKind:
		if row.call.Errno != "" && row.part != callBegins {
			return "call failed"
		}
		return "call"
	case foldKind:
		return "folded"
	case stateKind:
		return "change"
	case timeWaitKind:
		return "timewait"
	}
	return segmentClass(row.segments[0])
}

// segmentClass says what a segment looks like.
func segmentClass(s *analyze.Segment) string {
	class := "segment " + escape(string(s.Kind))
	if s.Flags.Has(event.RST) {
		class = "segment rst"
	}
	if s.Retransmits != 0 {
		class += " again"
	}
	if s.Lost != "" {
		class += " lost"
	}
	if s.Ignored != "" {
		class += " ignored"
	}
	return class
}

// attributes collects data attributes.
type attributes struct{ strings.Builder }

func (a *attributes) add(name, value string) {
	if value != "" {
		fmt.Fprintf(a, ` data-%s="%s"`, name, escape(Safe(value)))
	}
}

func (a *attributes) number(name string, n int64) { a.add(name, strconv.FormatInt(n, 10)) }

// rowData says all that a row shows in attributes, which scripts and tests read.
func (p *drawing) rowData(row *svgRow) string {
	var a attributes
	a.number("connection", int64(p.conn.ID))
	switch row.kind {
	case callRowKind:
		callData(&a, row.call)
		a.add("part", [...]string{wholeCall: "", callBegins: "begins", callReturns: "returns"}[row.part])
	case segmentKind:
		p.segmentData(&a, row.segments[0])
	case foldKind:
		a.add("frames", numbers(tabled(row.segments), func(s *analyze.Segment) uint64 { return s.Frame }))
		a.add("calls", numbers(tabled(row.calls), func(c *analyze.Call) uint64 { return uint64(c.ID) }))
	case timeWaitKind:
		a.add("holder", string(row.wait.Holder))
		a.add("until", row.wait.Until.String())
	}
	for _, side := range bothSides {
		names := map[bool][]string{}
		for _, e := range row.entered[lifeline(side)] {
			names[e.asked] = append(names[e.asked], e.name)
		}
		a.add("enters-"+string(side), strings.Join(names[false], " "))
		a.add("kernel-"+string(side), strings.Join(names[true], " "))
	}
	return a.String()
}

// tabled leaves out of list what a page's table leaves out as well.
func tabled[T any](list []T) []T {
	from, to := leftOut(len(list))
	return slices.Concat(list[:from], list[to:])
}

// callData are the attributes of a call, in the table and in the picture.
func callData(a *attributes, c *analyze.Call) {
	a.number("call", int64(c.ID))
	a.add("side", string(c.Side))
	a.add("caused", numbers(c.Caused, func(f uint64) uint64 { return f }))
	a.add("returned-by", numbers(c.ReturnedBy, func(f uint64) uint64 { return f }))
	a.number("ret", c.Ret)
	a.add("errno", c.Errno)
}

// segmentData are the attributes of a segment, in the table and in the picture.
func (d *diagram) segmentData(a *attributes, s *analyze.Segment) {
	a.number("frame", int64(s.Frame))
	a.add("from", string(s.From))
	a.add("flags", s.FlagText)
	a.number("seq", s.Seq)
	a.number("ack", s.Ack)
	a.number("len", int64(s.Len))
	a.add("kind", string(s.Kind))
	if s.Retransmits != 0 {
		a.number("retransmits", int64(s.Retransmits))
	}
	a.add("lost", s.Lost)
	a.add("roots", numbers(rootCalls(s), func(id int) uint64 { return uint64(id) }))
	a.add("returned", numbers(d.made[s.Frame], func(c *analyze.Call) uint64 { return uint64(c.ID) }))
}

// rootCalls are the calls that led to s.
func rootCalls(s *analyze.Segment) []int {
	if len(s.Root.Calls) > 0 {
		return s.Root.Calls
	}
	if s.Root.Call != 0 {
		return []int{s.Root.Call}
	}
	return nil
}

// numbers writes numbers with spaces between them.
func numbers[T any](list []T, of func(T) uint64) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = strconv.FormatUint(of(v), 10)
	}
	return strings.Join(words, " ")
}

// spoken says a row in one sentence, for those who hear the picture.
func (p *drawing) spoken(row *svgRow) string {
	var parts []string
	switch row.kind {
	case segmentKind:
		s := row.segments[0]
		parts = append(parts, fmt.Sprintf("frame %d, %s to %s: %s", s.Frame, s.From, s.From.Other(), Safe(segmentLabel(s))))
		if s.Lost != "" {
			parts = append(parts, Safe(s.Lost))
		}
	case foldKind:
		_, detail := foldWords(row.diagramRow)
		parts = append(parts, detail)
	case callRowKind:
		parts = append(parts, "call "+callNumber(row.diagramRow))
		if row.side == analyze.NoSide {
			parts = append(parts, stepWords(row.call))
		}
	}
	for column, labels := range p.sideLabels(row.diagramRow) {
		for _, l := range labels {
			parts = append(parts, string(bothSides[column])+" "+plainSpaces(l.text))
		}
	}
	return strings.Join(parts, ", ")
}
