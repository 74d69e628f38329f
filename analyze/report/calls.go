package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// callRow is one row of the calls table: a call with the segments that it caused, or segments
// that no call caused.
type callRow struct {
	id         int
	time       event.Time
	connection int
	call       *analyze.Call // nil for segments without a call
	segments   []*analyze.Segment
	shared     []string                // of segments that stand under another call already
	states     map[analyze.Side]string // the kernel's, or else the inferred ones
}

// callRows puts calls and the segments that no call caused in time order. No segment is left
// out: one that a call names goes under that call, every other gets a row.
func callRows(r *analyze.Result) []callRow {
	bySegment := map[uint64]*analyze.Segment{}
	owner := map[uint64]int{}     // frame to connection
	underCall := map[uint64]int{} // frame to the call it stands under
	for _, c := range r.Connections {
		for _, s := range c.Segments {
			bySegment[s.Frame] = s
			owner[s.Frame] = c.ID
		}
	}
	var rows []callRow
	for _, call := range r.Calls {
		row := callRow{id: call.ID, time: call.Start, connection: call.Connection, call: call}
		for _, f := range call.Caused {
			switch s := bySegment[f]; {
			case s != nil:
				row.segments = append(row.segments, s)
				underCall[f] = call.ID
				delete(bySegment, f)
			case underCall[f] != 0:
				row.shared = append(row.shared, fmt.Sprintf("(frame %d, also for #%d)", f, underCall[f]))
			}
		}
		rows = append(rows, row)
	}
	rest := make([]*analyze.Segment, 0, len(bySegment))
	for _, s := range bySegment {
		rest = append(rest, s)
	}
	slices.SortFunc(rest, func(a, b *analyze.Segment) int { return cmp.Compare(a.Frame, b.Frame) })
	rows = appendUncalled(rows, rest, owner)
	slices.SortStableFunc(rows, func(a, b callRow) int { return cmp.Compare(a.time, b.time) })
	fillStates(rows, r)
	return rows
}

// appendUncalled adds rows for segments that no call caused. What answers the segment in the
// row before stands in the same row.
func appendUncalled(rows []callRow, rest []*analyze.Segment, owner map[uint64]int) []callRow {
	first := len(rows)
	for _, s := range rest {
		if len(rows) > first {
			last := &rows[len(rows)-1]
			before := last.segments[len(last.segments)-1]
			if s.Root.Kind == analyze.RootAnswer && s.Answers == before.Frame {
				last.segments = append(last.segments, s)
				continue
			}
		}
		rows = append(rows, callRow{time: s.Time, connection: owner[s.Frame], segments: []*analyze.Segment{s}})
	}
	return rows
}

// fillStates gives each row the states after it: the kernel's where a call has them, else
// those that the packets show up to then.
func fillStates(rows []callRow, r *analyze.Result) {
	if hasKernelStates(r) {
		for i := range rows {
			if rows[i].call != nil {
				rows[i].states = rows[i].call.States
			}
		}
		return
	}
	byID := map[int]*analyze.Connection{}
	for _, c := range r.Connections {
		byID[c.ID] = c
	}
	for i := range rows {
		c := byID[rows[i].connection]
		if c == nil {
			continue
		}
		until := event.Time(math.MaxInt64)
		if i+1 < len(rows) {
			until = rows[i+1].time - 1
		}
		rows[i].states = map[analyze.Side]string{
			analyze.Client: stateAt(c.States.Client, until),
			analyze.Server: stateAt(c.States.Server, until),
		}
	}
}

func hasKernelStates(r *analyze.Result) bool {
	return slices.ContainsFunc(r.Calls, func(c *analyze.Call) bool { return len(c.States) > 0 })
}

// inferredStates stands under a table whose states no kernel was asked for.
var inferredStates = line{text: "The states are inferred from the packets.", style: dim}

// stateAt returns the last state entered up to t.
func stateAt(changes []analyze.StateChange, t event.Time) string {
	state := ""
	for _, c := range changes {
		if c.Time <= t {
			state = c.State.String()
		}
	}
	return state
}

// calls draws the calls table in the widest layout that fits.
func (p *printer) calls(r *analyze.Result) error {
	rows := callRows(r)
	err := p.table(len(callLayouts), func(i int) *grid { return callLayouts[i].grid(r, rows) })
	if err == nil && !hasKernelStates(r) && len(r.Connections) > 0 {
		err = p.print(inferredStates)
	}
	for _, c := range r.Connections {
		if err == nil {
			err = p.omitted(c)
		}
	}
	return err
}

// callLayout says how the calls table's columns are put together.
type callLayout struct {
	joinResult bool // the result stands in the call's column: "client close() = 0"
	states     stateColumns
	call       int // least width of the call's column
	wire       int // least width of the wire events' column
}

var callLayouts = []callLayout{
	{call: 24, wire: 30},
	{call: 22, wire: 26, states: statesJoined},
	{call: 18, wire: 18, states: statesJoined, joinResult: true},
	{call: 10, wire: 10, states: statesHidden, joinResult: true},
}

func (l callLayout) grid(r *analyze.Result, rows []callRow) *grid {
	g := &grid{columns: []column{{title: "#", right: true}, {title: "ms", right: true}, {title: "conn", right: true}}}
	g.columns = append(g.columns, column{title: "call", min: l.call})
	if !l.joinResult {
		g.columns = append(g.columns, column{title: "result", min: 14})
	}
	g.columns = append(g.columns, column{title: "wire events it caused", min: l.wire})
	g.columns = append(g.columns, l.states.columns()...)
	shown := map[stateKey]string{}
	base := baseTime(r)
	for _, row := range rows {
		g.rows = append(g.rows, l.row(r, row, base, shown))
	}
	g.dropEmpty()
	return g
}

func (l callLayout) row(r *analyze.Result, row callRow, base event.Time, shown map[stateKey]string) []cell {
	id, conn := "", ""
	if row.id != 0 {
		id = strconv.Itoa(row.id)
	}
	if len(r.Connections) > 1 && row.connection != 0 {
		conn = strconv.Itoa(row.connection)
	}
	call, result := uncalledWords(row), cell{}
	if row.call != nil {
		call, result = cell{callLine(row.call)}, cell{resultLine(row.call)}
	}
	cells := []cell{text(id), text(milliseconds(row.time, base)), text(conn)}
	if l.joinResult {
		if row.call != nil && returned(row.call) {
			result = prefixed("= ", result)
		}
		cells = append(cells, append(call, result...))
	} else {
		cells = append(cells, call, result)
	}
	return append(append(cells, wireCell(row)), l.states.cells(row, shown)...)
}

// prefixed puts mark before the first line of c.
func prefixed(mark string, c cell) cell {
	out := slices.Clone(c)
	for i := range out {
		out[i].text = mark + out[i].text
		mark = strings.Repeat(" ", len(mark))
	}
	return out
}

// wireCell lists a row's segments, or says why there are none.
func wireCell(row callRow) cell {
	var c cell
	for _, run := range fold(row.segments) {
		if len(run) > 1 {
			c = append(c, line{text: run.words(), style: dim, hang: 2})
			continue
		}
		c = append(c, wireEvent(run[0]))
	}
	for _, s := range row.shared {
		c = append(c, line{text: s, style: dim, hang: 1})
	}
	if row.call == nil {
		return c
	}
	explain := Safe(row.call.Explain)
	switch {
	case len(c) == 0 && explain == "":
		c = append(c, line{text: "—", style: dim})
	case len(c) == 0:
		c = append(c, line{text: "— " + explain, style: dim, hang: 2})
	case explain != "":
		c = append(c, line{text: "(" + explain + ")", style: dim, hang: 1})
	}
	if row.call.Note != "" {
		c = append(c, line{text: "note: " + Safe(row.call.Note), style: dim, hang: 2})
	}
	return c
}

// uncalledWords says why segments were sent that no call caused.
func uncalledWords(row callRow) cell {
	if row.call != nil {
		return nil
	}
	root := row.segments[0].Root
	words := "(cause unknown)"
	switch root.Kind {
	case analyze.RootTimer:
		words = "(kernel timer)"
		if root.Timer != "" {
			words = fmt.Sprintf("(kernel timer: %s)", Safe(root.Timer))
		}
	case analyze.RootAnswer:
		words = fmt.Sprintf("(kernel answers %d)", root.Frame)
	case analyze.RootRemote:
		words = fmt.Sprintf("(%s, not recorded)", row.segments[0].From)
	}
	return styled(dim, words)
}

// baseTime is the moment that the table counts milliseconds from.
func baseTime(r *analyze.Result) event.Time {
	base := r.Capture.First
	for _, c := range r.Calls {
		if c.Start != 0 && (base == 0 || c.Start < base) {
			base = c.Start
		}
	}
	if base == 0 {
		for _, c := range r.Connections {
			if c.Start != 0 && (base == 0 || c.Start < base) {
				base = c.Start
			}
		}
	}
	return base
}
