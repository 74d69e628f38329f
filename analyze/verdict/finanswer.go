package verdict

import "github.com/closecap/closecap/analyze/tcp"

// ackedByFin: nothing acknowledged e's FIN before the peer's own, though the peer's stack acknowledges a FIN
// at once. It puts its FIN into that ACK only where it had sent it before.
func ackedByFin(fl judged, e tcp.End) bool {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	return p.AcksFin && !fl.filtered() && p.AtFin.Acked >= d.FinEnd && d.FinAckFrame >= p.FinFrame
}

// answeredInTime: the peer acknowledged e's FIN while it went on itself, or so soon that its FIN is not
// one that is repeated. Where e's was repeated before, what was lost may hold the peer's first.
func answeredInTime(fl judged, e tcp.End) bool {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	switch took := p.FinTime.Sub(p.AtFin.LastOfPeer); {
	case d.AtFin.AckedWithin:
		return true
	case p.FinEnd == 0, fl.filtered() && p.AtFin.Acked < d.FinEnd:
		return false
	case d.FinLost && p.AtFin.LastOfPeer > d.FinTime:
		trip := fl.TripTo(e.Other())
		return trip > 0 && took >= trip*7/8 && took <= fl.RoundTrip()*9/8+atOnceWithin
	case fl.filtered() && !d.FinLost, took <= fl.RoundTrip()+soonWithin:
		return true
	default:
		return took <= fl.RoundTrip()+ackWithin && p.FinTime.Sub(p.AtFin.Before) <= ackWithin
	}
}

// waitedInVain: a FIN of the peer that had been on its way would have come.
func waitedInVain(fl judged, e tcp.End) bool {
	return fl.Dir[e].FinLost || fl.now.Sub(fl.Dir[e].FinTime) >= tcp.Resend
}

// answerIsLate reports whether an RST came so long after e's FIN that the FIN's ACK, or a FIN of the peer,
// would have come before.
func (fl judged) answerIsLate(e tcp.End) bool {
	if fl.Dir[e.Other()].AcksFin {
		return fl.Reset.Time.Sub(fl.Dir[e].FinTime) > fl.TripTo(e.Other())*9/8+atOnceWithin
	}
	return fl.Reset.Time.Sub(fl.Dir[e].FinTime) > fl.RoundTrip()+ackWithin
}

// unanswered reports whether e reset the connection behind its FIN, and nothing shows that its peer had got either.
func (fl judged) unanswered(e tcp.End) bool {
	d := &fl.Dir[e]
	return fl.Reset.Frame != 0 && fl.Reset.By == e && d.FinEnd != 0 && d.FinAckFrame == 0 && !fl.OnSenderHost()
}

// answerMayCome reports whether e answered what was on its way when it closed, and more of its peer, sent before that
// can have got e's FIN, may come later than all that was captured.
func (fl judged) answerMayCome(e tcp.End) bool {
	trip := fl.TripTo(e.Other()) * 9 / 8
	if trip == 0 {
		trip = patience
	}
	return fl.unanswered(e) && fl.Reset.AnsweredLen > 0 && !fl.Reset.BothReset && fl.now.Sub(fl.Dir[e].FinTime) <= trip
}
