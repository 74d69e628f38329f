package analyze

import (
	"github.com/closecap/closecap/analyze/event"
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
func (fl *flow) renewal(e end, s *event.Segment) renewal {
	h, p := &fl.half[e], &fl.half[e.other()]
	if fl.pending != nil && fl.pendingTaken(s) {
		fl.closeForgotten(s)
		return renewPending
	}
	if s.Flags&(event.SYN|event.ACK|event.RST|event.FIN) != event.SYN {
		return goesOn
	}
	if h.synSent && h.rel(s.Seq) == 0 {
		if fl.startsOver(e) {
			return renewNow
		}
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
	case fl.rst.frame == 0 && p.answersSyn():
		return holdBack
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

// closeForgotten closes the ends of a connection whose 4-tuple answers a new SYN: a kernel that
// still knew the old connection would not.
func (fl *flow) closeForgotten(s *event.Segment) {
	if s.Flags&(event.SYN|event.RST) == 0 || s.Src != fl.pending.Dst {
		return
	}
	for _, e := range [...]end{client, server} {
		if st := fl.half[e].state; st != event.StateUnknown && st != event.TimeWait {
			fl.enter(e, event.Closed, &event.Segment{Time: s.Time}, false)
		}
	}
}

// startsOver reports whether a SYN of e with the old ISN begins a connection all the same: an
// RST had ended the old one, and e was past its SYN or had sent that RST.
func (fl *flow) startsOver(e end) bool {
	return fl.rst.frame != 0 && fl.rst.missed == 0 && (fl.rst.by == e || fl.handshake || fl.half[e].synAckSent)
}

// answersSyn reports whether h is in a closing or opening state in which its kernel answers a
// new SYN with a challenge ACK.
func (h *half) answersSyn() bool {
	switch h.state {
	case event.SynRecv, event.FinWait1, event.Closing, event.LastAck:
		return true
	}
	return false
}

// pendingTaken reports whether s shows that the SYN held back began a connection: it was
// answered, or came again after the old connection was gone.
func (fl *flow) pendingTaken(s *event.Segment) bool {
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

// reuse ends what still runs of fl's TIME_WAIT by the SYN s of the next connection, and returns the
// SYN that was held back.
func (fl *flow) reuse(s *event.Segment) (held *event.Segment) {
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
	return fl.takeHeld()
}

// takeHeld returns the SYN that was held back, nil when there is none, and holds it no longer.
func (fl *flow) takeHeld() *event.Segment {
	held := fl.pending
	fl.pending = nil
	return held
}
