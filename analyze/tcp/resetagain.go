package tcp

import (
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// onePacket is what surely went in one packet: larger segments may have been captured before they were
// cut up, or after they were put together.
const onePacket = 536

// resetAgain takes in another RST of e that comes when the connection had ended.
func (fl *Flow) resetAgain(e End, s *event.Segment, r *Listed, class resetClass, trigger *Listed) {
	rst := &fl.Reset
	if !fl.closeBehind(e, s) {
		r.Ignored = alreadyClosed
	}
	switch {
	case rst.Frame == 0:
	case rst.By != e:
		fl.metNoSocket(e, class, trigger, s)
	case class == NobodyReset && fl.hadArrived(e):
		rst.DrawnUnseen = s.Frame // nothing of its receiver was on its way
	case class == NobodyReset && trigger == nil && rst.AnsweredLen <= onePacket:
		rst.DrawnUnseen = s.Frame // each RST answers one packet, and those that were captured are answered
	case class == LiveReset && rst.Class == NobodyReset && s.Time.Sub(rst.Time) <= fl.reordering():
		first := rst.Frame
		*rst = fl.describeReset(e, s, r, class, trigger) // its socket's own, which the other overtook
		if fl.hadArrived(e) {
			rst.DrawnUnseen = first
		}
	}
}

// closeBehind ends by a further RST of e what the first may have left open: an end in whose name another made that
// one, or, where this one comes to it, is told of the reset for the first time. It reports whether it ended any.
func (fl *Flow) closeBehind(e End, s *event.Segment) bool {
	before := len(fl.Changes)
	if d := &fl.Dir[e]; d.State != event.StateUnknown && fl.breaks(e, s) == 0 {
		fl.enter(e, event.Closed, s, fl.ownReset(e, s))
	}
	fl.closeReceiver(e.Other(), s)
	return len(fl.Changes) > before
}

// metNoSocket takes in a bare RST with which the kernel of e answers what the RST's sender had sent before it:
// e had no socket any more, whatever that RST did.
func (fl *Flow) metNoSocket(e End, class resetClass, trigger *Listed, s *event.Segment) {
	rst := &fl.Reset
	switch {
	case class == LiveReset:
		rst.BothReset = true
		rst.Crossing = rst.Crossing || fl.crossesReset(e, s)
		fl.livedOn(e, s)
	case class != NobodyReset || trigger != nil && trigger.Frame > rst.Frame || rst.Gone != 0:
	default:
		rst.Gone = s.Frame
		if trigger != nil && trigger.Length > 0 {
			rst.GoneAt = trigger.Seq
		}
	}
}

// livedOn takes in that the socket of e aborts so long after its peer's RST that it had not got that.
func (fl *Flow) livedOn(e End, s *event.Segment) {
	rst := &fl.Reset
	if rst.Missed != 0 || rst.Talks != 0 || fl.Dir[e].otherReset(s) || fl.breaks(e, s) != 0 || s.Time.Sub(rst.Time) <= fl.resetGrace() {
		return
	}
	fl.missedReset(e, s)
	fl.enter(e, event.Closed, s, fl.ownReset(e, s))
}

// crossesReset reports whether the socket of e reset the connection before the other end's RST can have come. Then
// neither came first: another capture point has them the other way round.
func (fl *Flow) crossesReset(e End, s *event.Segment) bool {
	rst, d := &fl.Reset, &fl.Dir[e]
	return rst.Class == LiveReset && !rst.Other && !d.otherReset(s) && !rst.Breaks.Foreign() && !fl.breaks(e, s).Foreign() &&
		!fl.sameHost && fl.Crossed(rst.Time, s.Time)
}

// otherReset reports whether d's RST is not as Linux sends it for a living socket: without a window, or without
// timestamps though they were agreed on.
func (d *Direction) otherReset(s *event.Segment) bool {
	return s.Window == 0 && (d.window != 0 || !d.Sent) || d.hasTS && s.Has&(event.HasTimestamps|event.OptionsTruncated) == 0
}

// hadArrived reports whether the newest segment that was captured of e's peer had reached e when e reset
// the connection: e had acknowledged it, or it had had the time.
func (fl *Flow) hadArrived(e End) bool {
	rst, p := &fl.Reset, &fl.Dir[e.Other()]
	if rst.arrived && p.LastTime < rst.Time {
		return true
	}
	way := fl.resetGrace()
	if fl.rtt > 0 {
		way = fl.TripTo(e)*9/8 + minCrossing
	}
	return rst.Time.Sub(p.LastTime) > way
}

// FirstAcked counts the bytes that the RST acknowledges and nothing captured before it: they had arrived.
func (fl *Flow) FirstAcked() uint64 {
	rst := &fl.Reset
	d, p := &fl.Dir[rst.By], &fl.Dir[fl.Peer(rst.By)]
	if fl.Filtered || !rst.Acks || rst.AcksUnseen || rst.Talks != 0 || d.lastAck < 1 {
		return 0
	}
	return uint64(max(0, p.Payload(rst.Ack)-d.lastAck))
}

// TripTo is how long a segment took at the handshake from where it was captured to e, and e's answer
// back; 0 when that was not captured.
func (fl *Flow) TripTo(e End) time.Duration {
	trip := time.Duration(fl.rtt)
	if trip == 0 {
		return 0
	}
	ackAt := fl.SynAt.Add(trip)
	for i := range fl.Listed {
		q := &fl.Listed[i]
		switch {
		case q.Time > ackAt:
			return trip
		case q.Kind == KindSynAck && q.Ignored == Acted && e == Client:
			trip = ackAt.Sub(q.Time) // the newest, when it came more than once
		case q.Kind == KindSynAck && q.Ignored == Acted:
			return q.Time.Sub(fl.SynAt)
		}
	}
	return trip
}

// answersMissing takes in a bare RST that no captured segment drew. An RST draws none, so it answers what is
// missing before the RST of its receiver that lay beyond what was captured: that one ended the connection. So did
// one that stands where an RST of its receiver had got to: that took what is missing before. And the RST of a live
// socket that may cross it says nothing against it.
func (fl *Flow) answersMissing(e End, s *event.Segment) {
	if rst := fl.lastRST; rst != nil && rst.By != e && s.Time.Sub(rst.Time) <= fl.answerTime() {
		fl.believeReset()
	}
}

// mayCross reports whether an RST may have been sent before the one that lay beyond what was captured came.
func (fl *Flow) mayCross(s *event.Segment) bool {
	return fl.lastRST != nil && (fl.rtt == 0 || fl.Crossed(fl.lastRST.Time, s.Time))
}

// doubtTTL lets the TTL of an RST that lies beyond what was captured say nothing where one packet of its sender is
// all that it can be compared with: what is missing may have come with another as well.
func (fl *Flow) doubtTTL() {
	if fl.Reset.Presumed && fl.Dir[fl.Reset.By].Packets <= 2 {
		fl.Reset.Breaks = fl.Reset.Breaks.withoutTTL()
	}
}
