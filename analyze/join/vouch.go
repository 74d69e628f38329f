package join

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// vouch lets the calls settle what the packets alone leave open: who closed first, and what was lost.
func (lc *linked) vouch() {
	lc.vouchCloser()
	lost := []*analyze.Lost{lc.Lost}
	if lc.Reset != nil {
		lost = append(lost, &lc.Reset.Lost)
	}
	for _, l := range lost {
		if l != nil && l.MayBe > 0 && lc.neverRead(l) {
			l.Unacked, l.MayBe = l.Unacked+l.MayBe, 0
		}
	}
}

// vouchCloser takes the candidate for the closer where the other end's calls were recorded and none of
// them had ended its stream by then.
func (lc *linked) vouchCloser() {
	i := slices.IndexFunc(lc.Candidates, func(p analyze.Possible) bool { return p.Claim == "closer" })
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
}

// neverRead reports whether the application that the bytes of l were for was recorded, and read none of
// them: they stand at the end of their stream.
func (lc *linked) neverRead(l *analyze.Lost) bool {
	var read uint64
	recorded := false
	for _, c := range lc.calls {
		if c.Side != l.From.Other() {
			continue
		}
		recorded = true
		if c.Bytes != nil && c.Kind() == event.RecvCall {
			read = max(read, c.Bytes[1])
		}
	}
	return recorded && !lc.Guessed && read+l.MayBe <= *lc.Bytes.Of(l.From)
}
