package tcp

import "github.com/closecap/closecap/analyze/event"

// impossible returns why the receiver of e's segment cannot act on it: it acknowledges more
// than the receiver's FIN, after which there is nothing, or its FIN stands where the receiver
// has acknowledged something else. Of a connection that began before the capture too little is
// known for that.
func (fl *Flow) impossible(e End, s *event.Segment, r *Listed) Ignored {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	switch {
	case s.Has&badSum != 0 && fl.farAway(e, r):
		return damaged
	case fl.Midstream:
	case s.Len > 0 && s.Flags&event.FIN == 0 && fl.beyondWindow(e.Other(), r.Seq):
		return outsideWindow
	case p.FinEnd != 0 && p.Nxt <= p.FinEnd && r.Ack > p.FinEnd:
		p.PastFin = true
		return beyondSent
	case s.Flags&event.FIN != 0 && d.FinEnd == 0 && r.End() <= min(d.Nxt, d.Una):
		return underSent
	}
	return Acted
}

// badSum says that a segment is damaged, or that its checksum was left to the network card.
const badSum = event.BadChecksum | event.BadIPChecksum

// farAway reports whether e's segment stands where its peer has no room for it, or acknowledges what e had none for.
func (fl *Flow) farAway(e End, r *Listed) bool {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	return p.SynSent && r.Seq > max(d.Una, d.Nxt)+p.offers() ||
		d.SynSent && r.Ack > max(p.Una, p.Nxt)+d.offers()
}

// doubts returns why the receiver of e's FIN may refuse it, acted when it will not. Either the
// FIN acknowledges what its receiver is not known to have sent: the capture missed that, or
// the receiver refuses the segment (RFC 9293 3.10.7.4). Or it stands before data that e had
// Sent: a receiver that has those data takes it for an old one.
func (fl *Flow) doubts(e End, s *event.Segment, r *Listed) Ignored {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	switch {
	case s.Flags&(event.FIN|event.ACK|event.SYN) != event.FIN|event.ACK || !p.Sent:
	case d.Sent && d.FinEnd == 0 && r.End() <= d.Nxt:
		return underSent
	case fl.doubt == nil && p.Holes == 0 && r.Ack > p.Nxt && r.Ack > p.Una:
		return beyondSent
	case fl.doubt == nil && fl.beyondWindow(e.Other(), r.Seq):
		return outsideWindow
	}
	return Acted
}

// decideDoubt decides about the FIN in doubt by a segment of its receiver e: had e sent what
// the FIN acknowledges, it goes on after that.
func (fl *Flow) decideDoubt(e End, r *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	s := fl.doubt
	if at := p.rel(s.End()); at <= p.Nxt {
		if r.Ack >= at && r.Ack <= p.Nxt {
			fl.doubt = nil
			if r.Ack == at {
				fl.believe(e.Other(), s)
			}
		}
		return
	}
	fl.doubt = nil
	repeated := r.Flags&event.FIN != 0 && r.End() == d.rel(s.Ack) // the FIN that it acknowledges, sent again
	if !repeated && r.Ack < p.rel(s.End()) && (r.Seq < d.rel(s.Ack) || r.Ack == 1 && fl.beyondWindow(e, p.rel(s.Seq))) {
		return
	}
	fl.believe(e.Other(), s)
}

// believe follows a FIN that had been in doubt.
func (fl *Flow) believe(e End, s *event.Segment) {
	q := fl.find(s.Frame)
	if q == nil {
		q = &Listed{Frame: s.Frame, Time: s.Time, From: e, Flags: s.Flags, Length: s.Len, Kind: KindFin,
			Seq: fl.Dir[e].rel(s.Seq), Ack: fl.Dir[e.Other()].rel(s.Ack)}
	}
	q.Ignored = Acted
	fl.acknowledge(e, s, q)
	if q.Answers > q.Frame {
		q.Answers = 0 // what settled the doubt came after it
	}
	fl.sequence(e, s, q)
	fl.fin(e, s, q)
}
