package tcp

import "github.com/closecap/closecap/analyze/event"

// refusedAgain takes in that e, whose SYN the RST had refused, sends it again, as Windows does: it stays
// in SYN_SENT until the last of its tries is refused.
func (fl *Flow) refusedAgain(e End, s *event.Segment) {
	fl.Reset.Retried = s.Frame
	fl.withdrawClosed(e, fl.Reset.Frame)
}

// stillOpening reports whether e, which sends its SYN again, has stayed in SYN_SENT all the time: its
// RST only refused what acknowledges more than that SYN (RFC 9293 3.10.7.3).
func (fl *Flow) stillOpening(e End) bool {
	rst, d := &fl.Reset, &fl.Dir[e]
	return rst.By == e && rst.Class == NobodyReset && d.Nxt <= 1 && rst.Seq > d.Nxt
}

// forgetOlder lets e's peer begin anew: what e refused belongs to an older connection, which e's RST ended
// (RFC 9293 3.5.1).
func (fl *Flow) forgetOlder(e End) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	for i := range fl.Listed {
		switch q := &fl.Listed[i]; {
		case q.Frame == fl.Reset.Frame:
			q.Ignored, q.Ref = staysInSynSent, fl.Reset.Trigger
		case q.From != e && q.Ignored == Acted:
			q.Ignored, q.Answers = beyondSent, 0
		}
	}
	kept := fl.Changes[:0]
	for _, ch := range fl.Changes {
		if ch.Of == e && ch.State == event.SynSent {
			kept = append(kept, ch)
		}
	}
	fl.Changes, fl.Reset = kept, Reset{}
	fl.Closer, fl.HasCloser, fl.Handshake, fl.Simultaneous = 0, false, false, false
	d.State, d.Una, d.AckStep, d.AckStepFrame, d.FinAckFrame, d.gotFin = event.SynSent, 0, 0, 0, 0, unproved
	*p = Direction{Packets: p.Packets}
}
