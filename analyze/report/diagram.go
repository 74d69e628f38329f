package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// diagram is a connection as rows in time. Ladder, SVG and Mermaid draw these rows and nothing
// else, so they cannot disagree.
type diagram struct {
	conn   *analyze.Connection
	base   event.Time // what times are counted from
	zone   *time.Location
	rows   []diagramRow
	made   map[uint64][]*analyze.Call // by frame: the calls that it made return
	actors [2]string                  // who makes the calls of each end; the end's name where several do
	first  *analyze.Segment           // that began the end; nil where nobody is known to have
}

// rowKind is what a row of a diagram shows.
type rowKind uint8

const (
	callRowKind  rowKind = iota // a call, at its side
	segmentKind                 // a segment from side to side
	foldKind                    // an uneventful stretch of a transfer
	stateKind                   // a state entered without a segment
	timeWaitKind                // the end of a stay in TIME_WAIT
)

// callPart says which part of a call a row shows. A call that waits while other things happen
// has a row where it begins and one where it returns.
type callPart uint8

const (
	wholeCall callPart = iota
	callBegins
	callReturns
)

// diagramRow is one thing that happened.
type diagramRow struct {
	kind     rowKind
	number   uint64 // frame or call; 0 where there is none
	time     event.Time
	side     analyze.Side // the call's, the segment's sender's, the state's; "" for a step of the script
	call     *analyze.Call
	part     callPart
	segments []*analyze.Segment // one; several when folded
	calls    []*analyze.Call    // folded with the segments
	wait     *analyze.TimeWait
	entered  [2][]stateEntry // states entered here, of client and server
	after    [2]string       // both ends' states after the row; "" while unknown
	waiting  [2]bool         // a call of that side has begun and not returned
}

// stateEntry is a state that an end enters.
type stateEntry struct {
	name  string
	asked bool // the kernel said so after a call, the packets do not
}

// lifeline returns 0 for the client's and 1 for the server's.
func lifeline(s analyze.Side) int {
	if s == analyze.Server {
		return 1
	}
	return 0
}

var bothSides = [2]analyze.Side{analyze.Client, analyze.Server}

// newDiagram lays out connection c of o. Calls that belong to no connection are shown with
// the first.
func newDiagram(o *outline, c *analyze.Connection) *diagram {
	d := &diagram{conn: c, base: c.Start, first: firstClosing(c), made: map[uint64][]*analyze.Call{}}
	if len(o.result.Calls) > 0 {
		d.base = o.base
	}
	rows := d.callRows(o)
	for _, s := range c.Segments {
		rows = append(rows, diagramRow{kind: segmentKind, number: s.Frame, time: s.Time, side: s.From, segments: []*analyze.Segment{s}})
	}
	d.nameActors(rows)
	sortRows(rows)
	d.rows = cutMiddle(splitCalls(d.fold(rows)))
	d.addStates(o)
	d.addTimeWait()
	d.markWaiting()
	return d
}

// callRows makes a row of each call of the connection.
func (d *diagram) callRows(o *outline) []diagramRow {
	sockets := d.socketSides(o)
	var rows []diagramRow
	for _, c := range o.shown(d.conn) {
		for _, f := range c.ReturnedBy {
			d.made[f] = append(d.made[f], c)
		}
		side := c.Side
		if c.FD >= 0 {
			side = cmp.Or(side, d.addressSide(c), sockets[c.Socket], o.actors[c.Actor])
		}
		rows = append(rows, diagramRow{number: uint64(c.ID), time: c.Start, side: side, call: c})
	}
	return rows
}

// nameActors finds out who makes the calls of each end.
func (d *diagram) nameActors(rows []diagramRow) {
	for _, side := range bothSides {
		names := map[string]bool{}
		for i := range rows {
			if rows[i].call != nil && rows[i].side == side {
				names[rows[i].call.Actor] = true
			}
		}
		actor := &d.actors[lifeline(side)]
		*actor = string(side)
		for name := range names {
			if len(names) == 1 && name != "" {
				*actor = name
			}
		}
	}
}

// addressSide says which end of the connection has the address of c's socket, if one has.
func (d *diagram) addressSide(c *analyze.Call) analyze.Side {
	switch {
	case c.FD < 0 || !c.Local.IsValid() || c.Connection != 0:
		return analyze.NoSide
	case c.Local.Port() == d.conn.Server.Port():
		return analyze.Server
	case c.Local.Port() == d.conn.Client.Port():
		return analyze.Client
	}
	return analyze.NoSide
}

// socketSides says at which end each socket is that has an end's address, as a listener has.
func (d *diagram) socketSides(o *outline) map[uint64]analyze.Side {
	sides := map[uint64]analyze.Side{}
	for _, c := range o.bound {
		if side := d.addressSide(c); side != analyze.NoSide {
			sides[c.Socket] = side
		}
	}
	return sides
}

// actorSides says at which end each actor stands, "" for one that stands at both.
func actorSides(r *analyze.Result) map[string]analyze.Side {
	sides := map[string]analyze.Side{}
	for _, c := range r.Calls {
		if c.Side == analyze.NoSide || c.FD < 0 {
			continue
		}
		if side, seen := sides[c.Actor]; seen && side != c.Side {
			sides[c.Actor] = analyze.NoSide
			continue
		}
		sides[c.Actor] = c.Side
	}
	return sides
}

// sortRows puts rows in time order. Rows of one moment keep the order of their numbers: a
// recording counts calls and packets together.
func sortRows(rows []diagramRow) {
	slices.SortStableFunc(rows, func(a, b diagramRow) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.number, b.number))
	})
}

// splitCalls gives a call a second row for its return, where something that it did not cause
// happened before it returned.
func splitCalls(rows []diagramRow) []diagramRow {
	var returns []diagramRow
	for i := range rows {
		c := rows[i].call
		if c == nil || rows[i].side == analyze.NoSide || c.EndsProcess() {
			continue
		}
		if !returned(c) {
			rows[i].part = callBegins
			continue
		}
		if !interrupted(c, rows[i+1:]) {
			continue
		}
		rows[i].part = callBegins
		back := rows[i]
		back.part, back.time = callReturns, c.End
		returns = append(returns, back)
	}
	rows = append(rows, returns...)
	sortRows(rows)
	return rows
}

// interrupted reports whether something that c did not cause happened while it ran.
func interrupted(c *analyze.Call, later []diagramRow) bool {
	for i := range later {
		if later[i].time >= c.End {
			return false
		}
		if _, caused := slices.BinarySearch(c.Caused, later[i].number); later[i].call != nil || !caused {
			return true
		}
	}
	return false
}

// addTimeWait ends the diagram with the end of each stay in TIME_WAIT.
func (d *diagram) addTimeWait() {
	for i := range d.conn.TimeWait {
		w := &d.conn.TimeWait[i]
		row := diagramRow{kind: timeWaitKind, time: w.Until, side: w.Holder, wait: w}
		if len(d.rows) > 0 {
			row.after = d.rows[len(d.rows)-1].after
		}
		d.rows = append(d.rows, row)
	}
}

// markWaiting says of each row which ends have a call that waits there.
func (d *diagram) markWaiting() {
	var open [2]int
	for i := range d.rows {
		row := &d.rows[i]
		column := lifeline(row.side)
		if row.part == callReturns {
			open[column]--
		}
		row.waiting = [2]bool{open[0] > 0, open[1] > 0}
		if row.part == callBegins {
			open[column]++
		}
	}
}
