package tcp

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// takes reports whether e, which is in SYN_RECV, takes its peer's segment r for the handshake's
// last ACK: it begins at what e expects, or brings what is new (RFC 9293 3.10.7.4).
func (fl *Flow) takes(e End, r *Listed) bool {
	p := &fl.Dir[e.Other()]
	if r.Flags&event.SYN != 0 {
		return fl.simultaneousOpen
	}
	return r.Ack >= 1 && r.Seq >= 1 && (r.Seq == p.Una || r.End() > p.Una)
}

// opened reports whether e began with a SYN of its own, so that its peer's SYN,ACK is news to it.
func (fl *Flow) opened(e End) bool {
	return slices.ContainsFunc(fl.Changes, func(ch Change) bool { return ch.Of == e && ch.State == event.SynSent })
}

// beyondWindow reports whether e, in SYN_RECV, refuses what its peer sends at seq: a SYN,ACK
// offers 64 KB at most (RFC 7323 2.2).
func (fl *Flow) beyondWindow(e End, seq int64) bool {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	return d.State == event.SynRecv && seq > max(p.Una, 1)+0xffff
}

// refusesAck reports whether e's RST only refuses what its peer acknowledged, which e never
// sent, and takes back what had followed from that: SYN_RECV outlives such an RST
// (RFC 9293 3.10.7.4). An end that had left SYN_RECV unseen would not have been silent for long.
func (fl *Flow) refusesAck(e End, s *event.Segment, r *Listed) bool {
	d := &fl.Dir[e]
	i := len(fl.Listed) - 1
	for i >= 0 && fl.Listed[i].From == e {
		i--
	}
	if i < 0 || s.Flags&event.ACK != 0 || !d.synAckSent || r.Seq >= 1 && r.Seq <= d.Nxt {
		return false
	}
	q := &fl.Listed[i]
	if q.Flags&(event.ACK|event.RST) != event.ACK || q.Ack != r.Seq || q.Time.Sub(d.LastTime) > Resend ||
		d.State != event.SynRecv && fl.establishedBy(e) != q.Frame {
		return false
	}
	if d.State != event.SynRecv {
		fl.withdraw(e, q.Frame)
	}
	if d.Una == q.Ack {
		d.Una, d.AckStep, d.AckStepFrame = 0, 0, 0
	}
	if fl.doubt != nil && fl.doubt.Frame == q.Frame {
		fl.doubt = nil
	}
	q.Ignored, q.Answers = beyondSent, 0
	r.Ignored, r.Ref, r.Answers = staysInSynRecv, q.Frame, q.Frame
	return true
}
