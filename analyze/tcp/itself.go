package tcp

import "github.com/closecap/closecap/analyze/event"

// IsToItself reports whether fl joins a socket to itself (RFC 9293 3.5, simultaneous open): it has one stream and one
// FIN, which that socket sends and receives, and one TIME_WAIT. All of that is the client's here.
func (fl *Flow) IsToItself() bool {
	c, s := &fl.Addr[Client], &fl.Addr[Server]
	return c.Port() == s.Port() && *c == *s // most differ in their ports
}

// Peer returns the end that receives what e sends.
func (fl *Flow) Peer(e End) End {
	if fl.IsToItself() {
		return e
	}
	return e.Other()
}

// followItself follows a segment of a socket that is connected to itself.
func (fl *Flow) followItself(s *event.Segment, r *Listed) {
	d := &fl.Dir[Client]
	r.Kind = plainKind(s)
	switch {
	case s.Flags&event.RST != 0:
		fl.resetItself(s, r)
		return
	case s.Flags&event.SYN != 0:
		fl.openItself(s, r)
	case d.State == event.StateUnknown || d.State == event.SynSent || d.State == event.SynRecv:
		fl.enter(Client, event.Established, s, true)
		if fl.Handshake = d.SynSent; r.End() == r.Seq {
			r.Answers = d.dataFrame // its own SYN,ACK
		}
	}
	if s.Flags&event.SYN == 0 && r.End() == r.Seq {
		fl.Filtered = false
	}
	if s.Flags&event.ACK != 0 && r.Ack > d.Una {
		r.Answers = fl.newlyAcked(Client, d.Una, r.Ack)
		d.Una = r.Ack
	}
	d.lastAck = r.Ack
	fl.sequence(Client, s, r)
	d.Reach = max(d.Reach, r.Seq)
	if s.Flags&event.FIN != 0 {
		fl.closeItself(s, r)
	}
	if d.FinEnd != 0 && d.FinAckFrame == 0 && r.Ack >= d.FinEnd {
		d.FinAckFrame, d.FinAckTime, d.gotFin = s.Frame, s.Time, proved
		fl.enter(Client, event.TimeWait, s, true)
	}
}

// openItself follows the SYN of a socket that is connected to itself, and the SYN,ACK with which it answers that.
func (fl *Flow) openItself(s *event.Segment, r *Listed) {
	d := &fl.Dir[Client]
	if s.Flags&event.ACK != 0 {
		r.Answers = d.SynFrame
		fl.enter(Client, event.SynRecv, s, true)
	} else if !d.SynSent {
		fl.SynAt = s.Time
		fl.enter(Client, event.SynSent, s, true)
	}
	if !d.SynSent {
		d.SynSent, d.SynFrame = true, s.Frame
	}
}

// closeItself follows the FIN of a socket that is connected to itself: it gets that at once, which is as if two FINs
// had crossed.
func (fl *Flow) closeItself(s *event.Segment, r *Listed) {
	d := &fl.Dir[Client]
	if d.FinEnd != 0 {
		d.FinLost = d.FinLost || d.FinAckFrame == 0
		return
	}
	d.FinEnd, d.FinFrame, d.FinTime = r.End(), s.Frame, s.Time
	fl.Closer, fl.HasCloser = Client, true
	fl.enter(Client, event.FinWait1, s, true)
	fl.enter(Client, event.Closing, s, false)
}

// resetItself follows an RST on a connection of a socket to itself.
func (fl *Flow) resetItself(s *event.Segment, r *Listed) {
	d := &fl.Dir[Client]
	if fl.Reset.Frame != 0 || d.FinAckFrame != 0 {
		r.Ignored = alreadyClosed
	} else {
		fl.Reset = fl.describeReset(Client, s, r, classOf(s), nil)
		fl.Reset.ReceivedData = d.Bytes > 0
	}
	if d.State == event.TimeWait {
		fl.killed(Client, s)
	}
	fl.enter(Client, event.Closed, s, fl.ownReset(Client, s))
}
