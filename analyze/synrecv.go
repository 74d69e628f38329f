package analyze

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// takes reports whether e, which is in SYN_RECV, takes its peer's segment r for the handshake's
// last ACK: it begins at what e expects, or brings what is new (RFC 9293 3.10.7.4).
func (fl *flow) takes(e end, r *record) bool {
	p := &fl.half[e.other()]
	if r.flags&event.SYN != 0 {
		return r.ack >= 1 && fl.simulOpen
	}
	return r.ack >= 1 && r.seq >= 1 && (r.seq == p.una || r.end() > p.una)
}

// opened reports whether e began with a SYN of its own, so that its peer's SYN,ACK is news to it.
func (fl *flow) opened(e end) bool {
	return slices.ContainsFunc(fl.changes, func(ch change) bool { return ch.of == e && ch.state == event.SynSent })
}

// beyondWindow reports whether e, in SYN_RECV, refuses what its peer sends at seq: a SYN,ACK
// offers 64 KB at most (RFC 7323 2.2).
func (fl *flow) beyondWindow(e end, seq int64) bool {
	h, p := &fl.half[e], &fl.half[e.other()]
	return h.state == event.SynRecv && h.synAckSent && seq > max(p.una, 1)+0xffff
}

// refusesAck reports whether e's RST only refuses what its peer acknowledged, which e never
// sent, and takes back what had followed from that: SYN_RECV outlives such an RST
// (RFC 9293 3.10.7.4). An end that had left SYN_RECV unseen would not have been silent for long.
func (fl *flow) refusesAck(e end, s *event.Segment, r *record) bool {
	h := &fl.half[e]
	i := len(fl.records) - 1
	for i >= 0 && fl.records[i].from == e {
		i--
	}
	if i < 0 || s.Flags&event.ACK != 0 || !h.synAckSent || r.seq >= 1 && r.seq <= h.nxt {
		return false
	}
	q := &fl.records[i]
	if q.flags&(event.ACK|event.RST) != event.ACK || q.ack != r.seq || q.time.Sub(h.lastTime) > resend ||
		h.state != event.SynRecv && fl.establishedBy(e) != q.frame {
		return false
	}
	if h.state != event.SynRecv {
		fl.withdraw(e, q.frame)
	}
	if h.una == q.ack {
		h.una, h.ackStep, h.ackStepFrame = 0, 0, 0
	}
	if fl.doubt != nil && fl.doubt.Frame == q.frame {
		fl.doubt = nil
	}
	q.ignored, q.answers = beyondSent, 0
	r.ignored, r.ref, r.answers = staysInSynRecv, q.frame, q.frame
	return true
}
