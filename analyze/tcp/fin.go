package tcp

import (
	"math"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// gotFin moves e, which received its peer's FIN. seen says that e's own ACK proves it.
func (fl *Flow) gotFin(e End, s *event.Segment, seen bool) {
	d := &fl.Dir[e]
	had := d.gotFin
	d.gotFin = presumed
	if seen {
		d.gotFin = proved
	}
	if had != unproved {
		return
	}
	d.gotFinFrame, d.gotFinTime, d.gotFinSeen = s.Frame, s.Time, seen
	switch d.State {
	case event.Established, event.SynRecv, event.SynSent, event.StateUnknown:
		fl.enter(e, event.CloseWait, s, seen)
	case event.FinWait1:
		fl.enter(e, event.Closing, s, seen)
	case event.FinWait2:
		fl.enter(e, event.TimeWait, s, seen)
	}
}

// GotFinSurely reports whether e has received its peer's FIN: it acknowledged it.
func (fl *Flow) GotFinSurely(e End) bool { return fl.Dir[e].gotFin == proved }

// GotFinFrame returns the frame that showed first that e has received its peer's FIN, 0 where none does.
func (fl *Flow) GotFinFrame(e End) uint64 { return fl.Dir[e].gotFinFrame }

// finAcked moves e, whose FIN its peer's segment s covers.
func (fl *Flow) finAcked(e End, s *event.Segment) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if d.FinAckFrame != 0 {
		d.finAckAgain, d.finAckAgainTime = s.Frame, s.Time
		return
	}
	d.FinAckFrame, d.FinAckTime = s.Frame, s.Time
	if d.State == event.FinWait1 && p.FinEnd != 0 && !p.FinLost {
		// The peer's FIN left before this ACK of ours, so it came first.
		fl.gotFin(e, s, false)
	}
	switch d.State {
	case event.FinWait1:
		fl.enter(e, event.FinWait2, s, false)
	case event.Closing:
		fl.enter(e, event.TimeWait, s, false)
	case event.LastAck:
		fl.enter(e, event.Closed, s, false)
	}
}

// fin follows a FIN that e sent.
func (fl *Flow) fin(e End, s *event.Segment, r *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if d.FinEnd != 0 {
		if r.End() != d.FinEnd {
			r.Ignored, r.Ref = secondFin, d.FinFrame
			return
		}
		fl.finAgain(e, s, r)
		return
	}
	d.FinEnd, d.FinFrame, d.FinTime = r.End(), s.Frame, s.Time
	d.PastFin = d.PastFin || d.Nxt > r.End() && fl.hasDataBehind(e, r.End()) // they came while it was in doubt
	d.AcksFin = d.AcksFin || d.mayAckFin(s)
	acker := fl.find(p.FinAckFrame) // without data it stands where e had got to, before its FIN
	p.AtFin.AckedWithin = p.AtFin.AckedWithin || acker != nil && acker.Kind == KindAck
	d.AtFin = AtFin{
		Acked: r.Ack, Before: d.LastTime, PeerNxt: p.Nxt, LastOfPeer: p.LastTime, PeerSeen: p.Sent,
		PeerReach: p.Reach, PeerAlive: p.SynSent || p.Bytes > 0 && !p.LacksLast(), Late: max(d.Una, d.Reach) >= r.End() || r.Repeats != 0 || r.Again,
	}
	if p.dataFrame == p.lastSight && p.lastAck == d.FinEnd-1 && s.Frame-p.dataFrame <= math.MaxUint32 {
		d.AtFin.DataBefore = uint32(s.Frame - p.dataFrame)
	}
	switch {
	case fl.Reset.Frame != 0: // one that came before any FIN ended the connection, also when a FIN was on its way
		fl.Simultaneous = fl.crossesFin(e, s, r)
	case !fl.HasCloser:
		fl.Closer, fl.HasCloser = e, true
	case p.AtFin.Acked == r.End():
		fl.answeredFin(e)
	case s.Flags&event.ACK != 0 && r.Ack < p.FinEnd:
		fl.Simultaneous = true
	}
	switch d.State {
	case event.CloseWait:
		fl.enter(e, event.LastAck, s, true)
	case event.TimeWait, event.Closed, event.Closing, event.LastAck:
	default:
		fl.enter(e, event.FinWait1, s, true)
	}
	if fl.Simultaneous {
		d.gotFinFrame, d.gotFinTime = s.Frame, s.Time
		fl.replay(e)
	}
	fl.presumeFin(e, s)
}

// hasDataBehind reports whether data of e behind pos were captured.
func (fl *Flow) hasDataBehind(e End, pos int64) bool {
	return slices.ContainsFunc(fl.Listed, func(q Listed) bool {
		return q.From == e && q.Length > 0 && q.Seq >= pos && q.Ignored == Acted
	})
}

// crossesFin reports whether e's FIN, which is new, left before its peer's FIN can have come, though an RST of that peer
// came behind that.
func (fl *Flow) crossesFin(e End, s *event.Segment, r *Listed) bool {
	p, rst := &fl.Dir[e.Other()], &fl.Reset
	if rst.By == e || r.Ack >= p.FinEnd {
		return false
	}
	rst.MayCross = fl.rtt == 0
	return fl.rtt > 0 && fl.Crossed(p.FinTime, s.Time)
}

// mayAckFin reports whether d, whose FIN is s, may acknowledge FINs as stacks do whose IP IDs do not count. Its SYN,
// which was not captured, would tell.
func (d *Direction) mayAckFin(s *event.Segment) bool {
	return !d.SynSent && s.Has&event.HasIPID != 0 && d.ipidMoves < enoughMoves && s.TTL <= initialTTL
}

// answeredFin takes e's FIN, which its peer's acknowledged though it was captured before, for the earlier one.
func (fl *Flow) answeredFin(e End) {
	p := &fl.Dir[e.Other()]
	fl.Closer = e
	p.gotFin, p.gotFinFrame, p.gotFinTime, p.gotFinSeen = proved, p.FinFrame, p.FinTime, true
	fl.replay(e.Other())
}

// presumeFin lets the peer of e have e's FIN at once when both live on the capturing host.
func (fl *Flow) presumeFin(e End, s *event.Segment) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if !fl.sameHost || d.Holes > 0 {
		return
	}
	switch p.State {
	case event.Established, event.FinWait1, event.FinWait2:
		fl.gotFin(e.Other(), s, false)
	}
}

// finAgain follows a retransmitted FIN: its first transmission, or the ACK of it, was lost.
func (fl *Flow) finAgain(e End, s *event.Segment, r *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if r.Ignored == cameTwice {
		return
	}
	if d.FinFrame < s.Frame {
		r.Repeats = d.FinFrame
	}
	if d.FinAckFrame != 0 && r.Ack > d.lastAck {
		return // the BSDs put their FIN into the ACK of the peer's: that is no sign of loss
	}
	d.FinLost = true
	if p.gotFin == presumed {
		fl.withdrawFin(e.Other())
	}
	if !fl.Crossed(d.FinAckTime, s.Time) {
		d.FinAckFrame, d.FinAckTime = d.finAckAgain, d.finAckAgainTime
		d.finAckAgain = 0
		if !fl.Crossed(d.FinAckTime, s.Time) {
			d.FinAckFrame = 0
		}
		fl.replay(e)
	}
}

// goesOnBehindFin follows data of e at or behind its FIN. A stack sends none, so where nobody has
// acknowledged that FIN and the data stands in its place, e did not end its stream by it. A FIN alone
// behind one that was acknowledged ends nothing more: some proxies send two.
func (fl *Flow) goesOnBehindFin(e End, at int64, r *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if r.Length == 0 && d.FinAckFrame != 0 {
		d.FinTwice = true
		fl.Changes[fl.newest(e)].Seen = false
		return
	}
	if p.gotFin == proved || at != d.FinEnd-1 || fl.Reset.Frame != 0 {
		d.PastFin = true
		return
	}
	if q := fl.find(d.FinFrame); q != nil {
		q.Ignored, q.Ref = senderGoesOn, r.Frame
		if r.Ack < q.Ack {
			fl.sentOnlyTo(e.Other(), r.Ack)
		}
	}
	if d.Nxt == d.FinEnd {
		d.advance(at, d.nxtAbs.Add(^uint32(0)))
	}
	d.FinEnd, d.FinFrame, d.FinTime, d.FinLost, d.AtFin = 0, 0, 0, false, AtFin{}
	p.BytesAtPeerFin, p.BytesAckedAfterFin = 0, 0
	fl.Simultaneous = false
	fl.Closer, fl.HasCloser = e.Other(), p.FinEnd != 0
	fl.withdrawFin(e.Other())
	fl.replay(e)
}

// sentOnlyTo takes back what e seemed to have sent beyond pos and what was captured of it: what acknowledged more was
// no segment of the connection.
func (fl *Flow) sentOnlyTo(e End, pos int64) {
	d := &fl.Dir[e]
	for i := range fl.Listed {
		if q := &fl.Listed[i]; q.From == e && q.Ignored == Acted {
			pos = max(pos, q.End())
		}
	}
	if pos < d.Nxt {
		d.advance(pos, d.header(pos))
		d.Una, d.Reach, d.AckStep, d.Gaps, d.Holes = min(d.Una, pos), min(d.Reach, pos), 0, nil, 0
	}
}
