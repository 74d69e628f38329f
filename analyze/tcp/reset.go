package tcp

import (
	"slices"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// Reset is what is known of the RST that ended a connection.
type Reset struct {
	Frame, Trigger uint64
	Time           event.Time
	Seq            int64
	Window         uint16
	By             End
	Class          resetClass
	stamp          uint32 // its timestamp, if stamped
	AnsweredLen    int64  // the payload of what the trigger was
	Answered       Kind   // what the trigger was
	stamped        bool
	Refused        bool
	AfterOwnFin    bool
	BothFins       bool
	Presumed       bool           // it lay beyond what was captured
	AcksUnseen     bool           // it acknowledges what was not captured of its receiver
	Acks           bool           // it acknowledges Ack
	Overtaken      bool           // what it answers was sent before other segments that came first
	Other          bool           // R., but not as Linux sends it for a living socket: no window, or no timestamps though they were agreed on
	Mixed          bool           // other segments than the one it answers may have drawn it, some without data
	arrived        bool           // its sender had acknowledged the newest segment captured of its receiver some time before
	Restarted      bool           // its sender had sent a SYN of a new connection: it knew no other
	ReceivedData   bool           // its sender had been sent payload
	State          event.TCPState // its sender's before it
	Breaks         pathBreak
	UsualTTL       uint8  // of its sender's packets where it was captured
	Keepalives     uint16 // unanswered, sent before it by its sender
	repeats        uint16 // its sender's retransmissions since its receiver was last heard
	Refusals       uint16 // how often that SYN had been refused before
	Talks          uint64 // frame with which its supposed sender goes on
	Missed         uint64 // frame with which its receiver goes on
	Retried        uint64 // frame with which its receiver sends the refused SYN again
	Gone           uint64 // a later RST of its receiver's kernel, which had no socket for what came before this one
	GoneAt         int64  // where the data that met none begin; 0 for none
	BothReset      bool   // its receiver's socket reset the connection as well
	Crossing       bool   // and neither RST can have come before the other was sent
	MayCross       bool   // a FIN of its receiver came that had not got its sender's, and how long that was on its way is not known
	Ack            int64
	DrawnUnseen    uint64        // a later RST of its sender, drawn by what was not captured
	AnsweredSeq    int64         // where what it answers begins
	probed         [2]event.Time // the newest two of its sender's unanswered tries
}

// resetClass tells resets by how they look (tcp_v4_send_reset and tcp_send_active_reset).
type resetClass uint8

const (
	LiveReset   resetClass = iota // R. in its sender's own sequence space
	NobodyReset                   // R with the offender's acknowledgement as its number
	synReset                      // R. with sequence number 0, acknowledging a SYN
)

// followReset follows an RST that e sent.
func (fl *Flow) followReset(e End, s *event.Segment, r *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	class := classOf(s)
	p.PastFin = p.PastFin || s.Flags&event.ACK != 0 && p.FinEnd != 0 && r.Ack > p.FinEnd
	trigger := fl.offender(e, r, class)
	if trigger != nil {
		r.Answers = trigger.Frame
	}
	if fl.refusesAck(e, s, r) {
		return
	}
	if rst := fl.lastRST; rst != nil && rst.By != e && r.Ack == rst.Seq {
		fl.believeReset() // it stands at what e wanted next
	}
	if r.Ignored = fl.refuses(e, s, r); r.Ignored != Acted {
		fl.refused(e, s, r, class, trigger)
		return
	}
	if p.State == event.TimeWait {
		fl.killedByReset(e, s)
		return
	}
	switch {
	case d.State == event.TimeWait && d.gotFin == presumed && class == NobodyReset:
		fl.withdrawFin(e) // its kernel had no socket left, nor TIME_WAIT
	case d.State == event.TimeWait:
		fl.killed(e, s)
	}
	if fl.Reset.Missed != 0 && fl.Reset.By == e && (fl.Reset.Class != NobodyReset || fl.Reset.Trigger != 0) {
		fl.closeBehind(e, s)
		fl.Reset.Missed = 0
		return
	}
	if fl.Reset.Retried != 0 && fl.Reset.By == e {
		before := fl.Reset.Refusals + 1
		fl.Reset = fl.describeReset(e, s, r, class, trigger)
		fl.Reset.Refusals = before
		fl.closeBoth(e, s)
		return
	}
	if class == NobodyReset || fl.mayCross(s) {
		fl.answersMissing(e, s)
	}
	if fl.Reset.Frame != 0 && fl.Reset.Missed == 0 || p.State == event.Closed && d.State == event.Closed {
		fl.resetAgain(e, s, r, class, trigger)
		return
	}
	fl.Reset = fl.describeReset(e, s, r, class, trigger)
	fl.Reset.Presumed = d.Sent && r.Seq > d.Nxt
	fl.doubtTTL()
	fl.closeBoth(e, s)
}

// refused follows an RST of e that its receiver does not act on.
func (fl *Flow) refused(e End, s *event.Segment, r *Listed, class resetClass, trigger *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if r.Ignored == insideWindow {
		d.provoked = s.Frame
	}
	switch rst := &fl.Reset; {
	case r.Seq <= d.Nxt:
	case rst.Frame != 0:
		if rst.By == e && class == NobodyReset {
			rst.DrawnUnseen = s.Frame // what drew it acknowledges what was not captured of e
		}
	case r.Ignored == insideWindow || !p.SynSent || class == LiveReset:
		facts := fl.describeReset(e, s, r, class, trigger)
		fl.lastRST = &facts
	}
}

// killedByReset ends the TIME_WAIT of e's peer, and e.
func (fl *Flow) killedByReset(e End, s *event.Segment) {
	fl.killed(e.Other(), s)
	fl.enter(e.Other(), event.Closed, s, false)
	if fl.Dir[e].State != event.TimeWait {
		fl.enter(e, event.Closed, s, fl.ownReset(e, s))
	}
}

// closeBoth ends both ends by e's RST.
func (fl *Flow) closeBoth(e End, s *event.Segment) {
	fl.closeSender(e, s)
	fl.closeReceiver(e.Other(), s)
}

// closeSender ends e by its RST, unless another than e may have made that.
func (fl *Flow) closeSender(e End, s *event.Segment) {
	d := &fl.Dir[e]
	// SYN_SENT outlives the RST with which it answers an older connection (RFC 9293 3.5.1).
	if d.State != event.StateUnknown && (d.State != event.SynSent || fl.Reset.Seq <= d.Nxt) && fl.Reset.Breaks == 0 {
		fl.enter(e, event.Closed, s, fl.ownReset(e, s))
	}
}

// ownReset reports whether e's RST shows that its socket is closed. Who made an RST is seen on its host alone, and
// there, too, a firewall answers as a kernel without a socket does.
func (fl *Flow) ownReset(e End, s *event.Segment) bool {
	return fl.sameHost && s.Flags&event.ACK != 0 && !fl.Dir[e].otherReset(s)
}

// closeReceiver ends e by its peer's RST.
func (fl *Flow) closeReceiver(e End, s *event.Segment) {
	if fl.Dir[e].State != event.StateUnknown {
		fl.enter(e, event.Closed, s, false)
	}
}

// believeReset takes an RST that lay beyond what was captured for the end after all: nothing
// followed it, so the capture missed what its sender had sent before.
func (fl *Flow) believeReset() {
	if fl.lastRST == nil || fl.Reset.Frame != 0 {
		return
	}
	fl.Reset = *fl.lastRST
	fl.Reset.Presumed = true
	fl.doubtTTL()
	if q := fl.find(fl.Reset.Frame); q != nil {
		q.Ignored = Acted
	}
	fl.closeBoth(fl.Reset.By, &event.Segment{Frame: fl.Reset.Frame, Time: fl.Reset.Time})
}

// describeReset returns what is known of an RST that e sent.
func (fl *Flow) describeReset(e End, s *event.Segment, r *Listed, class resetClass, trigger *Listed) Reset {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	facts := Reset{
		Frame: s.Frame, Time: s.Time, Seq: r.Seq, Window: s.Window, By: e, Class: class,
		Refused:     p.State == event.SynSent && !d.SynSent && r.Ack <= p.Nxt && (class == synReset || s.Window == 0),
		AfterOwnFin: d.FinEnd != 0, BothFins: d.FinAckFrame != 0 && p.FinAckFrame != 0,
		Acks: s.Flags&event.ACK != 0 && p.Based, Ack: r.Ack, AcksUnseen: r.Ack > p.Nxt,
		Keepalives: d.keepalives, repeats: d.Tries - d.keepalives, probed: d.probed, Breaks: fl.breaks(e, s), UsualTTL: d.ttlAt(at(s)), ReceivedData: p.Bytes > 0 || p.Payload(max(p.Una, r.Ack)) > 1,
		State: d.State,
	}
	facts.arrived = p.dataFrame == p.lastSight && d.lastAck >= p.datEnd && s.Time.Sub(d.LastTime) > minCrossing
	facts.Other = class == LiveReset && d.otherReset(s)
	facts.stamp, facts.stamped = s.Options.TSVal, s.Has&event.HasTimestamps != 0
	facts.Restarted = fl.held != nil && fl.held.Src == fl.Addr[e]
	if trigger != nil {
		facts.Trigger, facts.Answered = trigger.Frame, trigger.Kind
		facts.AnsweredLen, facts.AnsweredSeq = int64(trigger.Length), trigger.Seq
		facts.Mixed, facts.Overtaken = trigger.Mixed, fl.overtakenBy(trigger)
		if fl.tooSoon(e, r) {
			facts.Breaks |= BreakSooner
		}
	}
	return facts
}

// overtakenBy reports whether what q's sender sent after q was captured before it.
func (fl *Flow) overtakenBy(q *Listed) bool {
	if q.Length == 0 || q.Repeats != 0 || q.Again {
		return false
	}
	return slices.ContainsFunc(fl.Listed, func(o Listed) bool {
		return o.From == q.From && o.Frame < q.Frame && o.Seq >= q.End() && o.Ignored == Acted
	})
}

// classOf tells the class of an RST by its looks.
func classOf(s *event.Segment) resetClass {
	switch {
	case s.Flags&event.ACK == 0:
		return NobodyReset
	case s.Seq == 0:
		return synReset
	}
	return LiveReset
}

// refuses says why the receiver of e's RST does not act on it (RFC 9293 3.10.7.3 and
// 3.10.7.4, RFC 5961 3.2).
func (fl *Flow) refuses(e End, s *event.Segment, r *Listed) Ignored {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	switch {
	case p.State == event.SynSent && !d.SynSent && !(d.Bytes > 0 && d.lastAck > p.Nxt): // its data shows that p came further
		if r.Ack < 1 || r.Ack > p.Nxt {
			return wrongSynAck
		}
		return Acted
	case !d.Based:
		return Acted
	case p.State == event.TimeWait:
		if r.Seq != max(d.FinEnd, d.Una) {
			return outsideWindow
		}
		return Acted
	case r.Seq >= d.Una && r.Seq <= max(d.Una, d.Nxt), p.Sent && r.Seq == p.lastAck:
		return Acted
	case r.Seq == d.FinEnd-1 && d.Una == d.FinEnd:
		return Acted // macOS numbers its RST like its FIN, and Linux takes it (tcp_reset_check)
	case fl.Filtered && d.Bytes+p.Bytes == 0 && r.Seq > d.Nxt:
		return Acted // data and ACKs were not captured
	case !d.Sent:
		return Acted
	case r.Seq > d.Nxt && r.Seq < d.Una+p.offers():
		return insideWindow
	}
	return outsideWindow
}

// offers returns the size of d's receive window; a SYN's is not scaled (RFC 7323 2.2).
func (d *Direction) offers() int64 {
	if d.Packets <= 1 {
		return int64(d.window)
	}
	return int64(d.window) << d.wscale
}

// newestSyn returns the frame of the SYN that e sent last.
func (fl *Flow) newestSyn(e End) uint64 {
	for i := len(fl.Listed) - 1; i >= 0; i-- {
		if q := &fl.Listed[i]; q.From == e && q.Flags&event.SYN != 0 && q.Ignored == Acted {
			return q.Frame
		}
	}
	return fl.Dir[e].SynFrame
}

// killed ends an end's TIME_WAIT by an RST (RFC 1337).
func (fl *Flow) killed(e End, s *event.Segment) {
	if w := &fl.Waits[e]; w.Ended == running {
		w.Ended, w.EndFrame = killed, s.Frame
	}
}

// resetGrace is how long after an RST its receiver's segments may still have been on their way.
func (fl *Flow) resetGrace() time.Duration {
	if fl.sameHost {
		return time.Millisecond
	}
	return max(200*time.Millisecond, 2*time.Duration(fl.rtt))
}

// talkAfterReset judges a segment without RST that comes after the RST. Its receiver going
// on means that the RST did not reach it; its sender going on, that it did not send it.
func (fl *Flow) talkAfterReset(e End, s *event.Segment, r *Listed) {
	rst := &fl.Reset
	switch {
	case rst.Retried != 0 && r.Kind == KindSynAck:
		fl.Reset = Reset{} // the SYN that came again was taken
		return
	case e == rst.By && r.Kind == KindSynAck && !fl.Dir[e].SynSent:
		fl.withdrawClosed(e.Other(), rst.Frame)
		fl.Reset = Reset{} // it may have refused a SYN that was not captured, and taken the next
		return
	case rst.Refused && r.Kind == KindSyn:
		fl.refusedAgain(e, s)
		return
	case e != rst.By && r.Kind == KindAck && rst.Seq > fl.Dir[rst.By].Nxt && r.Ack < rst.Seq && !rst.BothReset:
		// A challenge ACK. The capture holds ACKs, so it misses nothing before the RST. Behind its own RST none sends one.
		rst.Missed, rst.Talks = s.Frame, s.Frame
		if q := fl.find(rst.Frame); q != nil {
			q.Ignored = insideWindow
		}
		fl.withdrawClosed(e, rst.Frame)
	case e == rst.By:
		if rst.Talks == 0 && !rst.Refused && s.Time.Sub(rst.Time) > fl.reordering() && r.Seq >= rst.Seq &&
			!fl.mayPrecede(e, s) {
			rst.Talks = s.Frame
			fl.withdrawClosed(e, rst.Frame)
		}
	case rst.Missed == 0 && s.Time.Sub(rst.Time) > fl.resetGrace():
		fl.missedReset(e, s)
	}
	if rst.Talks != 0 && rst.Missed != 0 {
		fl.withdrawClosed(rst.By, rst.Frame)
		fl.Reset = Reset{}
		for e := range fl.Dir { // a FIN that had come behind it
			if d := &fl.Dir[e]; !fl.HasCloser && d.FinEnd != 0 {
				fl.Closer, fl.HasCloser = End(e), true
			}
		}
	}
}

// missedReset takes back that the RST ended its receiver e, which goes on with s.
func (fl *Flow) missedReset(e End, s *event.Segment) {
	rst := &fl.Reset
	rst.Missed = s.Frame
	if q := fl.find(rst.Frame); q != nil {
		q.Ignored, q.Ref = receiverGoesOn, s.Frame
	}
	fl.withdrawClosed(e, rst.Frame)
}

// mayPrecede reports whether s, captured behind e's RST, may have left e before that or what came before it, by its
// timestamp. Data can't: they stand where the RST does.
func (fl *Flow) mayPrecede(e End, s *event.Segment) bool {
	d, rst := &fl.Dir[e], &fl.Reset
	if s.Has&event.HasTimestamps == 0 {
		return s.Len == 0 && s.Has&event.OptionsTruncated != 0
	}
	return d.hasTS && int32(s.Options.TSVal-d.tsVal) < 0 || rst.stamped && int32(s.Options.TSVal-rst.stamp) < 0
}

// withdrawClosed takes back that an end was closed by the RST of a frame.
func (fl *Flow) withdrawClosed(e End, frame uint64) {
	if i := fl.newest(e); i >= 0 && fl.Changes[i].Frame == frame {
		fl.Changes[i].Seen = false
		fl.withdraw(e, frame)
	}
}
