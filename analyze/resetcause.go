package analyze

import (
	"fmt"
)

// judgeReset says who reset the connection and why, as far as packets tell.
func (fl judged) judgeReset() *Reset {
	rst := &fl.rst
	r := &Reset{By: rst.by.side(), Frame: rst.frame, Trigger: rst.trigger, Confidence: Inferred}
	because := func(format string, args ...any) { r.Why = append(r.Why, fmt.Sprintf(format, args...)) }
	r.Lost.Unacked, r.Lost.Missing = fl.lostBy(rst.by.other())
	r.Lost.From = rst.by.other().side()
	switch {
	case rst.refused:
		r.Cause, r.Confidence = ConnRefused, Observed
		r.Trigger = fl.half[rst.by.other()].synFrame
		because("frame %d acknowledges the SYN: nobody listens on that port, or it was rejected", rst.frame)
	case rst.talks != 0:
		r.Cause = Middlebox
		because("frame %d: the %s goes on after the RST that bears its address", rst.talks, r.By)
	case rst.breaks&(breakTTL|breakTimestamp) != 0:
		r.Cause = Middlebox
		fl.explainBreaks(because)
	case rst.class == nobodyReset && rst.trigger != 0 && rst.afterOwnFin && rst.answeredLen > 0:
		r.Cause = DataAfterClose
		n := min(uint64(rst.answeredLen), r.Lost.Unacked)
		r.Lost.AfterClose, r.Lost.Unacked = n, r.Lost.Unacked-n
		because("frame %d brought data after the %s had closed both directions", rst.trigger, r.By)
	case rst.class == nobodyReset && rst.trigger != 0 && rst.trigger == fl.half[rst.by].finAckFrame && rst.answered == kAck:
		r.Cause = Linger2
		because("frame %d only acknowledged the %s's FIN: its socket was not to stay in FIN_WAIT2", rst.trigger, r.By)
	case rst.class == nobodyReset && rst.trigger != 0 && !fl.handshake && !fl.midstream && rst.by == client:
		r.Cause = NoSocket
		because("frame %d was answered by a kernel that had no such connection", rst.trigger)
	case rst.class == nobodyReset && rst.trigger != 0:
		r.Cause = NoSocket
		because("frame %d was answered without options, window or ACK: no socket owns the connection there", rst.trigger)
	case rst.class == liveReset && rst.keepalives > 0:
		r.Cause = KeepaliveTimeout
		because("%d keep-alives of the %s had gone unanswered", rst.keepalives, r.By)
	case rst.class == liveReset:
		r.Cause = Aborted
		because("the RST continues the sequence of a live socket")
		if !rst.receivedData {
			because("the %s had been sent no data, so none was unread", r.By)
		}
	default:
		r.Cause, r.Confidence = UnknownCause, Unknown
		because("no captured segment drew it, and it does not look like a socket's abort")
	}
	return r
}

// explainBreaks names what does not fit the supposed sender.
func (fl judged) explainBreaks(because func(string, ...any)) {
	rst := &fl.rst
	if rst.breaks&breakTTL != 0 {
		because("its TTL differs from that of all the %s's segments before (%d)", rst.by.side(), fl.half[rst.by].ttl)
	}
	if rst.breaks&breakTimestamp != 0 {
		because("its timestamp lies before the %s's own", rst.by.side())
	}
	if rst.breaks&breakIPID != 0 {
		because("its IP ID is far from the %s's own", rst.by.side())
	}
}
