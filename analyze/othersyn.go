package analyze

import "github.com/closecap/closecap/analyze/event"

// otherSyn takes a SYN with another ISN than its sender's first. The handshake has room for
// one: a client that took the first answers the other with an ACK of what it has. Servers that
// share an address, or keep no state for a SYN, answer one SYN twice.
func (fl *flow) otherSyn(h *half, s *event.Segment, r *record) {
	r.ignored, r.ref = otherISN, h.synFrame
	if s.Flags&event.ACK != 0 && !fl.handshake && fl.rst.frame == 0 {
		held := *s
		fl.other = &held
	}
}

// settleOther lets h begin with the other SYN,ACK when it is the one that its peer's segment s
// acknowledges.
func (fl *flow) settleOther(h *half, s *event.Segment) {
	o := fl.other
	if s.Src == o.Src || s.Flags&event.ACK == 0 {
		return
	}
	fl.other = nil
	if s.Ack != o.Seq.Add(1) || fl.handshake || fl.rst.frame != 0 {
		return
	}
	h.base(s.Ack, 1)
	if q := fl.find(h.synFrame); q != nil {
		q.ignored, q.ref = otherISN, o.Frame
	}
	if q := fl.find(o.Frame); q != nil {
		q.seq, q.ignored = 0, acted
	}
	h.synFrame = o.Frame
}
