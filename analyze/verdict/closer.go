package verdict

import (
	"fmt"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

const (
	// ackWithin is how long a kernel that lives on takes to acknowledge a FIN at the latest, the round
	// trip aside. Linux repeats an unacknowledged FIN after 200 ms and a round trip at the earliest, so
	// what comes sooner is no repetition of what was missed.
	ackWithin = 190 * time.Millisecond
	// soonWithin is how long Linux holds back the ACK of a FIN, so that its own FIN may bring it.
	soonWithin = 50 * time.Millisecond
	// atOnceWithin is how long a kernel takes for an answer that it does not hold back, the round trip aside.
	atOnceWithin = 5 * time.Millisecond
)

// closerDoubts are the rules for "e, whose FIN was captured first, closed first".
var closerDoubts = []rule{
	{func(fl judged, _ tcp.End) bool { return fl.MultipathOffered && !fl.Dir[tcp.Server].SynSent },
		func(fl judged, _ tcp.End) string {
			return fmt.Sprintf("frame %d offers MPTCP, whose streams end by DATA_FIN, and the answer was not captured", fl.Dir[tcp.Client].SynFrame)
		}},
	{neverAlive, func(fl judged, e tcp.End) string { return fl.mayHaveEnded(fl.Dir[e].FinFrame, e.Other()) }},
	{ackedUnseen, func(fl judged, e tcp.End) string { return fl.mayHaveAcked(fl.Dir[e].FinFrame, e.Other()) }},
	{func(fl judged, e tcp.End) bool { return fl.Dir[e].AtFin.Late }, repeatsUnseen},
	{func(fl judged, e tcp.End) bool { return fl.Dir[e.Other()].AtFin.Late },
		func(fl judged, e tcp.End) string { return repeatsUnseen(fl, e.Other()) }},
	{func(fl judged, e tcp.End) bool { return fl.Dir[e.Other()].FinSeen && fl.Dir[e.Other()].FinEnd == 0 },
		func(fl judged, e tcp.End) string {
			return fmt.Sprintf("a FIN of the %s was captured, too, though nothing shows that it was taken", e.Other().Side())
		}},
	{func(fl judged, e tcp.End) bool { return fl.Reset.MayCross }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("the FIN of frame %d was sent without that of frame %d, and how long they were on their way is not known",
			fl.Dir[e.Other()].FinFrame, fl.Dir[e].FinFrame)
	}},
	{func(fl judged, e tcp.End) bool {
		p := &fl.Dir[e.Other()]
		return p.FinEnd != 0 && p.AtFin.Acked == 0
	}, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("frame %d acknowledges nothing: it may have been sent before frame %d came", fl.Dir[e.Other()].FinFrame, fl.Dir[e].FinFrame)
	}},
	{func(fl judged, e tcp.End) bool { return fl.Dir[e].PastFin }, judged.goesOnBehind},
	{func(fl judged, e tcp.End) bool {
		return fl.Reset.Class == tcp.NobodyReset && fl.Dir[fl.Reset.By].FinEnd == 0 // so it is the peer's
	}, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("frame %d came of a kernel without a socket: the %s may have ended before", fl.Reset.Frame, e.Other().Side())
	}},
	{func(fl judged, e tcp.End) bool { return fl.RoundTrip() == 0 && fl.resetBeforeFin() },
		func(fl judged, e tcp.End) string {
			return fmt.Sprintf("frame %d was sent without the FIN of frame %d, and how long that was on its way is not known",
				fl.Reset.Frame, fl.Dir[e].FinFrame)
		}},
	{func(fl judged, e tcp.End) bool { return fl.peerWasGone(e) && !fl.Dir[e].AtFin.AckedWithin }, judged.endedUnseen},
	{ackedByFin, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("frame %d is the first to acknowledge frame %d, as no FIN is of stacks like the %s's (Apple, BSD): it may repeat one that was not captured",
			fl.Dir[e.Other()].FinFrame, fl.Dir[e].FinFrame, e.Other().Side())
	}},
	{func(fl judged, e tcp.End) bool { return fl.lacksOfOdd(e.Other()) }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("not all was captured, and what the %s's stack does is not known (TTL %d): it may have sent a FIN before frame %d",
			e.Other().Side(), fl.Dir[e.Other()].TTL, fl.Dir[e].FinFrame)
	}},
	{answeredInTime, nil},
	{func(fl judged, e tcp.End) bool { return fl.Dir[e.Other()].FinEnd != 0 }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("the ACK of frame %d was not captured, so a FIN of the %s before frame %d may be missing too",
			fl.Dir[e].FinFrame, e.Other().Side(), fl.Dir[e.Other()].FinFrame)
	}},
	// No FIN of the peer was captured, and an RST without a socket behind it is e's.
	{drawnByNoData, func(fl judged, e tcp.End) string { return fl.mayBeDrawnByFin(fl.Reset.Frame, e.Other()) }},
	{func(fl judged, e tcp.End) bool {
		return fl.Reset.Frame != 0 && fl.sentMore(e.Other())
	}, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("the %s sent more than was captured: a FIN before frame %d may be missing too", e.Other().Side(), fl.Reset.Frame)
	}},
	{func(fl judged, e tcp.End) bool { return fl.Reset.By == e && fl.Reset.DrawnUnseen != 0 }, func(fl judged, e tcp.End) string { return fl.mayBeDrawnByFin(fl.Reset.DrawnUnseen, e.Other()) }},
	{func(fl judged, e tcp.End) bool {
		rst := &fl.Reset
		return rst.Trigger != 0 && rst.Trigger < fl.Dir[e].FinFrame && fl.Midstream
	}, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("frame %d was on its way when frame %d was sent, and not all was captured: a FIN of the %s behind it may be missing too",
			fl.Reset.Trigger, fl.Dir[e].FinFrame, e.Other().Side())
	}},
	{judged.answerMayCome, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("%s before an answer to frame %d can have come: a FIN of the %s may have been on its way, too",
			fl.theEnd(), fl.Dir[e].FinFrame, e.Other().Side())
	}},
	{func(fl judged, e tcp.End) bool {
		d, rst := &fl.Dir[e], &fl.Reset
		return rst.Frame != 0 && (d.FinAckFrame != 0 || rst.By != e || !fl.answerIsLate(e) && !fl.lacksOf(e.Other()))
	}, nil},
	{func(fl judged, e tcp.End) bool { return fl.Dir[e].FinAckFrame != 0 }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("frame %d goes on behind what was not captured of the %s: that may have been its FIN",
			fl.Dir[e].FinAckFrame, e.Other().Side())
	}},
	{func(fl judged, e tcp.End) bool { return fl.answerIsLate(e) || waitedInVain(fl, e) }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("nothing answered frame %d: what was lost may hold a FIN of the %s", fl.Dir[e].FinFrame, e.Other().Side())
	}},
	{func(judged, tcp.End) bool { return true }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("%s before an answer to frame %d: a FIN of the %s may have been on its way",
			fl.theEnd(), fl.Dir[e].FinFrame, e.Other().Side())
	}},
}

// aborterDoubts are the rules for "e, whose RST came before any FIN that was captured, ended it".
var aborterDoubts = []rule{
	{func(fl judged, e tcp.End) bool {
		return fl.HasCloser && fl.mayHaveReset(e.Other(), fl.Reset.Frame, fl.Reset.Time)
	}, func(fl judged, e tcp.End) string { return fl.missesReset(e.Other(), fl.Reset.Frame) }},
	{func(fl judged, e tcp.End) bool { return !fl.alive(e.Other()) },
		func(fl judged, e tcp.End) string { return fl.mayHaveEnded(fl.Reset.Frame, e.Other()) }},
	{func(fl judged, _ tcp.End) bool { return fl.Reset.AcksUnseen },
		func(fl judged, e tcp.End) string { return fl.mayHaveAcked(fl.Reset.Frame, e.Other()) }},
	{drawnByNoData, func(fl judged, e tcp.End) string { return fl.mayBeDrawnByFin(fl.Reset.Frame, e.Other()) }},
	{func(fl judged, _ tcp.End) bool { return fl.Reset.DrawnUnseen != 0 },
		func(fl judged, e tcp.End) string { return fl.mayBeDrawnByFin(fl.Reset.DrawnUnseen, e.Other()) }},
	{func(fl judged, _ tcp.End) bool { return fl.Reset.Breaks != 0 }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("another than the %s may have made frame %d", e.Side(), fl.Reset.Frame)
	}},
	{judged.peerWasGone, judged.endedUnseen},
	{func(fl judged, _ tcp.End) bool {
		return fl.Reset.BothReset && !fl.Reset.Crossing && fl.RoundTrip() == 0
	},
		func(fl judged, e tcp.End) string {
			return fmt.Sprintf("the %s reset the connection as well, and how long frame %d was on its way is not known",
				e.Other().Side(), fl.Reset.Frame)
		}},
	{judged.unheard, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("what the %s had sent was not acknowledged for long before frame %d: what was lost may hold a FIN of the %s",
			e.Side(), fl.Reset.Frame, e.Other().Side())
	}},
	{func(fl judged, e tcp.End) bool { return fl.lacksOf(e.Other()) },
		func(fl judged, e tcp.End) string { return fl.mayLackFin(e.Other()) }},
	// What crosses its RST says nothing against a FIN of e before that.
	{func(fl judged, e tcp.End) bool { return (fl.HasCloser || fl.Reset.Crossing) && fl.Reset.Presumed }, judged.mayLackFin},
	{func(fl judged, e tcp.End) bool {
		return fl.isLossy() && fl.Reset.Time.Sub(fl.Dir[e.Other()].LastTime) > max(fl.RoundTrip(), soonWithin)
	}, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("not all was captured: a FIN of the %s before frame %d may be missing too", e.Other().Side(), fl.Reset.Frame)
	}},
	{judged.livedUntilReset, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("frame %d answers as a kernel without a socket does, and nothing captured shows that the %s had ended: a firewall answers so, too",
			fl.Reset.Frame, e.Side())
	}},
}

// alive reports whether a SYN or payload of e was captured: e had not ended before that.
func (fl judged) alive(e tcp.End) bool { return fl.Dir[e].SynSent || fl.Dir[e].Bytes > 0 }

// sentMore reports whether e sent beyond what was captured of it.
func (fl judged) sentMore(e tcp.End) bool {
	d := &fl.Dir[e]
	return max(d.Una, d.Reach) > d.Nxt
}

// lacksOf reports whether something that e sent was not captured, as the numbers tell.
func (fl judged) lacksOf(e tcp.End) bool {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	return d.Holes > 0 || fl.sentMore(e) || e == tcp.Server && p.SynSent && !d.SynSent
}

// lacksAny reports whether the numbers of either end tell of something that was not captured.
func (fl judged) lacksAny() bool { return fl.lacksOf(tcp.Client) || fl.lacksOf(tcp.Server) }

// filtered reports whether the capture leaves pure ACKs out: not even that of the handshake is there. One that holds
// some of the data, and not all, lost them.
func (fl judged) filtered() bool {
	return fl.Filtered && fl.Dir[tcp.Client].SynSent && fl.Dir[tcp.Server].SynSent &&
		!(fl.lacksAny() && slices.ContainsFunc(fl.Listed, func(r tcp.Listed) bool {
			return r.Flags&(event.SYN|event.FIN|event.RST) == 0
		}))
}

// neverAlive: nothing of the peer says that it lived when e's FIN came.
func neverAlive(fl judged, e tcp.End) bool {
	at, p := &fl.Dir[e].AtFin, &fl.Dir[e.Other()]
	return !at.PeerAlive && !(at.PeerSeen && at.PeerNxt < p.FinEnd)
}

// ackedUnseen: e's FIN acknowledges what was not captured of the peer, and it is not known to be data: a FIN of the
// peer that stands behind it, where the peer had stood before.
func ackedUnseen(fl judged, e tcp.End) bool {
	at, fin := &fl.Dir[e].AtFin, fl.Dir[e.Other()].FinEnd-1
	to := max(at.Acked, at.PeerReach)
	return to > at.PeerNxt && (fin < to || fin == to && at.PeerReach < to)
}

func repeatsUnseen(fl judged, e tcp.End) string {
	return fmt.Sprintf("frame %d repeats a FIN that was not captured", fl.Dir[e].FinFrame)
}

func (fl judged) mayHaveEnded(frame uint64, e tcp.End) string {
	return fmt.Sprintf("nothing captured before frame %d shows that the %s had not ended already", frame, e.Side())
}

func (fl judged) mayLackFin(e tcp.End) string {
	return fmt.Sprintf("not all that the %s sent was captured: a FIN before frame %d may be missing too", e.Side(), fl.Reset.Frame)
}

func drawnByNoData(fl judged, _ tcp.End) bool { return fl.Reset.DrawnByNoData() }

func (fl judged) mayBeDrawnByFin(frame uint64, e tcp.End) string {
	return fmt.Sprintf("what drew frame %d may not have been captured, such as a FIN of the %s", frame, e.Side())
}

func (fl judged) mayHaveAcked(frame uint64, e tcp.End) string {
	return fmt.Sprintf("frame %d acknowledges what was not captured of the %s: that may have been its FIN", frame, e.Side())
}

// overBeforeReset reports whether both FINs had been acknowledged before the RST came: an
// unacknowledged one would have been sent again.
func (fl judged) overBeforeReset() bool {
	rst := &fl.Reset
	if rst.BothFins {
		return true
	}
	c, s := &fl.Dir[tcp.Client], &fl.Dir[tcp.Server]
	if fl.finNotTaken(tcp.Client) || fl.finNotTaken(tcp.Server) {
		return false
	}
	return c.FinEnd != 0 && s.FinEnd != 0 && c.Tries+s.Tries == 0 && c.Holes+s.Holes == 0 &&
		rst.Time.Sub(max(c.FinTime, s.FinTime)) >= tcp.Resend
}

// finNotTaken reports whether the peer of e went on long after e's FIN without acknowledging it. Its RST
// says nothing of that.
func (fl judged) finNotTaken(e tcp.End) bool {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	wentOn := p.LastTime
	if fl.Reset.Frame != 0 && fl.Reset.By == e.Other() {
		wentOn = p.FinTime
	}
	return d.Una < d.FinEnd && wentOn.Sub(d.FinTime) > fl.RoundTrip()+ackWithin
}

// settleCloser withholds a closer that is in doubt and keeps it as a candidate.
func (fl judged) settleCloser(v *verdict) {
	if fl.endsByDataFin(v) {
		fl.multipathCloser(v)
		return
	}
	if v.closer == analyze.NoSide || fl.IsToItself() {
		return
	}
	if v.closerSure = v.confidence; v.ending == analyze.UnknownEnding {
		v.closerSure = analyze.Observed
	}
	if v.ending == analyze.WasRefused {
		if !fl.OnSenderHost() {
			v.closerSure = analyze.Inferred // in whose name the RST came is seen, not who made it
		}
		return
	}
	if v.closer == analyze.Both && !fl.HasCloser {
		fl.bothAborted(v)
		return
	}
	if v.closer == analyze.Both {
		second := &fl.Dir[fl.Closer.Other()]
		unseen := (fl.Reset.Frame == 0 || fl.Reset.By == fl.Closer) && second.LacksBehind(fl.Dir[fl.Closer].AtFin.Acked)
		switch {
		case second.PastFin:
			v.doubtCloser(fl.goesOnBehind(fl.Closer.Other()))
		case fl.Dir[fl.Closer].PastFin:
			v.doubtCloser(fl.goesOnBehind(fl.Closer))
		case unseen, fl.mayHaveReset(fl.Closer, second.FinFrame, second.FinTime):
			v.doubtCloser(fl.missesReset(fl.Closer, second.FinFrame))
		}
		return
	}
	if v.first = tcp.Client; v.closer == analyze.Server {
		v.first = tcp.Server
	}
	rules := closerDoubts
	if !fl.HasCloser || v.first != fl.Closer {
		rules = aborterDoubts
		if !fl.OnSenderHost() {
			v.closerSure = analyze.Inferred // in whose name an RST came is seen, not who made it
		}
	}
	if why := fl.doubt(rules, v.first); why != "" {
		v.doubtCloser(why)
	} else if fl.lacksOf(v.first.Other()) || fl.unanswered(v.first) {
		v.closerSure = analyze.Inferred // nothing says that a FIN is missing, but something is
	}
}

// goesOnBehind says why e's FIN is none that counts: it may be of another connection, of which the rest was not captured.
func (fl judged) goesOnBehind(e tcp.End) string {
	return fmt.Sprintf("the connection goes on behind the FIN of frame %d: nobody took it", fl.Dir[e].FinFrame)
}

// bothAborted withholds that the RSTs of both ends crossed, where either end may have ended before.
func (fl judged) bothAborted(v *verdict) {
	v.closerSure = analyze.Inferred
	by := fl.Reset.By
	if !fl.alive(by) {
		v.doubtCloser(fl.mayHaveEnded(fl.Reset.Frame, by))
	} else if why := fl.doubt(aborterDoubts, by); why != "" {
		v.doubtCloser(why)
	}
}

// doubtCloser makes a candidate of the closer.
func (v *verdict) doubtCloser(why string) {
	v.candidates = append(v.candidates, analyze.Possible{Claim: analyze.ClaimCloser, Value: string(v.closer), Why: why})
	v.closer, v.closerSure = analyze.NoSide, analyze.Unknown
}

// multipathCloser names who ended first on an MPTCP connection: the FIN of this subflow only takes the
// subflow down; a stream ends with its DATA_FIN (RFC 8684 3.3.3).
func (fl judged) multipathCloser(v *verdict) {
	c, s := fl.Dir[tcp.Client].DataFinFrame, fl.Dir[tcp.Server].DataFinFrame
	v.closer, v.closerSure = analyze.NoSide, analyze.Unknown
	if c == 0 || s == 0 {
		v.because("an MPTCP connection: not both ends' DATA_FINs were captured, and its FINs end no stream")
		return
	}
	first := tcp.Client
	if s < c {
		first = tcp.Server
	}
	v.first, v.closer, v.closerSure, v.confidence = first, first.Side(), analyze.Inferred, analyze.Inferred
	v.because("an MPTCP connection: frame %d is the DATA_FIN of the %s, frame %d that of the %s; the FINs only end the subflow",
		min(c, s), first.Side(), max(c, s), first.Other().Side())
	after := fl.Dir[first.Other()].DataFinTime.Sub(fl.Dir[first].DataFinTime)
	if trip := fl.TripTo(first.Other()); trip == 0 || after < trip*3/4 {
		v.doubtCloser(fmt.Sprintf("the DATA_FIN of the %s came sooner than an answer to that of the %s can: they may have crossed", first.Other().Side(), first.Side()))
	}
}

// endsByDataFin reports whether v's closer is a matter of DATA_FINs: a FIN of an MPTCP connection came
// first.
func (fl judged) endsByDataFin(v *verdict) bool {
	return fl.Multipath && fl.HasCloser && v.ending != analyze.UnknownEnding
}
