package tcp

import (
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// enter moves an end to a state if that may follow the present one. seen says that the end's own segment shows it.
func (fl *Flow) enter(e End, st event.TCPState, s *event.Segment, seen bool) {
	d := &fl.Dir[e]
	if !d.State.MayBecome(st) {
		return
	}
	d.State = st
	fl.note(e, st, s, seen)
	if st == event.TimeWait {
		fl.Waits[e] = Wait{Since: s.Time, Until: s.Time.Add(fl.opt.TimeWait), Seen: seen}
	}
}

// note lists e's entry into st, never before the change that it follows.
func (fl *Flow) note(e End, st event.TCPState, s *event.Segment, seen bool) {
	at := s.Time
	if i := fl.newest(e); i >= 0 {
		at = max(at, fl.Changes[i].Time)
	}
	fl.Changes = append(fl.Changes, Change{Frame: s.Frame, Time: at, Of: e, State: st, Seen: seen})
}

// withdraw takes back the newest change of an end when it was inferred at the given frame.
func (fl *Flow) withdraw(e End, frame uint64) {
	d := &fl.Dir[e]
	i := fl.newest(e)
	if i < 0 || fl.Changes[i].Frame != frame || fl.Changes[i].Seen {
		return
	}
	fl.Changes = append(fl.Changes[:i], fl.Changes[i+1:]...)
	d.State = event.StateUnknown
	if i = fl.newest(e); i >= 0 {
		d.State = fl.Changes[i].State
	}
}

// newest returns the index of an end's newest change, -1 when it has none.
func (fl *Flow) newest(e End) int {
	for i := len(fl.Changes) - 1; i >= 0; i-- {
		if fl.Changes[i].Of == e {
			return i
		}
	}
	return -1
}

// establish moves an end that shows signs of life into ESTABLISHED.
func (fl *Flow) establish(e End, s *event.Segment) {
	d := &fl.Dir[e]
	d.State = event.Established
	fl.note(e, d.State, s, false)
}

// maxWScale is what a larger window scale stands for (RFC 7323 2.3).
const maxWScale = 14

// syn follows a SYN or SYN,ACK that e sent.
func (fl *Flow) syn(e End, s *event.Segment, r *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if d.SynSent {
		switch {
		case s.Flags&event.ACK == 0:
		case d.State == event.SynSent && p.synAckSent && !fl.opened(e.Other()):
			r.Ignored = outsideWindow
		case d.State == event.SynSent:
			fl.simultaneousOpen = true
			fl.enter(e, event.SynRecv, s, true)
		default:
			fl.withdraw(e, fl.establishedBy(e)) // the handshake's ACK did not arrive
		}
		return
	}
	d.SynSent, d.SynFrame = true, s.Frame
	d.SACK = s.Has&event.HasSACKPermitted != 0
	d.cookie = s.Has&event.HasFastOpen != 0 && s.Options.FastOpenLen > 0
	d.AcksFin = s.Options.ScaleFirst && s.TTL <= initialTTL
	if s.Has&event.HasWScale != 0 {
		d.wscale = min(s.Options.WScale, maxWScale)
	} else if s.Has&event.OptionsTruncated == 0 {
		p.wscale = 0 // both must have offered it (RFC 7323 2.2)
	}
	if s.Flags&event.ACK != 0 {
		fl.enter(e, event.SynRecv, s, true)
		r.Answers = p.SynFrame
		return
	}
	fl.SynAt = s.Time
	fl.enter(e, event.SynSent, s, true)
}

// establishedBy returns the frame of an end's entry into ESTABLISHED.
func (fl *Flow) establishedBy(e End) uint64 {
	if i := fl.newest(e); i >= 0 && fl.Changes[i].State == event.Established {
		return fl.Changes[i].Frame
	}
	return 0
}

// ackMoves follows what e's acknowledgement says of both ends' states.
func (fl *Flow) ackMoves(e End, s *event.Segment, r *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	syn := s.Flags&event.SYN != 0
	switch {
	case syn && p.State == event.SynSent && fl.sameHost && r.Ack >= 1:
		fl.enter(e.Other(), event.Established, s, false)
	case !syn && d.State == event.SynSent && r.Ack >= 1 && (p.SynSent || fl.doubt == nil):
		fl.enter(e, event.Established, s, true)
	case !syn && d.State == event.SynRecv && fl.simultaneousOpen:
		fl.enter(e, event.Established, s, true)
	}
	if p.State == event.SynRecv && fl.takes(e.Other(), r) {
		fl.enter(e.Other(), event.Established, s, false)
		if !fl.Handshake && d.SynSent && r.Kind == KindAck && r.Seq == 1 && r.Ack == 1 {
			fl.rtt = int64(s.Time.Sub(fl.SynAt))
		}
	}
	if fl.rtt == 0 && d.SynSent && fl.Handshake && e == Client && r.Kind == KindAck && r.Seq == 1 && r.Ack == 1 && d.overtaken(s) {
		fl.rtt = int64(s.Time.Sub(fl.SynAt)) // the handshake's ACK behind the first data
	}
	if !syn && d.SynSent && (p.SynSent || !p.Sent) && r.Ack >= 1 && r.Ack <= max(p.Nxt, 1) && d.State != event.SynRecv {
		fl.Handshake = true
	}
	if p.FinEnd == 0 {
		return
	}
	if r.Ack >= p.FinEnd {
		if (d.Sent || r.Seq <= d.Una) && d.FinEnd == 0 && s.Flags&event.FIN == 0 && r.Seq <= d.Nxt && !d.lacks(r.Seq) {
			p.AtFin.AckedWithin = true
			p.AtFin.PeerAlive = p.AtFin.PeerAlive || s.Len > 0
		}
		fl.gotFin(e, s, true)
		fl.finAcked(e.Other(), s)
	} else if d.gotFin == presumed {
		fl.withdrawFin(e)
	}
}

// withdrawFin takes back that e has received its peer's FIN.
func (fl *Flow) withdrawFin(e End) {
	fl.Dir[e].gotFin = unproved
	fl.replay(e)
}

// rearmed notes a segment that starts its receiver's TIME_WAIT anew. Linux does so for every
// segment with an ACK but an RST (tcp_timewait_state_process).
func (fl *Flow) rearmed(e End, s *event.Segment) {
	w := &fl.Waits[e.Other()]
	if fl.Dir[e.Other()].State != event.TimeWait || s.Flags&event.ACK == 0 || s.Time < w.Since || s.Time > w.Until {
		return
	}
	fl.Rearms = append(fl.Rearms, Rearm{Frame: s.Frame, Of: e.Other()})
	w.Until = s.Time.Add(fl.opt.TimeWait)
}

// IsClosed reports whether both ends have said that they are done.
func (fl *Flow) IsClosed() bool {
	return fl.Reset.Frame != 0 || fl.Dir[Client].FinEnd != 0 && (fl.Dir[Server].FinEnd != 0 || fl.IsToItself())
}

// WasReset reports whether an RST ended the connection.
func (fl *Flow) WasReset() bool { return fl.Reset.Frame != 0 }

// IsEmbryo reports whether it is not known that the connection was ever established.
func (fl *Flow) IsEmbryo() bool { return !fl.Handshake && !fl.Midstream }

// GiveUp notes that the connection is forgotten before its time.
func (fl *Flow) GiveUp() { fl.Warnings |= WarnEvicted }

// AfterReset is how long a reset connection is kept for late segments; one with two FINs is
// followed by then.
const AfterReset = 10 * time.Second

// Expiry is when a closed connection may be forgotten.
func (fl *Flow) Expiry() event.Time {
	expiry := fl.Last.Add(AfterReset)
	if fl.Reset.Frame == 0 {
		expiry = fl.Last.Add(fl.opt.TimeWait)
	}
	for e := range fl.Waits {
		if w := &fl.Waits[e]; w.Ended != killed {
			expiry = max(expiry, w.Until.Add(time.Second))
		}
	}
	return expiry
}

// AwaitsAck reports whether a FIN of a connection with two of them may yet be acknowledged.
func (fl *Flow) AwaitsAck(now event.Time) bool {
	if fl.Reset.Frame != 0 || fl.Filtered {
		return false
	}
	for e := range fl.Dir {
		if d := &fl.Dir[e]; d.FinAckFrame == 0 && now.Sub(d.FinTime) < Resend {
			return true
		}
	}
	return false
}
