package report

import (
	"cmp"
	"fmt"
	"iter"
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
	time       event.Time
	connection int
	call       *analyze.Call   // nil for segments without a call
	also       []*analyze.Call // that stand in the same row, after call
	segments   []*analyze.Segment
	shared     []string // of segments that stand under another call already
}

// shownSegment is a segment with the row that it stands in.
type shownSegment struct {
	*analyze.Segment
	connection int
	call       *analyze.Call // it stands under; nil for none
}

// callRows puts calls and the segments that no call caused in time order. No segment is left
// out: one that a call names goes under that call, every other gets a row.
func callRows(r *analyze.Result) []callRow {
	all := shownSegments(r)
	byID := connectionsByID(r)
	rows := make([]callRow, 0, len(r.Calls))
	for _, call := range r.Calls {
		row := callRow{time: call.Start, connection: call.Connection, call: call}
		for _, f := range call.Caused {
			i, found := slices.BinarySearchFunc(all, f, func(s shownSegment, f uint64) int { return cmp.Compare(s.Frame, f) })
			switch {
			case !found:
			case all[i].call == nil:
				row.segments = append(row.segments, seenFrom(byID[row.connection], byID[all[i].connection], all[i].Segment))
				all[i].call = call
			default:
				row.shared = append(row.shared, fmt.Sprintf("(frame %d, also for #%d)", f, all[i].call.ID))
			}
		}
		rows = append(rows, row)
	}
	return mergeRows(rows, uncalled(all))
}

// seenFrom returns s as the row of a connection shows it: where s is of another connection between the
// same endpoints, of which each is the other's client, it is turned, so that in one row all arrows point
// the way of the row's own connection.
func seenFrom(row *analyze.Connection, of *analyze.Connection, s *analyze.Segment) *analyze.Segment {
	if row == nil || of == nil || row == of || row.Client != of.Server || row.Server != of.Client {
		return s
	}
	t := *s
	t.From = s.From.Other()
	return &t
}

// shownSegments lists the segments of all connections by frame.
func shownSegments(r *analyze.Result) []shownSegment {
	n := 0
	for _, c := range r.Connections {
		n += len(c.Segments)
	}
	all := make([]shownSegment, 0, n)
	for _, c := range r.Connections {
		for _, s := range c.Segments {
			all = append(all, shownSegment{Segment: s, connection: c.ID})
		}
	}
	slices.SortStableFunc(all, func(a, b shownSegment) int { return cmp.Compare(a.Frame, b.Frame) })
	return all
}

// mergeRows merges rows of calls and rows of segments into one order of time. At one moment calls
// come first.
func mergeRows(calls, segments []callRow) []callRow {
	byTime := func(a, b callRow) int { return cmp.Compare(a.time, b.time) }
	for _, rows := range [][]callRow{calls, segments} {
		if !slices.IsSortedFunc(rows, byTime) {
			slices.SortStableFunc(rows, byTime)
		}
	}
	if len(segments) == 0 {
		return calls
	}
	rows := make([]callRow, 0, len(calls)+len(segments))
	for _, s := range segments {
		for len(calls) > 0 && calls[0].time <= s.time {
			rows, calls = append(rows, calls[0]), calls[1:]
		}
		rows = append(rows, s)
	}
	return append(rows, calls...)
}

// uncalled returns rows for segments that no call caused. What answers the segment in the row
// before stands in the same row.
func uncalled(all []shownSegment) []callRow {
	var rows []callRow
	for i := range all {
		s := &all[i]
		if s.call != nil {
			continue
		}
		if len(rows) > 0 {
			last := &rows[len(rows)-1]
			before := last.segments[len(last.segments)-1]
			if s.Root.Kind == analyze.RootAnswer && s.Answers == before.Frame {
				last.segments = append(last.segments, s.Segment)
				continue
			}
		}
		rows = append(rows, callRow{time: s.Time, connection: s.connection, segments: []*analyze.Segment{s.Segment}})
	}
	return rows
}

func connectionsByID(r *analyze.Result) map[int]*analyze.Connection {
	byID := make(map[int]*analyze.Connection, len(r.Connections))
	for _, c := range r.Connections {
		byID[c.ID] = c
	}
	return byID
}

// rowStates says of each row of r which states the ends are in after it, client's and server's: the
// kernel's where a call has them, else those that the packets show up to then.
func rowStates(rows []callRow, r *analyze.Result) func(i int) [2]string {
	if hasKernelStates(r) {
		return func(i int) (states [2]string) {
			if c := rows[i].call; c != nil {
				states = [2]string{c.States[analyze.Client], c.States[analyze.Server]}
			}
			return states
		}
	}
	byID := connectionsByID(r)
	return func(i int) (states [2]string) {
		c := byID[rows[i].connection]
		if c == nil {
			return states
		}
		until := event.Time(math.MaxInt64)
		if i+1 < len(rows) {
			until = rows[i+1].time - 1
		}
		return [2]string{stateAt(c.States.Client, until), stateAt(c.States.Server, until)}
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
	rows := foldSetUp(callRows(r))
	var err error
	if len(rows) <= heldRows {
		err = p.table(len(callLayouts), func(i int) *grid { return callLayouts[i].grid(r, rows) })
	} else {
		err = p.longTable(len(callLayouts), func(i int) ([]column, iter.Seq[[]cell]) {
			return callLayouts[i].columns(), callLayouts[i].rows(r, rows)
		})
	}
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
	g := &grid{columns: l.columns()}
	for cells := range l.rows(r, rows) {
		row := make([]cell, len(cells))
		for i, c := range cells {
			row[i] = slices.Clone(c)
		}
		g.add(row...)
	}
	g.dropEmpty()
	return g
}

func (l callLayout) columns() []column {
	columns := []column{{title: "#", right: true}, {title: "ms", right: true}, {title: "conn", right: true}}
	columns = append(columns, column{title: "call", min: l.call})
	if !l.joinResult {
		columns = append(columns, column{title: "result", min: 14})
	}
	columns = append(columns, column{title: "wire events it caused", min: l.wire})
	return append(columns, l.states.columns()...)
}

// rows makes the cells of each row, good until the next.
func (l callLayout) rows(r *analyze.Result, rows []callRow) iter.Seq[[]cell] {
	return func(yield func([]cell) bool) {
		var cells []cell
		var lines []line
		shown := map[stateKey]string{}
		base, states, named := baseTime(r), rowStates(rows, r), namedBefore(rows)
		for i, row := range rows {
			cells, lines = l.appendRow(cells[:0], lines[:0], r, row, base, named(i))
			cells = append(cells, l.states.cells(row.connection, states(i), shown)...)
			if !yield(cells) {
				return
			}
		}
	}
}

// appendRow appends a row's cells, of which those of one line share the memory of lines. Where named, the
// row before names its process.
func (l callLayout) appendRow(cells []cell, lines []line, r *analyze.Result, row callRow, base event.Time, named bool) ([]cell, []line) {
	single := func(one line) cell {
		lines = append(lines, one)
		return lines[len(lines)-1 : len(lines) : len(lines)]
	}
	id, conn := row.number(), ""
	if len(r.Connections) > 1 && row.connection != 0 {
		conn = strconv.Itoa(row.connection)
	}
	call, result := uncalledWords(row), cell{}
	if row.call != nil {
		call, result = single(row.callsLine(named)), single(resultLine(row.call))
	}
	cells = append(cells, single(line{text: id}), single(line{text: milliseconds(row.time, base)}), single(line{text: conn}))
	if l.joinResult {
		if row.call != nil && returned(row.call) && result.text() != "" {
			result = prefixed("= ", result)
		}
		cells = append(cells, append(call, result...))
	} else {
		cells = append(cells, call, result)
	}
	return append(cells, wireCell(row)), lines
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
		words = fmt.Sprintf("(%s, not recorded)", cmp.Or(Safe(root.Why), string(row.segments[0].From)))
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
