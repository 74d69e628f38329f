package analyze

import (
	"slices"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// enter moves an end to a state if that may follow the present one. seen says that the end's own segment shows it.
func (fl *flow) enter(e end, st event.TCPState, s *event.Segment, seen bool) {
	h := &fl.half[e]
	if !h.state.MayBecome(st) {
		return
	}
	h.state = st
	fl.note(e, st, s, seen)
	if st == event.TimeWait {
		fl.tw[e] = waiting{since: s.Time, until: s.Time.Add(fl.opt.TimeWait), seen: seen}
	}
}

// note lists e's entry into st, never before the change that it follows.
func (fl *flow) note(e end, st event.TCPState, s *event.Segment, seen bool) {
	at := s.Time
	if i := fl.newest(e); i >= 0 {
		at = max(at, fl.changes[i].time)
	}
	n := len(fl.changes)
	fl.changes = slices.Grow(fl.changes, 1)[:n+1]
	ch := &fl.changes[n]
	ch.frame, ch.time, ch.of, ch.state, ch.seen = s.Frame, at, e, st, seen
}

// withdraw takes back the newest change of an end when it was inferred at the given frame,
// and all that followed at the same frame.
func (fl *flow) withdraw(e end, frame uint64) {
	h := &fl.half[e]
	i := fl.newest(e)
	if i < 0 || fl.changes[i].frame != frame || fl.changes[i].seen {
		return
	}
	if fl.changes[i].state == event.TimeWait {
		fl.tw[e] = waiting{}
		fl.rearms = slices.DeleteFunc(fl.rearms, func(r rearm) bool { return r.of == e })
	}
	fl.changes = append(fl.changes[:i], fl.changes[i+1:]...)
	h.state = event.StateUnknown
	if i = fl.newest(e); i >= 0 {
		h.state = fl.changes[i].state
		if fl.changes[i].frame == frame {
			fl.withdraw(e, frame)
		}
	}
}

// newest returns the index of an end's newest change, -1 when it has none.
func (fl *flow) newest(e end) int {
	for i := len(fl.changes) - 1; i >= 0; i-- {
		if fl.changes[i].of == e {
			return i
		}
	}
	return -1
}

// establish moves an end that shows signs of life into ESTABLISHED.
func (fl *flow) establish(e end, s *event.Segment) {
	h := &fl.half[e]
	h.state = event.Established
	fl.note(e, h.state, s, false)
}

// syn follows a SYN or SYN,ACK that e sent.
func (fl *flow) syn(e end, s *event.Segment, r *record) {
	h, p := &fl.half[e], &fl.half[e.other()]
	if h.synSent {
		if s.Flags&event.ACK != 0 && h.state == event.SynRecv {
			return
		}
		if s.Flags&event.ACK != 0 && h.state == event.SynSent {
			if p.synAckSent && !fl.opened(e.other()) {
				r.ignored = outsideWindow
				return
			}
			fl.simulOpen = true
			fl.enter(e, event.SynRecv, s, true)
			return
		}
		if s.Flags&event.ACK != 0 && h.state == event.Established {
			fl.withdraw(e, fl.establishedBy(e)) // the handshake's ACK did not arrive
		}
		return
	}
	h.synSent, h.synFrame = true, s.Frame
	h.cookie = s.Has&event.HasFastOpen != 0 && s.Options.FastOpenLen > 0
	if s.Has&event.HasWScale != 0 {
		h.wscale = s.Options.WScale
	}
	if s.Flags&event.ACK != 0 {
		fl.enter(e, event.SynRecv, s, true)
		if r.answers == 0 && p.synFrame != 0 {
			r.answers = p.synFrame
		}
		return
	}
	fl.synAt = s.Time
	fl.enter(e, event.SynSent, s, true)
}

// establishedBy returns the frame of an end's entry into ESTABLISHED.
func (fl *flow) establishedBy(e end) uint64 {
	if i := fl.newest(e); i >= 0 && fl.changes[i].state == event.Established {
		return fl.changes[i].frame
	}
	return 0
}

// ackMoves follows what e's acknowledgement says of both ends' states.
func (fl *flow) ackMoves(e end, s *event.Segment, r *record) {
	h, p := &fl.half[e], &fl.half[e.other()]
	syn := s.Flags&event.SYN != 0
	switch {
	case syn && p.state == event.SynSent && fl.sameHost && r.ack >= 1:
		fl.enter(e.other(), event.Established, s, false)
	case !syn && h.state == event.SynSent && (p.synSent || !p.sent) && r.ack >= 1:
		fl.enter(e, event.Established, s, true)
	case !syn && h.state == event.SynRecv && fl.simulOpen:
		fl.enter(e, event.Established, s, true)
	}
	if p.state == event.SynRecv && fl.takes(e.other(), r) {
		fl.enter(e.other(), event.Established, s, false)
		if !syn && !fl.handshake {
			fl.rtt = int64(s.Time.Sub(fl.synAt))
		}
	}
	if !syn && h.synSent && (p.synSent || !p.sent) && r.ack >= 1 && r.ack <= max(p.nxt, 1) && h.state != event.SynRecv {
		fl.handshake = true
	}
	if p.finEnd == 0 {
		return
	}
	if r.ack >= p.finEnd {
		fl.gotFin(e, s, true)
		fl.finAcked(e.other(), s)
	} else if h.gotFin == presumed {
		fl.withdrawFin(e)
	}
}

// withdrawFin takes back that e has received its peer's FIN.
func (fl *flow) withdrawFin(e end) {
	fl.half[e].gotFin = unproved
	fl.replay(e)
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// gotFin moves e, which received its peer's FIN. seen says that e's own ACK proves it.
func (fl *flow) gotFin(e end, s *event.Segment, seen bool) {
	h := &fl.half[e]
	had := h.gotFin
	h.gotFin = presumed
	if seen {
		h.gotFin = proved
	}
	if had != unproved {
		return
	}
	h.gotFinFrame, h.gotFinTime, h.gotFinSeen = s.Frame, s.Time, seen
	switch h.state {
	case event.Established, event.SynRecv, event.SynSent, event.StateUnknown:
		fl.enter(e, event.CloseWait, s, seen)
	case event.FinWait1:
		fl.enter(e, event.Closing, s, seen)
	case event.FinWait2:
		fl.enter(e, event.TimeWait, s, seen)
	}
}

// finAcked moves e, whose FIN its peer's segment s covers.
func (fl *flow) finAcked(e end, s *event.Segment) {
	h, p := &fl.half[e], &fl.half[e.other()]
	if h.finAckFrame != 0 {
		h.finAckAgain, h.finAckAgainTime = s.Frame, s.Time
		return
	}
	h.finAckFrame, h.finAckTime = s.Frame, s.Time
	if h.state == event.FinWait1 && p.finEnd != 0 && h.gotFin == unproved && !p.finLost {
		// The peer's FIN left before this ACK of ours, so it came first.
		fl.gotFin(e, s, false)
	}
	switch h.state {
	case event.FinWait1:
		fl.enter(e, event.FinWait2, s, false)
	case event.Closing:
		fl.enter(e, event.TimeWait, s, false)
	case event.LastAck:
		fl.enter(e, event.Closed, s, false)
	}
}

// fin follows a FIN that e sent.
func (fl *flow) fin(e end, s *event.Segment, r *record) {
	h, p := &fl.half[e], &fl.half[e.other()]
	if h.finEnd != 0 {
		if r.end() != h.finEnd {
			r.ignored, r.ref = secondFin, h.finFrame
			return
		}
		fl.finAgain(e, s, r)
		return
	}
	h.finEnd, h.finFrame, h.finTime = r.end(), s.Frame, s.Time
	if !fl.hasCloser {
		fl.closer, fl.hasCloser = e, true
	} else if p.finEnd != 0 && s.Flags&event.ACK != 0 && r.ack < p.finEnd {
		fl.simul = h.gotFin != proved || fl.overtaken(h, r)
	}
	switch h.state {
	case event.CloseWait:
		fl.enter(e, event.LastAck, s, true)
	case event.TimeWait, event.Closed, event.Closing, event.LastAck:
	default:
		fl.enter(e, event.FinWait1, s, true)
	}
	if fl.simul && h.gotFin == proved {
		h.gotFinFrame, h.gotFinTime = s.Frame, s.Time
		fl.replay(e)
	}
	fl.presumeFin(e, s)
}

// overtaken reports whether h's FIN was sent before the segment with which h acknowledged its
// peer's, and came after it.
func (fl *flow) overtaken(h *half, r *record) bool {
	q := fl.find(h.gotFinFrame)
	return q != nil && q.seq >= r.end()
}

// presumeFin lets the peer of e have e's FIN at once when both live on the capturing host.
func (fl *flow) presumeFin(e end, s *event.Segment) {
	h, p := &fl.half[e], &fl.half[e.other()]
	if !fl.sameHost || h.finLost || h.holes > 0 || p.gotFin != unproved {
		return
	}
	switch p.state {
	case event.Established, event.FinWait1, event.FinWait2:
		fl.gotFin(e.other(), s, false)
	}
}

// finAgain follows a retransmitted FIN: its first transmission, or the ACK of it, was lost.
func (fl *flow) finAgain(e end, s *event.Segment, r *record) {
	h, p := &fl.half[e], &fl.half[e.other()]
	if h.finFrame < s.Frame {
		r.repeats = h.finFrame
	}
	if h.finAckFrame != 0 && s.Flags&event.ACK != 0 && r.ack > h.lastAck {
		return // the BSDs put their FIN into the ACK of the peer's: that is no sign of loss
	}
	h.finLost = true
	if p.gotFin == presumed {
		fl.withdrawFin(e.other())
	}
	if h.finAckFrame != 0 && !fl.crossed(h.finAckTime, s.Time) {
		h.finAckFrame, h.finAckTime = h.finAckAgain, h.finAckAgainTime
		h.finAckAgain = 0
		if h.finAckFrame != 0 && !fl.crossed(h.finAckTime, s.Time) {
			h.finAckFrame = 0
		}
		fl.replay(e)
	}
	if h.finAckFrame == 0 && s.Flags&event.ACK != 0 && p.finEnd != 0 && r.ack >= p.finEnd && h.gotFin == unproved {
		fl.gotFin(e, s, true)
	}
}

// rearmed notes a segment that starts its receiver's TIME_WAIT anew. Linux does so for every
// segment with an ACK but an RST (tcp_timewait_state_process).
func (fl *flow) rearmed(e end, s *event.Segment) {
	w := &fl.tw[e.other()]
	if fl.half[e.other()].state != event.TimeWait || s.Flags&event.ACK == 0 || s.Time > w.until {
		return
	}
	fl.rearms = append(fl.rearms, rearm{frame: s.Frame, of: e.other()})
	w.until = s.Time.Add(fl.opt.TimeWait)
}

// isClosed reports whether both ends have said that they are done.
func (fl *flow) isClosed() bool {
	return fl.rst.frame != 0 || fl.half[client].finEnd != 0 && fl.half[server].finEnd != 0
}

// isEmbryo reports whether it is not known that the connection was ever established.
func (fl *flow) isEmbryo() bool { return !fl.handshake && !fl.midstream }

// giveUp notes that the connection is forgotten before its time.
func (fl *flow) giveUp() { fl.warn |= warnEvicted }

// expiry is when a closed connection may be forgotten.
func (fl *flow) expiry() event.Time {
	expiry := fl.last.Add(afterReset)
	if fl.rst.frame == 0 {
		expiry = fl.last.Add(fl.opt.TimeWait)
	}
	for e := range fl.tw {
		if w := &fl.tw[e]; w.since != 0 && w.ended != killed {
			expiry = max(expiry, w.until.Add(time.Second))
		}
	}
	return expiry
}

// awaitsAck reports whether a FIN of a connection with two of them may yet be acknowledged.
func (fl *flow) awaitsAck(now event.Time) bool {
	if fl.rst.frame != 0 || fl.filtered {
		return false
	}
	for e := range fl.half {
		if h := &fl.half[e]; h.finAckFrame == 0 && now.Sub(h.finTime) < resend {
			return true
		}
	}
	return false
}

// impossible returns why the receiver of e's segment cannot act on it: it acknowledges more
// than the receiver's FIN, after which there is nothing, or its FIN stands where the receiver
// has acknowledged something else. Of a connection that began before the capture too little is
// known for that.
func (fl *flow) impossible(e end, s *event.Segment, r *record) ignored {
	h, p := &fl.half[e], &fl.half[e.other()]
	switch {
	case fl.midstream:
	case s.Len > 0 && s.Flags&event.FIN == 0 && fl.beyondWindow(e.other(), r.seq):
		return outsideWindow
	case p.finEnd != 0 && p.nxt <= p.finEnd && r.ack > p.finEnd:
		return beyondSent
	case s.Flags&event.FIN != 0 && h.finEnd == 0 && r.end() <= min(h.nxt, h.una):
		return underSent
	}
	return acted
}

// doubts returns why the receiver of e's FIN may refuse it, acted when it will not. Either the
// FIN acknowledges what its receiver is not known to have sent: the capture missed that, or
// the receiver refuses the segment (RFC 9293 3.10.7.4). Or it stands before data that e had
// sent: a receiver that has those data takes it for an old one.
func (fl *flow) doubts(e end, s *event.Segment, r *record) ignored {
	h, p := &fl.half[e], &fl.half[e.other()]
	switch {
	case s.Flags&(event.FIN|event.ACK|event.SYN) != event.FIN|event.ACK || !p.sent:
	case h.sent && h.finEnd == 0 && r.end() <= h.nxt:
		return underSent
	case fl.doubt == nil && p.holes == 0 && r.ack > p.nxt && r.ack > p.una:
		return beyondSent
	case fl.doubt == nil && fl.beyondWindow(e.other(), r.seq):
		return outsideWindow
	}
	return acted
}

// settleDoubt decides about the FIN in doubt by a segment of its receiver e: had e sent what
// the FIN acknowledges, it goes on after that.
func (fl *flow) settleDoubt(e end, r *record) {
	h, p := &fl.half[e], &fl.half[e.other()]
	s := fl.doubt
	if at := p.rel(s.End()); at <= p.nxt {
		if r.flags&event.ACK != 0 && r.ack >= at && r.ack <= p.nxt {
			fl.doubt = nil
			if r.ack == at {
				fl.believe(e.other(), s)
			}
		}
		return
	}
	fl.doubt = nil
	if r.ack < p.rel(s.End()) && (r.seq < h.rel(s.Ack) || r.ack == 1 && fl.beyondWindow(e, p.rel(s.Seq))) {
		return
	}
	fl.believe(e.other(), s)
}

// believe follows a FIN that had been in doubt.
func (fl *flow) believe(e end, s *event.Segment) {
	q := fl.find(s.Frame)
	if q == nil {
		q = &record{frame: s.Frame, time: s.Time, from: e, flags: s.Flags, length: s.Len, kind: kFin,
			seq: fl.half[e].rel(s.Seq), ack: fl.half[e.other()].rel(s.Ack)}
	}
	q.ignored = acted
	fl.acknowledge(e, s, q)
	if q.answers > q.frame {
		q.answers = 0 // what settled the doubt came after it
	}
	fl.sequence(e, s, q)
	fl.fin(e, s, q)
}
