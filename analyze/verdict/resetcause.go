package verdict

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/tcp"
)

// judgeReset says who reset the connection and why, as far as packets tell.
func (fl judged) judgeReset() *analyze.Reset {
	rst := &fl.Reset
	r := &analyze.Reset{By: rst.By.Side(), Frame: rst.Frame, Trigger: rst.Trigger, Confidence: analyze.Inferred}
	because := func(format string, args ...any) { r.Why = append(r.Why, fmt.Sprintf(format, args...)) }
	r.Lost.Unacked, r.Lost.Missing = fl.lostBy(rst.By.Other())
	r.Lost.From = rst.By.Other().Side()
	switch {
	case rst.Refused:
		r.Cause, r.Confidence = analyze.ConnRefused, analyze.Observed
		r.Trigger = fl.Dir[rst.By.Other()].SynFrame
		because("frame %d acknowledges the SYN: nobody listens on that port, or it was rejected", rst.Frame)
	case rst.Talks != 0:
		r.Cause = analyze.Middlebox
		because("frame %d: the %s goes on after the RST that bears its address", rst.Talks, r.By)
	case rst.Breaks&(tcp.BreakTTL|tcp.BreakTimestamp) != 0:
		r.Cause = analyze.Middlebox
		fl.explainBreaks(because)
	case rst.Class == tcp.NobodyReset && rst.Trigger != 0 && rst.AfterOwnFin && rst.AnsweredLen > 0:
		r.Cause = analyze.DataAfterClose
		n := min(uint64(rst.AnsweredLen), r.Lost.Unacked)
		r.Lost.AfterClose, r.Lost.Unacked = n, r.Lost.Unacked-n
		because("frame %d brought data after the %s had closed both directions", rst.Trigger, r.By)
	case rst.Class == tcp.NobodyReset && rst.Trigger != 0 && rst.Trigger == fl.Dir[rst.By].FinAckFrame && rst.Answered == tcp.KindAck:
		r.Cause = analyze.Linger2
		because("frame %d only acknowledged the %s's FIN: its socket was not to stay in FIN_WAIT2", rst.Trigger, r.By)
	case rst.Class == tcp.NobodyReset && rst.Trigger != 0 && !fl.Handshake && !fl.Midstream && rst.By == tcp.Client:
		r.Cause = analyze.NoSocket
		because("frame %d was answered by a kernel that had no such connection", rst.Trigger)
	case rst.Class == tcp.NobodyReset && rst.Trigger != 0:
		r.Cause = analyze.NoSocket
		because("frame %d was answered without options, window or ACK: no socket owns the connection there", rst.Trigger)
	case rst.Class == tcp.LiveReset && rst.Keepalives > 0:
		r.Cause = analyze.KeepaliveTimeout
		because("%d keep-alives of the %s had gone unanswered", rst.Keepalives, r.By)
	case rst.Class == tcp.LiveReset:
		r.Cause = analyze.Aborted
		because("the RST continues the sequence of a live socket")
		if !rst.ReceivedData {
			because("the %s had been sent no data, so none was unread", r.By)
		}
	default:
		r.Cause, r.Confidence = analyze.UnknownCause, analyze.Unknown
		because("no captured segment drew it, and it does not look like a socket's abort")
	}
	return r
}

// explainBreaks names what does not fit the supposed sender.
func (fl judged) explainBreaks(because func(string, ...any)) {
	rst := &fl.Reset
	if rst.Breaks&tcp.BreakTTL != 0 {
		because("its TTL differs from that of all the %s's segments before (%d)", rst.By.Side(), fl.Dir[rst.By].TTL)
	}
	if rst.Breaks&tcp.BreakTimestamp != 0 {
		because("its timestamp lies before the %s's own", rst.By.Side())
	}
	if rst.Breaks&tcp.BreakIPID != 0 {
		because("its IP ID is far from the %s's own", rst.By.Side())
	}
}
