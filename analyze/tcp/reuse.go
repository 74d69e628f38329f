package tcp

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// Reuse is what a segment on a known 4-tuple means for the flow that stands there.
type Reuse uint8

// What it may mean.
const (
	NoReuse     Reuse = iota // it belongs to the flow
	ReuseNow                 // it begins the next connection
	HoldBack                 // a SYN that its receiver may refuse: what follows will show
	ReuseByHeld              // the SYN held back was taken after all
)

// Reuse judges a segment before the flow sees it. Only a SYN with another ISN begins a
// connection, or the answer to one of an end that had been refused; a late ACK, RST or keep-alive never does.
func (fl *Flow) Reuse(e End, s *event.Segment) Reuse {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if fl.held != nil && fl.heldTaken(s) {
		fl.closeForgotten(s)
		return ReuseByHeld
	}
	switch s.Flags & (event.SYN | event.ACK | event.RST | event.FIN) {
	case event.SYN:
	case event.SYN | event.ACK:
		if fl.Reset.Refused && d.SynSent && d.rel(s.Seq) != 0 {
			return ReuseNow // it takes a SYN that was not captured
		}
		if fl.answersUnseenSyn(d, p, s) {
			return ReuseNow
		}
		return NoReuse
	default:
		return NoReuse
	}
	if d.SynSent && d.rel(s.Seq) == 0 {
		if fl.stillOpening(e) {
			fl.forgetOlder(e)
			return NoReuse
		}
		if fl.startsOver(e) {
			return ReuseNow
		}
		return NoReuse
	}
	if d.Based && !fl.IsClosed() && d.rel(s.Seq) == 0 {
		return NoReuse
	}
	if !d.Based && p.SynSent && fl.Reset.Frame == 0 {
		return NoReuse // simultaneous open
	}
	switch {
	case fl.Reset.Frame == 0 && p.answersSyn(), p.State == event.TimeWait && s.Time <= fl.Waits[e.Other()].Until:
		return HoldBack
	case fl.IsClosed(), d.State == event.SynSent:
		return ReuseNow
	}
	return HoldBack
}

// answersUnseenSyn reports whether the SYN,ACK s of d takes a SYN of p that was not captured: neither number is
// one of the connection's own, of which an end was. Behind its FIN d sends none of this connection.
func (fl *Flow) answersUnseenSyn(d, p *Direction, s *event.Segment) bool {
	return (fl.HasCloser || fl.Reset.Frame != 0) && (d.SynSent || d.FinEnd != 0) && d.rel(s.Seq) != 0 && p.Based && p.rel(s.Ack) != 1
}

// closeForgotten closes the ends of a connection whose 4-tuple answers a new SYN: a kernel that
// still knew the old connection would not.
func (fl *Flow) closeForgotten(s *event.Segment) {
	if s.Flags&(event.SYN|event.RST) == 0 || s.Src != fl.held.Dst {
		return
	}
	for _, e := range [...]End{Client, Server} {
		if st := fl.Dir[e].State; st != event.StateUnknown && st != event.TimeWait {
			fl.enter(e, event.Closed, &event.Segment{Time: s.Time}, false)
		}
	}
}

// IsForgotten reports whether a new connection took fl's 4-tuple, and neither end knew of fl any more.
func (fl *Flow) IsForgotten() bool {
	return slices.ContainsFunc(fl.Changes, func(ch Change) bool { return ch.Frame == 0 })
}

// startsOver reports whether a SYN of e with the old ISN begins a connection all the same: an
// RST had ended the old one, and e was past its SYN or had sent that RST.
func (fl *Flow) startsOver(e End) bool {
	return fl.Reset.Frame != 0 && fl.Reset.Missed == 0 && (fl.Reset.By == e || fl.Handshake || fl.Dir[e].synAckSent)
}

// answersSyn reports whether d is in a closing or opening state in which its kernel answers a
// new SYN with a challenge ACK.
func (d *Direction) answersSyn() bool {
	switch d.State {
	case event.SynRecv, event.FinWait1, event.Closing, event.LastAck:
		return true
	}
	return false
}

// heldTaken reports whether s shows that the SYN held back began a connection: it was
// answered, or came again after the old connection was gone.
func (fl *Flow) heldTaken(s *event.Segment) bool {
	syn := fl.held
	switch {
	case s.Flags&(event.SYN|event.ACK) == event.SYN|event.ACK:
		return s.Ack == syn.Seq.Add(1)
	case s.Flags&(event.SYN|event.RST) == event.SYN:
		return s.Src == syn.Src && fl.IsClosed()
	case s.Flags&event.RST == 0 && s.Src == syn.Src:
		return s.Seq == syn.Seq.Add(1) || fl.goesOnFrom(syn, s.Seq) // though the answer was not captured
	case s.Flags&event.RST == 0:
		return s.Flags&event.ACK != 0 && fl.goesOnFrom(syn, s.Ack)
	case s.Flags&event.RST != 0:
		return s.Src == syn.Dst && s.Flags&event.ACK != 0 && s.Ack == syn.Seq.Add(1)
	}
	return false
}

// firstWindow is up to how much an end sends that knows only its peer's SYN, which does not scale its window.
const firstWindow = 1 << 16

// goesOnFrom reports whether the sender of the SYN that is held back had got to at with it, and not with this connection.
func (fl *Flow) goesOnFrom(syn *event.Segment, at seqnum.Value) bool {
	d := &fl.Dir[Client]
	if syn.Src == fl.Addr[Server] {
		d = &fl.Dir[Server]
	}
	n := at.Diff(syn.Seq)
	return n > 0 && n <= firstWindow && d.Based && syn.Seq.Diff(d.nxtAbs) > 0
}

// EndForReuse ends what still runs of TIME_WAIT by the SYN s of the next connection on the 4-tuple,
// and returns the SYN that was held back.
func (fl *Flow) EndForReuse(s *event.Segment) (held *event.Segment) {
	for e := range fl.Waits {
		w := &fl.Waits[e]
		if w.Ended != running {
			continue
		}
		if s.Time > w.Until {
			w.Ended = expired
		} else {
			w.Ended, w.EndFrame = reused, s.Frame
		}
	}
	return fl.TakeHeld()
}

// Hold holds a SYN back, unless one is held already.
func (fl *Flow) Hold(s *event.Segment) bool {
	if fl.held != nil {
		return false
	}
	held := *s
	fl.held = &held
	return true
}

// Held returns the SYN that is held back, nil when there is none.
func (fl *Flow) Held() *event.Segment { return fl.held }

// TakeHeld returns the SYN that was held back, nil when there is none, and holds it no longer.
func (fl *Flow) TakeHeld() *event.Segment {
	held := fl.held
	fl.held = nil
	return held
}
