package verdict

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// causeRule is what an RST must be for a cause, how sure that is at most, and what shows it. The first
// rule that applies holds.
type causeRule struct {
	cause   analyze.ResetCause
	atMost  analyze.Confidence
	applies func(fl judged, rst *tcp.Reset) bool
	why     func(fl judged, rst *tcp.Reset, because func(string, ...any))
	perhaps []analyze.ResetCause // causes that say more, and would need more
	lacks   string               // what it would need
}

var causeRules = [...]causeRule{
	{analyze.ConnRefused, analyze.Inferred, func(_ judged, rst *tcp.Reset) bool { return rst.Refused },
		func(fl judged, rst *tcp.Reset, because func(string, ...any)) {
			because("frame %d acknowledges the SYN: nobody listens on that port, or a firewall rejects it", rst.Frame)
			if rst.Refusals > 0 {
				because("the SYN was tried %s in %v, and refused each time", times(uint32(rst.Refusals)+1), rst.Time.Sub(fl.SynAt))
			}
		}, nil, ""},
	{analyze.Middlebox, analyze.Inferred, func(_ judged, rst *tcp.Reset) bool { return rst.Talks != 0 },
		func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
			because("frame %d: the %s goes on after the RST that bears its address", rst.Talks, rst.By.Side())
		}, nil, ""},
	{analyze.Middlebox, analyze.Inferred, func(_ judged, rst *tcp.Reset) bool { return rst.Breaks.Foreign() },
		judged.explainBreaks, nil, ""},
	{analyze.UnknownCause, analyze.Unknown, func(_ judged, rst *tcp.Reset) bool { return rst.Breaks != 0 },
		func(fl judged, rst *tcp.Reset, because func(string, ...any)) {
			fl.explainBreaks(rst, because)
			because("that alone does not show that another than the %s sent it", rst.By.Side())
		}, nil, ""},
	{analyze.DataAfterClose, analyze.Inferred, func(fl judged, rst *tcp.Reset) bool {
		return rst.AnsweredLen > 0 && !rst.Mixed && fl.Orphaned()
	}, func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
		because("frame %d brought data; the %s's kernel had still repeated its own for a socket that nobody reads any more",
			rst.Trigger, rst.By.Side())
	}, nil, ""},
	{analyze.DataAfterClose, analyze.Inferred, func(_ judged, rst *tcp.Reset) bool { return rst.AfterOwnFin && rst.AnsweredLen > 0 }, func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
		because("frame %d brought data after the %s had closed both directions", rst.Trigger, rst.By.Side())
	}, nil, ""},
	{analyze.NoSocket, analyze.Inferred, func(fl judged, rst *tcp.Reset) bool {
		d := &fl.Dir[rst.By]
		return rst.Answered == tcp.KindAck && rst.Trigger == d.FinAckFrame && fl.AtOnce(d.FinAckTime)
	}, func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
		because("frame %d only acknowledged the %s's FIN, and no socket was left for it", rst.Trigger, rst.By.Side())
	}, []analyze.ResetCause{analyze.Linger2}, "data that drew it may be missing, or an RST before it"},
	{analyze.NoSocket, analyze.Inferred, func(fl judged, rst *tcp.Reset) bool {
		return rst.AnswersAny() && !fl.Handshake && !fl.Midstream && rst.By == tcp.Client
	}, func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
		because("frame %d was answered by a kernel that had no such connection", rst.Trigger)
	}, nil, ""},
	{analyze.NoSocket, analyze.Inferred, func(fl judged, _ *tcp.Reset) bool { return fl.goesOn() },
		func(fl judged, rst *tcp.Reset, because func(string, ...any)) {
			because("frame %d goes on with the numbers of the connection of %v (from frame %d): an address translation on the way has forgotten that one, and the %s knows nothing of this",
				rst.Trigger, fl.Remapped.Addr, fl.Remapped.Frame, rst.By.Side())
		}, nil, ""},
	{analyze.NoSocket, analyze.Inferred, func(fl judged, rst *tcp.Reset) bool { return rst.AnswersAny() && rst.Window == 0 && rst.Restarted },
		func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
			because("frame %d met a %s that had sent a SYN of a new connection from there: it knew this one no more", rst.Trigger, rst.By.Side())
		}, nil, ""},
	{analyze.UnknownCause, analyze.Unknown, func(_ judged, rst *tcp.Reset) bool { return rst.AnswersAny() && rst.Window != 0 },
		func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
			because("frame %d was answered by an RST with a window of %d", rst.Trigger, rst.Window)
		}, []analyze.ResetCause{analyze.NoSocket, analyze.Middlebox}, "a kernel without a socket has no window to offer"},
	{analyze.UnknownCause, analyze.Unknown, func(fl judged, rst *tcp.Reset) bool { return rst.AnswersAny() && fl.neverOpened(rst.By) },
		func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
			because("frame %d was answered without options, window or ACK, and nothing shows that the server had acknowledged more than the SYN: no socket owned the connection there, or it had never been opened", rst.Trigger)
		}, []analyze.ResetCause{analyze.NoSocket, analyze.AcceptQueueFull}, "only the kernel's state of that end, or its ListenOverflows, would tell"},
	{analyze.NoSocket, analyze.Inferred, func(fl judged, rst *tcp.Reset) bool { return rst.AnswersAny() && fl.lived(rst.By) },
		func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
			because("frame %d was answered without options, window or ACK: no socket owns the connection there, and how it ended was not captured", rst.Trigger)
		}, []analyze.ResetCause{analyze.Middlebox}, "a firewall that rejects a segment answers so for a connection that lives"},
	{analyze.NoSocket, analyze.Inferred, func(_ judged, rst *tcp.Reset) bool { return rst.AnswersAny() },
		func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
			because("frame %d was answered without options, window or ACK: no socket owns the connection there", rst.Trigger)
		}, nil, ""},
	{analyze.UnknownCause, analyze.Unknown, func(_ judged, rst *tcp.Reset) bool { return rst.Class != tcp.LiveReset },
		func(_ judged, _ *tcp.Reset, because func(string, ...any)) {
			because("no captured segment drew it, and it does not look like a socket's abort")
		}, nil, ""},
	{analyze.KeepaliveTimeout, analyze.Inferred, func(fl judged, rst *tcp.Reset) bool {
		return fl.heard(rst) && rst.ProbedInVain() && !fl.lacksOf(rst.By.Other())
	}, func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
		because("%d keep-alives of the %s had gone unanswered", rst.Keepalives, rst.By.Side())
	}, nil, ""},
	{analyze.RetransmitTimeout, analyze.Inferred, func(fl judged, rst *tcp.Reset) bool { return rst.GaveUp() && fl.repeatsOne() }, func(fl judged, rst *tcp.Reset, because func(string, ...any)) {
		because("the %s's data had been sent again %s without an answer, and the RST came when the next turn was due",
			rst.By.Side(), times(uint32(fl.Dir[rst.By].Tries)))
	}, nil, ""},
	{analyze.UnknownCause, analyze.Unknown, func(_ judged, rst *tcp.Reset) bool { return rst.Other },
		func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
			because("the RST continues the sequence of a socket, without a window or the timestamps that were agreed on")
		}, []analyze.ResetCause{analyze.Aborted, analyze.DataAfterClose}, "Windows aborts so, and answers data for a closed socket so"},
	{analyze.UnknownCause, analyze.Unknown, func(_ judged, rst *tcp.Reset) bool { return onlyUnreadResets(rst) && !rst.ReceivedData }, func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
		because("no call resets a socket in %s that has no data unread, and the %s had been sent none", rst.State, rst.By.Side())
	}, nil, ""},
	{analyze.Aborted, analyze.Inferred, func(_ judged, rst *tcp.Reset) bool { return rst.Keepalives == 1 || rst.ProbedInVain() }, func(_ judged, rst *tcp.Reset, because func(string, ...any)) {
		because("the RST continues the sequence of a live socket, behind %s without an answer", analyze.Count(uint64(rst.Keepalives), "keep-alive"))
	}, []analyze.ResetCause{analyze.KeepaliveTimeout}, "the answer to a keep-alive may be missing"},
	{analyze.Aborted, analyze.Inferred, func(judged, *tcp.Reset) bool { return true },
		func(fl judged, rst *tcp.Reset, because func(string, ...any)) {
			because("the RST continues the sequence of a live socket")
			if n := fl.FirstAcked(); n > 0 {
				because("it acknowledges %s that nothing captured before it does: they had arrived, and lay unread unless a call took them just before",
					analyze.Count(n, "byte"))
			}
			if !rst.ReceivedData {
				because("the %s had been sent no data, so none was unread", rst.By.Side())
			}
		}, nil, ""},
}

// judgeReset says who reset the connection and why, as far as packets tell.
func (fl judged) judgeReset(v *verdict) *analyze.Reset {
	rst := &fl.Reset
	r := &analyze.Reset{By: rst.By.Side(), Frame: rst.Frame, Trigger: rst.Trigger}
	for i := range causeRules {
		if rule := &causeRules[i]; rule.applies(fl, rst) {
			r.Cause, r.Confidence = rule.cause, rule.atMost
			rule.why(fl, rst, func(format string, args ...any) { r.Why = append(r.Why, fmt.Sprintf(format, args...)) })
			for _, cause := range rule.perhaps {
				v.candidates = append(v.candidates, analyze.Possible{Claim: analyze.ClaimCause, Value: string(cause), Why: rule.lacks})
			}
			break
		}
	}
	if rst.Refused && r.Trigger == 0 {
		r.Trigger = fl.Dir[rst.By.Other()].SynFrame
	}
	fl.resetLosses(r)
	return r
}

// neverOpened reports whether e may have stayed in SYN_RECV: a server that sent nothing but its SYN,ACK
// and acknowledged nothing but the SYN, as far as the handshake of both was captured.
func (fl judged) neverOpened(e tcp.End) bool {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	return e == tcp.Server && (d.SynFrame != 0 || p.SynFrame != 0) && d.Bytes == 0 && d.FinFrame == 0 && p.Una <= 1
}

// mayNotHaveOpened reports whether what came of e, or did not, speaks against its having left SYN_RECV: a kernel
// without a socket answered, or nobody what was sent again.
func (fl judged) mayNotHaveOpened(e tcp.End) bool {
	p, rst := &fl.Dir[e.Other()], &fl.Reset
	refuted := rst.By == e && rst.Class == tcp.NobodyReset || p.Tries > 0
	return refuted && fl.neverOpened(e)
}

// lived reports whether e, on another host, had been seen to send, and no end of its.
func (fl judged) lived(e tcp.End) bool {
	return fl.alive(e) && !fl.Dir[e].FinSeen && !fl.OnSenderHost()
}

// livedUntilReset reports whether an RST as of a kernel without a socket ends the connection, in the name of an end that
// did not end before, as far as it was captured.
func (fl judged) livedUntilReset(tcp.End) bool {
	rst := &fl.Reset
	return rst.Class == tcp.NobodyReset && !rst.Restarted && (!fl.IsEmbryo() || rst.AnsweredLen > 0) && !fl.Orphaned()
}

// heard reports whether something of the RST's receiver was captured: of one direction alone answers are not.
func (fl judged) heard(rst *tcp.Reset) bool { return fl.Dir[fl.Peer(rst.By)].Packets > 0 }

// repeatsOne reports whether what was sent again last was the same each time, as by a timer that nothing answers: by
// the end that gave up, which has not heard its peer since.
func (fl judged) repeatsOne() bool {
	last, n := int64(0), 0
	for i := range slices.Backward(fl.Listed) {
		q := &fl.Listed[i]
		if q.Repeats == 0 && !q.Again {
			continue
		}
		if n > 0 && q.Seq != last {
			return false
		}
		if last, n = q.Seq, n+1; n == tcp.EnoughRepeats {
			break
		}
	}
	return true
}

// goesOn reports whether the connection goes on with the numbers of one before it, as another address or port.
func (fl judged) goesOn() bool { return fl.Remapped != nil && fl.Remapped.Earlier }

// onlyUnreadResets reports whether the RST's sender was in a state in which an abort sends no RST but for
// data unread (tcp_need_reset, tcp_close).
func onlyUnreadResets(rst *tcp.Reset) bool {
	return rst.State == event.SynSent || rst.State == event.LastAck || rst.State == event.Closing
}

// explainBreaks names what does not fit the supposed sender.
func (fl judged) explainBreaks(rst *tcp.Reset, because func(string, ...any)) {
	if rst.Breaks&tcp.BreakTTL != 0 {
		because("its TTL differs from that of all the %s's segments before (%d)", rst.By.Side(), rst.UsualTTL)
	}
	if rst.Breaks&tcp.BreakTimestamp != 0 {
		because("its timestamp lies before the %s's own", rst.By.Side())
	}
	if rst.Breaks&tcp.BreakForm != 0 {
		because("it lacks the timestamps of the %s's other segments", rst.By.Side())
	}
	if rst.Breaks&tcp.BreakSooner != 0 {
		because("it came in a third of the time, or less, in which the %s had answered the handshake", rst.By.Side())
	}
	if rst.Breaks&tcp.BreakIPID != 0 {
		because("its IP ID is far from the %s's own", rst.By.Side())
	}
}
