package join

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// end is the word for what ends a stream of lc.
func (lc *linked) end() string {
	if lc.Multipath {
		return "DATA_FIN"
	}
	return "FIN"
}

// ends returns what ended the stream of side, as its peer saw it. Another subflow may have brought a DATA_FIN.
func (lc *linked) ends(side analyze.Side) *segmentList {
	if lc.Multipath {
		return lc.segmentsOf(dataFins, side)
	}
	return lc.segmentsOf(finSegments, side)
}

// multipathRoot finds why MPTCP sent the segment at place i of a subflow; ok is false where TCP's own rules
// hold. A stream ends with its DATA_FIN, and the FINs take the subflow down when both streams have ended
// (RFC 8684 3.3.3). Acknowledgments and signals of MPTCP ride on segments that acknowledge nothing new.
func (l *linker) multipathRoot(c *linked, i int) (r analyze.Root, ok bool) {
	s := c.Segments[i]
	if !c.Multipath || s.Retransmits != 0 {
		return r, false
	}
	switch {
	case s.DataFin:
		return withData(c, s, l.finRoot(c, i)), true
	case s.Kind == analyze.KindFin:
		return subflowRoot(c, s), true
	case s.Kind == analyze.KindAck && c.saysNothingNew(i):
		return l.signalRoot(c, i), true
	}
	return r, false
}

// subflowRoot: a FIN that leaves inside a call is that call's, else it follows from the end of the streams.
func subflowRoot(c *linked, s *analyze.Segment) analyze.Root {
	own, others := c.dataFin(s.From, s.Time), c.dataFin(s.From.Other(), s.Time)
	switch k := c.callsOf(writeEnders, s.From).firstAt(s.Time); {
	case own != nil && others != nil:
		last := max(own.Frame, others.Frame)
		return analyze.Root{Kind: analyze.RootCall, Call: own.Root.Call, Frame: last, Confidence: analyze.Inferred,
			Why: fmt.Sprintf("both streams had ended with frame %d: MPTCP takes the subflow down", last)}
	case k != nil:
		return callRoot(k, "")
	}
	return analyze.Root{Kind: analyze.RootUnknown, Why: "an MPTCP subflow: the DATA_FINs of both streams were not captured before its FIN"}
}

// dataFin returns the DATA_FIN of side up to t, nil when there is none.
func (lc *linked) dataFin(side analyze.Side, t event.Time) *analyze.Segment {
	return lc.segmentsOf(dataFins, side).lastUpTo(t, nil)
}

// saysNothingNew reports whether the ACK at place i acknowledges only what one before it had, and answers no
// segment of TCP's.
func (lc *linked) saysNothingNew(i int) bool {
	s := lc.Segments[i]
	own, peers := lc.lastFrom(s.From, i), lc.lastFrom(s.From.Other(), i)
	return own != nil && own.Kind != analyze.KindSyn && own.Ack == s.Ack && peers != nil &&
		(peers.Len == 0 && peers.Flags&(event.SYN|event.FIN) == 0 || !soonAfter(s, peers))
}

// signalRoot: an ACK of MPTCP's answers the peer's DATA_FIN, if no ACK before it has.
func (l *linker) signalRoot(c *linked, i int) analyze.Root {
	s := c.Segments[i]
	end := c.dataFin(s.From.Other(), s.Time)
	if end == nil || !soonAfter(s, end) {
		return analyze.Root{Kind: analyze.RootUnknown, Why: "an MPTCP subflow: what it tells stands in its option, and no segment in sight asked for it"}
	}
	s.Answers = end.Frame
	return l.answer(end, analyze.Inferred)
}

// lostAfterClose counts what came for a socket of MPTCP that its application had closed. Its kernel acknowledges
// that and sends no RST, and nobody reads it (net/mptcp/protocol.c: __mptcp_close).
func (l *linker) lostAfterClose(lc *linked) {
	if !lc.Multipath || lc.Reset != nil || lc.Lost != nil || lc.Omitted > 0 {
		return
	}
	for _, side := range []analyze.Side{analyze.Client, analyze.Server} {
		ends := lc.segmentsOf(dataFins, side).segments
		if len(ends) == 0 || ends[0].Root.Kind != analyze.RootCall {
			continue
		}
		c := l.calls.get(ends[0].Root.Call)
		if c == nil || c.Kind() != event.CloseCall {
			continue // a socket that was shut down may be read
		}
		var late uint64
		for _, s := range lc.segmentsOf(freshSegments, side.Other()).segments {
			if s.Time > ends[0].Time {
				late += uint64(s.Len)
			}
		}
		if late > 0 {
			lc.Lost = &analyze.Lost{From: side.Other(), AfterClose: late}
			lc.keepRead(lc.Lost)
			lc.Why = append(lc.Why, fmt.Sprintf("%d bytes came after #%d %s(): MPTCP acknowledges them, and nobody reads them", late, c.ID, c.Name))
		}
	}
}
