package analyze

import (
	"closecap/analyze/event"
)

// renewal is what a segment on a known 4-tuple means for the flow that stands there.
type renewal uint8

const (
	goesOn       renewal = iota // it belongs to the flow
	renewNow                    // it begins the next connection
	holdBack                    // a SYN that its receiver may refuse: what follows will show
	renewPending                // the SYN held back was taken after all
)

// renewal judges a segment before the flow sees it. Only a SYN with another ISN begins a
// connection; a late ACK, RST or keep-alive never does.
func (f *Follower) renewal(fl *flow, e end, s *event.Segment) renewal {
	h, p := &fl.half[e], &fl.half[e.other()]
	if fl.pending != nil && f.pendingTaken(fl, s) {
		return renewPending
	}
	if s.Flags&(event.SYN|event.ACK|event.RST|event.FIN) != event.SYN {
		return goesOn
	}
	if h.synSent && h.rel(s.Seq) == 0 {
		return goesOn
	}
	if !h.synSent && h.based && !fl.isClosed() && h.rel(s.Seq) == 0 {
		return goesOn
	}
	if !h.sent && p.synSent && !p.based {
		return goesOn
	}
	if !h.sent && p.synSent && !fl.handshake && p.una == 0 {
		return goesOn // simultaneous open
	}
	switch {
	case p.state == event.TimeWait || h.state == event.TimeWait:
		if p.state == event.TimeWait && s.Time <= fl.tw[e.other()].until {
			return holdBack
		}
		return renewNow
	case fl.isClosed(), h.state == event.SynSent || h.state == event.Closed:
		return renewNow
	}
	return holdBack
}

// pendingTaken reports whether s shows that the SYN held back began a connection: it was
// answered, or came again after the old connection was gone.
func (f *Follower) pendingTaken(fl *flow, s *event.Segment) bool {
	syn := fl.pending
	switch {
	case s.Flags&(event.SYN|event.ACK) == event.SYN|event.ACK:
		return s.Src == syn.Dst && s.Ack == syn.Seq.Add(1)
	case s.Flags&(event.SYN|event.RST) == event.SYN:
		return s.Src == syn.Src && fl.isClosed()
	case s.Flags&event.RST == 0 && s.Src == syn.Src:
		return s.Seq == syn.Seq.Add(1) // it goes on, though the answer was not captured
	case s.Flags&event.RST != 0:
		return s.Src == syn.Dst && s.Flags&event.ACK != 0 && s.Ack == syn.Seq.Add(1)
	}
	return false
}

// renew ends fl in favour of the connection that s begins.
func (f *Follower) renew(fl *flow, s *event.Segment) {
	for e := range fl.tw {
		w := &fl.tw[e]
		if w.since == 0 || w.ended != running {
			continue
		}
		if s.Time > w.until {
			w.ended = expired
		} else {
			w.ended, w.endFrame = reused, s.Frame
		}
	}
	held := fl.pending
	fl.pending = nil
	f.finish(fl.place)
	if held != nil && held != s {
		f.reroute(held)
	}
	f.reroute(s)
}
