package report

import (
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// addStates writes at each row which states the ends enter there, and which they are in after
// it. The kernel's word, taken right after a call, stands where it differs from the packets'.
func (d *diagram) addStates(o *outline) {
	for _, side := range bothSides {
		column := lifeline(side)
		for _, ch := range *d.conn.States.Of(side) {
			row := &d.rows[d.rowOf(ch, side)]
			row.entered[column] = append(row.entered[column], stateEntry{name: ch.State.String()})
		}
	}
	d.follow()
	until := o.until(d.conn)
	for _, c := range inOneOrder(o.calls[d.conn.ID], o.sampled) {
		d.ask(c, until)
	}
}

// rowOf returns the index of the row in which side makes the change, which it adds where no
// row shows the frame.
func (d *diagram) rowOf(ch analyze.StateChange, side analyze.Side) int {
	for i := range d.rows {
		for _, s := range d.rows[i].segments {
			if ch.Frame != 0 && s.Frame == ch.Frame {
				return i
			}
		}
	}
	at := d.rowBefore(ch.Time) + 1
	d.rows = slices.Insert(d.rows, at, diagramRow{kind: stateKind, time: ch.Time, side: side})
	return at
}

// rowBefore returns the index of the last row up to t, -1 when there is none.
func (d *diagram) rowBefore(t event.Time) int {
	last := -1
	for i := range d.rows {
		if d.rows[i].time <= t {
			last = i
		}
	}
	return last
}

// follow carries the states entered down the rows.
func (d *diagram) follow() {
	var now [2]string
	for i := range d.rows {
		row := &d.rows[i]
		for column := range now {
			if n := len(row.entered[column]); n > 0 {
				now[column] = row.entered[column][n-1].name
			}
		}
		row.after = now
	}
}

// ask adds the states that the kernel reported right after call c, where the packets say
// something else.
func (d *diagram) ask(c *analyze.Call, until event.Time) {
	for i := range c.Samples {
		s := &c.Samples[i]
		side := sampleSide(d.conn, s)
		at := d.rowBefore(s.Time)
		if side == analyze.NoSide || at < 0 || s.Time < d.conn.Start || s.Time >= until {
			continue
		}
		column := lifeline(side)
		if state, known := s.State.String(), d.rows[at].after[column]; known != "" && known != state {
			d.rows[at].entered[column] = append(d.rows[at].entered[column], stateEntry{name: state, asked: true})
			d.follow()
		}
	}
}

func sampleSide(c *analyze.Connection, s *event.Sample) analyze.Side {
	switch {
	case s.Local == c.Client && s.Remote == c.Server:
		return analyze.Client
	case s.Local == c.Server && s.Remote == c.Client:
		return analyze.Server
	}
	return analyze.NoSide
}

// phase is the part of a connection's life that a state belongs to.
type phase string

const (
	notOpen phase = "none"
	opening phase = "opening"
	open    phase = "open"
	active  phase = "active"  // it closed first
	passive phase = "passive" // its peer closed first
	waiting phase = "waiting"
	closed  phase = "closed"
)

func phaseOf(state string) phase {
	switch state {
	case "":
		return notOpen
	case "LISTEN", "SYN_SENT", "SYN_RECV":
		return opening
	case "ESTABLISHED":
		return open
	case "FIN_WAIT1", "FIN_WAIT2", "CLOSING":
		return active
	case "CLOSE_WAIT", "LAST_ACK":
		return passive
	case "TIME_WAIT":
		return waiting
	}
	return closed
}
