package report

import (
	"fmt"
	"strconv"

	"closecap/analyze"
	"closecap/analyze/event"
)

// wireLayout says which columns the table of a connection's segments has.
type wireLayout struct {
	stream     bool // seq, ack and length in columns of their own
	joinStates bool
	noStates   bool
}

var wireLayouts = []wireLayout{
	{stream: true},
	{stream: true, joinStates: true},
	{joinStates: true},
	{noStates: true},
}

// connections draws a table of segments for each connection, its verdict under it.
func (p *printer) connections(r *analyze.Result) error {
	if len(r.Connections) == 0 {
		return p.print(line{text: "no TCP connection in it"})
	}
	for i, c := range r.Connections {
		if i > 0 {
			if err := p.blank(); err != nil {
				return err
			}
		}
		if len(r.Connections) > 1 {
			if err := p.title(fmt.Sprintf("conn %d · %s", c.ID, ends(c))); err != nil {
				return err
			}
		}
		if err := p.wire(c); err != nil {
			return err
		}
		if err := p.print(inferredStates); err != nil {
			return err
		}
		if err := p.verdict(r, c, ""); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) wire(c *analyze.Connection) error {
	err := p.table(len(wireLayouts), func(i int) *grid { return wireLayouts[i].grid(c) })
	if err != nil {
		return err
	}
	return p.omitted(c)
}

// omitted says how many segments the result does not list.
func (p *printer) omitted(c *analyze.Connection) error {
	if c.Omitted == 0 {
		return nil
	}
	return p.print(line{text: count(c.Omitted, "further segment") + " of the transfer not listed", style: dim})
}

func (l wireLayout) grid(c *analyze.Connection) *grid {
	g := &grid{columns: []column{{title: "#", right: true}, {title: "ms", right: true}}}
	if l.stream {
		g.columns = append(g.columns, column{title: "wire"}, column{title: "seq"},
			column{title: "ack", right: true}, column{title: "len", right: true}, column{title: "notes", min: 16})
	} else {
		g.columns = append(g.columns, column{title: "wire event", min: 16})
	}
	switch {
	case l.noStates:
	case l.joinStates:
		g.columns = append(g.columns, column{title: "client\nserver"})
	default:
		g.columns = append(g.columns, column{title: "client"}, column{title: "server"})
	}
	shown := map[stateKey]string{}
	for _, run := range fold(c.Segments) {
		g.rows = append(g.rows, l.row(c, run, shown))
	}
	g.dropEmpty()
	return g
}

func (l wireLayout) row(c *analyze.Connection, run segmentRun, shown map[stateKey]string) []cell {
	last := run[len(run)-1]
	states := callRow{connection: c.ID, states: map[analyze.Side]string{
		analyze.Client: stateAfter(c.States.Client, last),
		analyze.Server: stateAfter(c.States.Server, last),
	}}
	cells := l.segmentCells(c, run)
	client := stateCell(states, analyze.Client, shown)
	server := stateCell(states, analyze.Server, shown)
	switch {
	case l.noStates:
	case l.joinStates:
		cells = append(cells, joinStates(client, server))
	default:
		cells = append(cells, client, server)
	}
	return cells
}

func (l wireLayout) segmentCells(c *analyze.Connection, run segmentRun) []cell {
	s := run[0]
	if len(run) > 1 {
		cells := []cell{text(""), text("")}
		folded := cell{{text: run.words(), style: dim, hang: 2}}
		if l.stream {
			return append(cells, cell{}, cell{}, cell{}, cell{}, folded)
		}
		return append(cells, folded)
	}
	cells := []cell{text(strconv.FormatUint(s.Frame, 10)), text(milliseconds(s.Time, c.Start))}
	st := segmentStyle(s)
	if !l.stream {
		return append(cells, cell{{text: arrow(s.From) + " " + segmentWords(s), style: st, hang: 2}})
	}
	ack, length := "", ""
	if s.Flags.Has(event.ACK) {
		ack = strconv.FormatInt(s.Ack, 10)
	}
	if s.Len > 0 {
		length = strconv.FormatUint(uint64(s.Len), 10)
	}
	return append(cells, styled(st, arrow(s.From)+" "+s.Flags.Words()), text(seqRange(s)), text(ack), text(length),
		cell{{text: segmentNotes(s), hang: 2}})
}

// stateAfter returns the state that an end is in once s has been seen.
func stateAfter(changes []analyze.StateChange, s *analyze.Segment) string {
	state := ""
	for _, c := range changes {
		if c.Frame != 0 && c.Frame <= s.Frame || c.Frame == 0 && c.Time <= s.Time {
			state = c.State.String()
		}
	}
	return state
}
