package report

import (
	"fmt"
	"strconv"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// wireLayout says which columns the table of a connection's segments has.
type wireLayout struct {
	stream bool // seq, ack and length in columns of their own
	states stateColumns
}

var wireLayouts = []wireLayout{
	{stream: true},
	{stream: true, states: statesJoined},
	{states: statesJoined},
	{states: statesHidden},
}

// connections draws a table of segments for each connection.
func (p *printer) connections(r *analyze.Result) error {
	return p.each(outlineOf(r), func(c *analyze.Connection) error {
		if err := p.wire(c); err != nil {
			return err
		}
		return p.print(inferredStates)
	})
}

// each draws every connection of o, its verdict under it.
func (p *printer) each(o *outline, draw func(*analyze.Connection) error) error {
	connections := o.result.Connections
	if len(connections) == 0 {
		return p.print(line{text: p.nothing()})
	}
	for i, c := range connections {
		if i > 0 {
			if err := p.blank(); err != nil {
				return err
			}
		}
		if len(connections) > 1 {
			if err := p.title(fmt.Sprintf("conn %d · %s", c.ID, ends(c))); err != nil {
				return err
			}
		}
		if err := draw(c); err != nil {
			return err
		}
		if err := p.verdict(o, c, ""); err != nil {
			return err
		}
	}
	return nil
}

// nothing says why there is no connection to show.
func (p *printer) nothing() string {
	switch {
	case p.skipped > 0:
		return "none picked of " + count(p.skipped, "connection")
	case p.opt.Filtered:
		return "no TCP connection in what the filter lets through"
	}
	return "no TCP connection in it"
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
	g.columns = append(g.columns, column{title: seenTitle(c)})
	g.columns = append(g.columns, l.states.columns()...)
	shown := map[stateKey]string{}
	for _, run := range fold(c.Segments) {
		states := statesAfter(c, run[len(run)-1])
		seen := text("")
		if len(run) == 1 {
			seen = text(seenCell(c, run[0]))
		}
		g.rows = append(g.rows, append(append(l.segmentCells(c, run), seen), l.states.cells(c.ID, states, shown)...))
	}
	g.dropEmpty()
	return g
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
