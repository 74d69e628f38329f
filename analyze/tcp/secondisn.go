package tcp

import "github.com/closecap/closecap/analyze/event"

// refuseISN takes a SYN with another ISN than its sender's first. The handshake has room for
// one: a client that took the first answers the other with an ACK of what it has. Servers that
// share an address, or keep no state for a SYN, answer one SYN twice.
func (fl *Flow) refuseISN(d *Direction, s *event.Segment, r *Listed) {
	r.Ignored, r.Ref = anotherISN, d.SynFrame
	if s.Flags&event.ACK != 0 {
		held := *s
		fl.secondISN = &held
	}
}

// chooseISN lets d begin with the other SYN,ACK when it is the one that its peer's segment s
// acknowledges.
func (fl *Flow) chooseISN(d *Direction, s *event.Segment) {
	o := fl.secondISN
	if s.Src == o.Src {
		return
	}
	fl.secondISN = nil
	if s.Ack != o.Seq.Add(1) {
		return
	}
	d.base(s.Ack, 1)
	if q := fl.find(d.SynFrame); q != nil {
		q.Ignored, q.Ref = anotherISN, o.Frame
	}
	if q := fl.find(o.Frame); q != nil {
		q.Seq, q.Ignored = 0, Acted
	}
	d.SynFrame = o.Frame
}

// takeUnseenISN lets d, which goes on by s before the number of its SYN,ACK where its peer waits for it, begin there:
// the SYN,ACK that its peer took is another, which was not captured.
func (fl *Flow) takeUnseenISN(d, p *Direction, s *event.Segment) {
	at := d.rel(s.Seq)
	if !d.synAckSent || at != p.lastAck {
		return
	}
	for i := range fl.Listed {
		switch q := &fl.Listed[i]; {
		case q.Frame == d.SynFrame:
			q.Ignored, q.Ref = anotherISN, s.Frame
		case q.Flags&event.ACK != 0 && (q.From == Client) == (p == &fl.Dir[Client]):
			q.Ack += 1 - at
		}
	}
	d.base(s.Seq, 1)
	d.SynFrame, p.lastAck = 0, 1
	p.AtFin.Acked, p.AtFin.PeerNxt = 1, 0 // what stands before s was not captured
}

// renumbered reports whether d has other numbers than with its SYN,ACK, which what else follows numbers goes by.
func (d *Direction) renumbered() bool { return d.SynSent && d.SynFrame == 0 }
