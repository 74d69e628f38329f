package analyze

import (
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// resetFacts is what is known of the RST that ended a flow.
type resetFacts struct {
	frame, trigger uint64
	time           event.Time
	seq            int64
	window         uint16
	by             end
	class          resetClass
	answered       kind  // what the trigger was
	answeredLen    int64 // its payload
	refused        bool
	afterOwnFin    bool
	afterPeerFin   bool
	bothFins       bool
	keepalives     uint16 // unanswered, sent before it by its sender
	breaks         pathBreak
	talks          uint64 // frame with which its supposed sender goes on
	missed         uint64 // frame with which its receiver goes on
	receivedData   bool   // its sender had been sent payload
	presumed       bool   // it lay beyond what was captured
}

// resetClass tells resets by how they look (tcp_v4_send_reset and tcp_send_active_reset).
type resetClass uint8

const (
	liveReset   resetClass = iota // R. in its sender's own sequence space
	nobodyReset                   // R with the offender's acknowledgement as its number
	synReset                      // R. with sequence number 0, acknowledging a SYN
)

// ignored is why a segment's receiver did not act on it.
type ignored uint8

const (
	acted ignored = iota
	sameFrame
	outsideWindow
	insideWindow
	wrongSynAck
	receiverGoesOn
	alreadyClosed
	beyondSent
	synWithFin
	staysInSynRecv
	secondFin
	otherISN
	underSent
)

// reset follows an RST that e sent.
func (fl *flow) reset(e end, s *event.Segment, r *record) {
	h, p := &fl.half[e], &fl.half[e.other()]
	class := classOf(s, r)
	trigger := fl.offender(e, r, class)
	if trigger != nil {
		r.answers = trigger.frame
	}
	if fl.refusesAck(e, s, r) {
		return
	}
	if r.ignored = fl.refuses(e, s, r); r.ignored != acted {
		if r.ignored == insideWindow {
			h.provoked = s.Frame
		}
		if fl.rst.frame == 0 && h.based && r.seq > h.nxt && (r.ignored == insideWindow || !p.synSent || class == liveReset) {
			facts := fl.resetFacts(e, s, r, class, trigger)
			fl.lastRst = &facts
		}
		return
	}
	if p.state == event.TimeWait {
		fl.killed(e.other(), s)
		fl.enter(e.other(), event.Closed, s, false)
		if h.state != event.TimeWait && h.state != event.Closed {
			fl.enter(e, event.Closed, s, true)
		}
		return
	}
	if h.state == event.TimeWait {
		fl.killed(e, s)
	}
	if fl.rst.missed != 0 && fl.rst.by == e && (fl.rst.class != nobodyReset || fl.rst.trigger != 0) {
		fl.enter(e.other(), event.Closed, s, false)
		fl.rst.missed = 0
		return
	}
	if fl.rst.frame != 0 && fl.rst.missed == 0 || p.state == event.Closed && h.state == event.Closed {
		r.ignored = alreadyClosed
		return
	}
	fl.rst = fl.resetFacts(e, s, r, class, trigger)
	fl.rst.presumed = h.based && h.sent && r.seq > h.nxt
	fl.closeBoth(e, s)
}

// closeBoth ends both ends by e's RST.
func (fl *flow) closeBoth(e end, s *event.Segment) {
	h, p := &fl.half[e], &fl.half[e.other()]
	// SYN_SENT outlives the RST with which it answers an older connection (RFC 9293 3.5.1).
	if h.state != event.StateUnknown && (h.state != event.SynSent || fl.rst.seq <= h.nxt) {
		fl.enter(e, event.Closed, s, true)
	}
	if p.state != event.StateUnknown {
		fl.enter(e.other(), event.Closed, s, false)
	}
}

// believeReset takes an RST that lay beyond what was captured for the end after all: nothing
// followed it, so the capture missed what its sender had sent before.
func (fl *flow) believeReset() {
	if fl.lastRst == nil || fl.rst.frame != 0 {
		return
	}
	fl.rst = *fl.lastRst
	fl.rst.presumed = true
	if q := fl.find(fl.rst.frame); q != nil {
		q.ignored = acted
	}
	fl.closeBoth(fl.rst.by, &event.Segment{Frame: fl.rst.frame, Time: fl.rst.time})
}

// resetFacts returns what is known of an RST that e sent.
func (fl *flow) resetFacts(e end, s *event.Segment, r *record, class resetClass, trigger *record) resetFacts {
	h, p := &fl.half[e], &fl.half[e.other()]
	facts := resetFacts{
		frame: s.Frame, time: s.Time, seq: r.seq, window: s.Window, by: e, class: class,
		refused:     p.state == event.SynSent && !h.synSent,
		afterOwnFin: h.finEnd != 0, afterPeerFin: p.finEnd != 0,
		bothFins:   h.finAckFrame != 0 && p.finAckFrame != 0,
		keepalives: h.keepalives, breaks: h.breaks(s), receivedData: p.bytes > 0 || p.una > 1 || r.ack > 1,
	}
	if trigger != nil {
		facts.trigger, facts.answered = trigger.frame, trigger.kind
		facts.answeredLen = int64(trigger.length)
	}
	return facts
}

// classOf tells an RST's class by its looks.
func classOf(s *event.Segment, r *record) resetClass {
	switch {
	case s.Flags&event.ACK == 0:
		return nobodyReset
	case s.Seq == 0 && r.seq != 0, s.Seq == 0 && s.Window == 0:
		return synReset
	}
	return liveReset
}

// refuses says why the receiver of e's RST does not act on it (RFC 9293 3.10.7.3 and
// 3.10.7.4, RFC 5961 3.2).
func (fl *flow) refuses(e end, s *event.Segment, r *record) ignored {
	h, p := &fl.half[e], &fl.half[e.other()]
	switch {
	case p.state == event.SynSent && !h.synSent:
		if s.Flags&event.ACK == 0 || r.ack < 1 || r.ack > p.nxt {
			return wrongSynAck
		}
		return acted
	case !h.based:
		return acted
	case p.state == event.TimeWait:
		if r.seq != max(h.finEnd, h.una) {
			return outsideWindow
		}
		return acted
	case r.seq >= h.una && r.seq <= h.nxt, r.seq == h.una:
		return acted
	case h.finEnd != 0 && r.seq == h.finEnd-1 && h.una == h.finEnd && p.endsOnReset():
		return acted // macOS numbers its RST like its FIN, and Linux takes it (tcp_reset_check)
	case fl.filtered && h.bytes+p.bytes == 0 && r.seq > h.nxt:
		return acted // data and ACKs were not captured
	case !h.sent || fl.midstream && h.packets <= 1:
		return acted
	case r.seq > h.nxt && r.seq < h.una+p.offers():
		return insideWindow
	}
	return outsideWindow
}

// endsOnReset reports whether h's state is one in which Linux takes an RST that is numbered
// like the FIN before it.
func (h *half) endsOnReset() bool {
	return h.state == event.CloseWait || h.state == event.LastAck || h.state == event.Closing
}

// offers returns the size of h's receive window; a SYN's is not scaled (RFC 7323 2.2).
func (h *half) offers() int64 {
	if h.packets <= 1 && h.synSent {
		return int64(h.window)
	}
	return int64(h.window) << h.wscale
}

// offender returns the newest segment that e's RST may answer, nil when it answers none.
func (fl *flow) offender(e end, r *record, class resetClass) *record {
	h, p := &fl.half[e], &fl.half[e.other()]
	switch class {
	case liveReset:
		return nil
	case synReset:
		if p.synFrame != 0 && r.ack == p.nxt {
			return &record{frame: fl.newestSyn(e.other()), kind: kSyn}
		}
	}
	for i := len(fl.records) - 1; i >= max(0, len(fl.records)-lookBack); i-- {
		q := &fl.records[i]
		if q.from == e || q.flags&event.RST != 0 || q.ignored == sameFrame {
			continue
		}
		if q.flags&event.ACK != 0 && q.ack == r.seq && (q.end() > p.una || q.end() == q.seq) {
			return q
		}
		if h.finEnd != 0 && q.ack == h.finEnd && r.seq == h.finEnd-1 {
			continue // it was sent before e's FIN came in
		}
		break
	}
	if p.lastAck == r.seq && p.dataFrame != 0 && p.datEnd > p.una {
		return &record{frame: p.dataFrame, kind: kData, length: p.dataLen}
	}
	return nil
}

// newestSyn returns the frame of the SYN that e sent last.
func (fl *flow) newestSyn(e end) uint64 {
	for i := len(fl.records) - 1; i >= 0; i-- {
		if q := &fl.records[i]; q.from == e && q.flags&event.SYN != 0 && q.ignored == acted {
			return q.frame
		}
	}
	return fl.half[e].synFrame
}

// killed ends an end's TIME_WAIT by an RST (RFC 1337).
func (fl *flow) killed(e end, s *event.Segment) {
	if w := &fl.tw[e]; w.ended == running {
		w.ended, w.endFrame = killed, s.Frame
	}
}

// settle is how long after an RST its receiver's segments may still have been on their way.
func (fl *flow) settle() time.Duration {
	if fl.sameHost {
		return time.Millisecond
	}
	return max(200*time.Millisecond, 2*time.Duration(fl.rtt))
}

// talkAfterReset judges a segment without RST that comes after the RST. Its receiver going
// on means that the RST did not reach it; its sender going on, that it did not send it.
func (fl *flow) talkAfterReset(e end, s *event.Segment, r *record) {
	rst := &fl.rst
	switch {
	case rst.refused && rst.missed != 0 && r.kind == kSynAck:
		fl.rst = resetFacts{} // the SYN came again, as that of Windows does, and was taken
		return
	case e != rst.by && r.kind == kAck && rst.seq > fl.half[rst.by].nxt && r.ack < rst.seq:
		// A challenge ACK. The capture holds ACKs, so it misses nothing before the RST.
		rst.missed, rst.talks = s.Frame, s.Frame
		if q := fl.find(rst.frame); q != nil {
			q.ignored = insideWindow
		}
		fl.withdrawClosed(e, rst.frame)
	case e == rst.by:
		if rst.talks == 0 && !rst.refused && s.Time.Sub(rst.time) > time.Millisecond && r.seq >= rst.seq &&
			!fl.half[e].sentBefore(s) {
			rst.talks = s.Frame
		}
	case rst.missed == 0 && s.Time.Sub(rst.time) > fl.settle():
		rst.missed = s.Frame
		if q := fl.find(rst.frame); q != nil {
			q.ignored, q.ref = receiverGoesOn, s.Frame
		}
		fl.withdrawClosed(e, rst.frame)
	}
	if rst.talks != 0 && rst.missed != 0 {
		fl.withdrawClosed(rst.by, rst.frame)
		fl.rst = resetFacts{}
	}
}

// sentBefore reports whether s left h before others that were captured before it, by its timestamp.
func (h *half) sentBefore(s *event.Segment) bool {
	return h.hasTS && s.Has&event.HasTimestamps != 0 && int32(s.Options.TSVal-h.tsVal) < 0
}

// withdrawClosed takes back that an end was closed by the RST of a frame.
func (fl *flow) withdrawClosed(e end, frame uint64) {
	i := fl.newest(e)
	if i >= 0 && fl.changes[i].frame == frame && fl.changes[i].state == event.Closed {
		fl.changes[i].seen = false
		fl.withdraw(e, frame)
	}
}
