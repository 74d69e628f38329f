package report

import "github.com/closecap/closecap/analyze"

// tableBody writes for a terminal or as Markdown. Of few connections it shows each call or
// segment, of many a list. It keeps the first ones, until it knows how wide they are and whether
// there are few.
type tableBody struct {
	*Stream
	kept    []*analyze.Connection
	list    *list // nil until the list has begun
	summary *summary
}

func newTableBody(s *Stream) body {
	s.passes = s.opt.Summary
	return &tableBody{Stream: s, summary: newSummary(s.opt.TimeWait)}
}

func (t *tableBody) connection(c *analyze.Connection) error {
	t.summary.add(c)
	switch {
	case t.list != nil:
		return t.list.connection(c)
	case t.opt.Summary:
		return nil
	}
	t.kept = append(t.kept, c)
	if t.n < fittedConnections {
		return nil
	}
	return t.startList(true)
}

// startList begins the list with the connections kept so far.
func (t *tableBody) startList(more bool) error {
	t.list = &list{}
	first := t.kept
	t.kept, t.passes = nil, true
	return t.list.start(&t.print, first, more)
}

func (t *tableBody) finish(r *analyze.Result) error {
	r.Connections = t.kept
	switch p := &t.print; {
	case len(r.Calls) > 0 && t.n <= CallsShown && !t.opt.Summary:
		return inOrder(p.header, p.calls, p.verdicts, p.footer)(r)
	case t.n <= detailedConnections && !t.opt.Summary:
		return inOrder(p.wireHeader, p.connections, p.footer)(r)
	}
	return t.finishList(r)
}

func (t *tableBody) finishList(r *analyze.Result) error {
	if !t.opt.Summary {
		if t.list == nil {
			if err := t.startList(false); err != nil {
				return err
			}
		}
		if err := t.list.end(); err != nil {
			return err
		}
	}
	r.Connections = nil
	return inOrder(t.print.header, t.summaryTables, t.print.hiddenCalls, t.print.footer)(r)
}

func (t *tableBody) summaryTables(r *analyze.Result) error {
	return t.print.summary(t.summary, r.Capture.Last)
}
