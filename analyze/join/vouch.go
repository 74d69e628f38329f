package join

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// vouch lets the calls settle what the packets alone leave open: why it was reset, and what was lost.
func (l *linker) vouch(lc *linked) {
	l.vouchLinger2(lc)
	for l := range lc.Losses() {
		if l.From == analyze.NoSide {
			continue
		}
		if l.MayBe > 0 && lc.neverRead(l) {
			l.Unacked, l.MayBe = l.Unacked+l.MayBe, 0
		}
		lc.keepRead(l)
	}
}

// keepRead takes from l what a call returned after all: no byte is both read and lost.
func (lc *linked) keepRead(l *analyze.Lost) {
	read, _ := lc.covered(lc.Peer(l.From), event.RecvCall)
	sent := *lc.Bytes.Of(l.From) + l.Missing
	over := l.MayBe + l.Unacked + l.Unread + l.AfterClose
	over -= min(over, sent-min(sent, read))
	for _, kind := range []*uint64{&l.MayBe, &l.Unacked, &l.AfterClose, &l.Unread} {
		n := min(*kind, over)
		*kind, over = *kind-n, over-n
	}
}

// forgetLikely takes back what packets told of the calls of an end whose calls were recorded, and of a segment of which
// something else tells who sent it: another end's call, as the close of a listener, or the kernel.
func (lc *linked) forgetLikely() {
	lc.LikelyCalls = slices.DeleteFunc(lc.LikelyCalls, func(k analyze.LikelyCall) bool {
		r, s := lc.Reset, lc.segment(k.Frame, len(lc.Segments)-1)
		return lc.known[columnOf(k.Side)] || r != nil && r.Call != 0 && r.Frame == k.Frame || s != nil && s.Root.Confidence == analyze.InKernel
	})
}

// vouchCloser takes the candidate for the closer where the other end's calls were recorded and none of
// them had ended its stream by then.
func (lc *linked) vouchCloser() {
	i := slices.IndexFunc(lc.Candidates, func(p analyze.Possible) bool { return p.Claim == analyze.ClaimCloser })
	if i < 0 || lc.Ending == analyze.UnknownEnding {
		return
	}
	closer := analyze.Side(lc.Candidates[i].Value)
	at := slices.IndexFunc(lc.Segments, func(s *analyze.Segment) bool {
		return s.From == closer && s.Flags&(event.FIN|event.RST) != 0 && s.Ignored == ""
	})
	recorded, ended := false, false
	for _, c := range lc.calls {
		if c.Side == closer.Other() && at >= 0 && c.Start <= lc.Segments[at].Time {
			recorded, ended = true, ended || endsWriting(c)
		}
	}
	if !recorded || ended {
		return
	}
	lc.Closer, lc.CloserSure = closer, analyze.Inferred
	lc.Candidates = slices.Delete(lc.Candidates, i, i+1)
	lc.Why = append(lc.Why, fmt.Sprintf("no recorded call of the %s had ended its stream before frame %d", closer.Other(), lc.Segments[at].Frame))
	lc.closedSecond(lc.Peer(closer))
	lc.halfClosed(lc.Segments[at])
}

// halfClosed measures the time in which only the sender of first had closed.
func (lc *linked) halfClosed(first *analyze.Segment) {
	if first.Kind != analyze.KindFin || lc.Multipath {
		return
	}
	h := &analyze.HalfClose{By: first.From}
	other, until := lc.Peer(first.From), lc.End
	if fins := lc.segmentsOf(finSegments, other).segments; len(fins) > 0 {
		until = fins[0].Time
	} else if r := lc.Reset; r != nil {
		until = lc.segment(r.Frame, len(lc.Segments)-1).Time
	}
	for _, s := range lc.segmentsOf(freshSegments, other).segments {
		if first.Time <= s.Time && s.Time <= until {
			h.Bytes += uint64(s.Len)
		}
	}
	h.Bytes = min(h.Bytes, *lc.Bytes.Of(other))
	h.NS = max(0, int64(until.Sub(first.Time)))
	lc.HalfClose = h
}

// closedSecond adds the states that side, whose FIN acknowledges the other's, passed: they are withheld while that
// FIN may repeat one that came first, and CLOSED while it may have been in TIME_WAIT.
func (lc *linked) closedSecond(side analyze.Side) {
	first, own := lc.segmentsOf(finSegments, lc.Peer(side)).segments, lc.segmentsOf(finSegments, side).segments
	if len(first) == 0 || len(own) == 0 || own[0].Ack < first[0].End() {
		return
	}
	fin := own[0]
	if lc.stateAt(side, fin.Time) != event.LastAck {
		for _, state := range []event.TCPState{event.CloseWait, event.LastAck} {
			lc.insert(side, analyze.StateChange{State: state, Frame: fin.Frame, Time: fin.Time, Confidence: analyze.Observed})
		}
	}
	if states := *lc.States.Of(side); states[len(states)-1].State != event.LastAck {
		return
	}
	for _, s := range lc.segmentsOf(finAckers, lc.Peer(side)).segments {
		if s.Frame > fin.Frame && s.Ack >= fin.End() {
			lc.insert(side, analyze.StateChange{State: event.Closed, Frame: s.Frame, Time: s.Time, Confidence: analyze.Inferred})
			return
		}
	}
}

// vouchLinger2 takes the candidate linger2 for the reset's cause where a call had asked for it.
func (l *linker) vouchLinger2(lc *linked) {
	i := slices.IndexFunc(lc.Candidates, func(p analyze.Possible) bool { return p.Value == string(analyze.Linger2) })
	if i < 0 {
		return
	}
	r := lc.Reset
	over := lc.lastCallOf(r.By, lc.segment(r.Frame, len(lc.Segments)-1), endsWriting)
	if over == nil || lc.lingers2(over) == nil {
		return
	}
	setCause(r, analyze.Linger2, sure(over), fmt.Sprintf("#%d had set TCP_LINGER2 below 0", lc.lingers2(over).ID))
	l.confirm(r, over)
	lc.Candidates = slices.Delete(lc.Candidates, i, i+1)
}

// neverRead reports whether the application that the bytes of l were for was recorded, and read none of
// them: they stand at the end of their stream.
func (lc *linked) neverRead(l *analyze.Lost) bool {
	reader := lc.Peer(l.From)
	read, _ := lc.covered(reader, event.RecvCall)
	return lc.known[columnOf(reader)] && !lc.Guessed && read+l.MayBe <= *lc.Bytes.Of(l.From)
}
