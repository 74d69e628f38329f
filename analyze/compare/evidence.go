package compare

import (
	"cmp"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// evidence is what the runs of one scenario showed, by the run's name.
type evidence struct {
	runs map[string]*after
}

// after is a run with its closing call and what came after that.
type after struct {
	name    string
	res     *analyze.Result
	closing *analyze.Call
	conn    *analyze.Connection // nil when the closing call had none
	calls   []*analyze.Call     // on the connection, after the closing call
}

func gather(cand Candidate) *evidence {
	ev := &evidence{runs: map[string]*after{}}
	for _, r := range cand.Runs {
		if r.Result == nil {
			continue
		}
		k := analyze.ClosingCall(r.Result)
		if k == nil {
			continue
		}
		a := &after{name: r.Name, res: r.Result, closing: k}
		for _, c := range r.Result.Connections {
			if c.ID == k.Connection {
				a.conn = c
			}
		}
		past := false
		for _, c := range r.Result.Calls {
			if past && c.Connection == k.Connection && k.Connection != 0 {
				a.calls = append(a.calls, c)
			}
			past = past || c == k
		}
		ev.runs[r.Name] = a
	}
	return ev
}

// ask hands the run of that name to answer; without it nothing was measured.
func (ev *evidence) ask(run string, answer func(*after) Answer) Answer {
	if a := ev.runs[run]; a != nil {
		return answer(a)
	}
	return notMeasured()
}

func notMeasured() Answer { return Answer{Basis: NotMeasured, Text: "not measured here"} }

func measured(value, text string, from ...Ref) Answer {
	return Answer{Value: value, Text: text, Basis: Measured, From: from}
}

func (a *after) at(c *analyze.Call) Ref  { return Ref{Run: a.name, Row: c.ID} }
func (a *after) frame(number uint64) Ref { return Ref{Run: a.name, Row: int(number)} }
func (a *after) refs(calls []*analyze.Call) []Ref {
	var out []Ref
	for _, c := range calls {
		out = append(out, a.at(c))
	}
	return out
}

// own returns the calls of that kind on the very descriptor that the closing call had.
func (a *after) own(kind event.CallKind) []*analyze.Call {
	return a.pick(func(c *analyze.Call) bool {
		return c.Kind() == kind && c.PID == a.closing.PID && c.FD == a.closing.FD
	})
}

// others returns the calls of that kind which other processes made on the same socket.
func (a *after) othersOf(kind event.CallKind) []*analyze.Call {
	return a.pick(func(c *analyze.Call) bool {
		return c.Kind() == kind && c.Side == a.closing.Side && c.PID != a.closing.PID
	})
}

// peer returns the other end's calls of that kind.
func (a *after) peer(kind event.CallKind) []*analyze.Call {
	return a.pick(func(c *analyze.Call) bool { return c.Kind() == kind && c.Side == a.closing.Side.Other() })
}

func (a *after) pick(ok func(*analyze.Call) bool) []*analyze.Call {
	return slices.Collect(func(yield func(*analyze.Call) bool) {
		for _, c := range a.calls {
			if ok(c) && !yield(c) {
				return
			}
		}
	})
}

// causedBy returns the segments that side sent because of c, in order.
func (a *after) causedBy(c *analyze.Call, side analyze.Side) []*analyze.Segment {
	var out []*analyze.Segment
	for _, conn := range a.res.Connections {
		for _, s := range conn.Segments {
			if s.From == side && slices.Contains(c.Caused, s.Frame) {
				out = append(out, s)
			}
		}
	}
	slices.SortFunc(out, func(s, t *analyze.Segment) int { return cmp.Compare(s.Frame, t.Frame) })
	return out
}

// answeringReset returns the RST that answered what c sent, nil when none did.
func (a *after) answeringReset(c *analyze.Call, side analyze.Side) *analyze.Segment {
	for _, s := range a.causedBy(c, side) {
		if s.Kind == analyze.KindRst {
			return s
		}
	}
	return nil
}

// arrived returns the first of readers that got bytes which c sent.
func arrived(c *analyze.Call, readers []*analyze.Call) *analyze.Call {
	if c == nil || c.Bytes == nil {
		return nil
	}
	for _, r := range readers {
		if r.Bytes != nil && r.Bytes[0] < c.Bytes[1] && c.Bytes[0] < r.Bytes[1] {
			return r
		}
	}
	return nil
}

// upTo cuts calls after the first that last accepts.
func upTo(calls []*analyze.Call, last func(*analyze.Call) bool) []*analyze.Call {
	if i := slices.IndexFunc(calls, last); i >= 0 {
		return calls[:i+1]
	}
	return calls
}

// isLast reports whether a recv says that nothing more will come.
func isLast(c *analyze.Call) bool { return c.IsEOF() || c.Errno != "" && c.Errno != "EAGAIN" }

func first(calls []*analyze.Call) *analyze.Call {
	if len(calls) == 0 {
		return nil
	}
	return calls[0]
}
