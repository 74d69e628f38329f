package verdict

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// ending decides how the flow ended.
func (fl judged) ending(v *verdict) {
	c, s := &fl.Dir[tcp.Client], &fl.Dir[tcp.Server]
	switch {
	case fl.IsToItself():
		fl.endedItself(v)
	case fl.Reset.Frame != 0 && !fl.overBeforeReset():
		fl.endedByReset(v)
	case c.FinEnd != 0 && s.FinEnd != 0:
		fl.endedByFins(v)
	case c.FinEnd != 0:
		fl.endedByOneFin(tcp.Client, v)
	case s.FinEnd != 0:
		fl.endedByOneFin(tcp.Server, v)
	default:
		fl.endedWithout(v)
	}
}

func (fl judged) endedByReset(v *verdict) {
	rst := &fl.Reset
	v.ending, v.closer, v.confidence = analyze.WasReset, rst.By.Side(), analyze.Observed
	switch why := fl.doubt(resetDoubts, rst.By); {
	case fl.goesOn():
		v.closer, v.confidence = analyze.NoSide, analyze.Inferred
	case why != "":
		fl.withholdEnding(v)
		v.sent(rst.Frame, "RST", rst.By.Side())
		v.because("%s", why)
		return
	case rst.Refused:
		v.ending = analyze.WasRefused
		v.because("frame %d: RST answers the SYN of frame %d", rst.Frame, max(rst.Trigger, fl.Dir[tcp.Client].SynFrame))
		return
	case fl.crossedByReset():
		v.because("frame %d: FIN of the %s, still on its way when frame %d was sent", fl.Dir[fl.Closer].FinFrame, fl.Closer.Side(), rst.Frame)
	case fl.HasCloser:
		v.closer = fl.Closer.Side()
		v.sent(fl.Dir[fl.Closer].FinFrame, "FIN", v.closer)
		if fl.Simultaneous {
			v.closer = analyze.Both
			v.sent(fl.Dir[fl.Closer.Other()].FinFrame, "FIN", fl.Closer.Other().Side())
		}
	case !fl.Dir[tcp.Client].Sent && !fl.Dir[tcp.Server].Sent:
		v.withhold()
		v.because("frame %d: nothing but an RST was captured", rst.Frame)
		return
	}
	v.sent(rst.Frame, "RST", rst.By.Side())
	if rst.Presumed {
		v.confidence = analyze.Inferred
		v.because("its number lies beyond what was captured, and nothing goes on behind it")
	}
	switch {
	case rst.Missed != 0 && rst.BothReset:
		v.because("frame %d: the %s reset the connection itself later, so it did not get the RST", rst.Missed, rst.By.Other().Side())
	case rst.Missed != 0:
		v.because("frame %d: the %s goes on, so it did not get the RST", rst.Missed, rst.By.Other().Side())
	}
	if rst.Crossing && !fl.HasCloser {
		v.closer = analyze.Both
		v.because("the %s sent an RST as well, before it can have had frame %d", rst.By.Other().Side(), rst.Frame)
	}
	if rst.Breaks.Foreign() || rst.Talks != 0 {
		if !fl.HasCloser {
			v.closer = analyze.NoSide
		}
		v.confidence = analyze.Inferred
	}
}

// withholdEnding says that the ending is not known. Who closed first is another question.
func (fl judged) withholdEnding(v *verdict) {
	v.withhold()
	switch {
	case !fl.HasCloser:
	case fl.Simultaneous:
		v.closer = analyze.Both
	default:
		v.closer = fl.Closer.Side()
	}
}

// crossedByReset reports whether the RST was sent before its sender can have had the FIN that was captured
// first: that FIN, too, was on its way, and another capture point has the RST first.
func (fl judged) crossedByReset() bool {
	return fl.resetBeforeFin() && fl.Crossed(fl.Dir[fl.Closer].FinTime, fl.Reset.Time)
}

// resetBeforeFin reports whether the RST is that of a live socket which had not received the FIN that was
// captured before it.
func (fl judged) resetBeforeFin() bool {
	rst := &fl.Reset
	return rst.Frame != 0 && fl.HasCloser && !fl.Simultaneous && !fl.OnSenderHost() && rst.Class == tcp.LiveReset && rst.By != fl.Closer &&
		rst.Ack < fl.Dir[fl.Closer].FinEnd
}

func (fl judged) endedByFins(v *verdict) {
	v.ending, v.closer, v.confidence = analyze.Graceful, fl.Closer.Side(), analyze.Observed
	if fl.Simultaneous {
		v.closer = analyze.Both
	}
	first, second := &fl.Dir[fl.Closer], &fl.Dir[fl.Closer.Other()]
	v.sent(first.FinFrame, "FIN", fl.Closer.Side())
	v.sent(second.FinFrame, "FIN", fl.Closer.Other().Side())
	for e := range fl.Dir {
		d, by := &fl.Dir[e], tcp.End(e).Side()
		if fl.passedBy(tcp.End(e)) {
			fl.withholdEnding(v)
			v.because("more is acknowledged than the FIN of frame %d: whether that was taken is not known", d.FinFrame)
			return
		}
		if d.FinAckFrame != 0 {
			continue
		}
		waited := fl.now.Sub(d.FinTime)
		switch {
		case fl.filtered() && d.Una < d.FinEnd-1:
			fl.withholdEnding(v)
			v.because("the capture holds no pure ACK, and nothing else acknowledges what came before frame %d", d.FinFrame)
			return
		case d.FinLost:
			v.unacked(by, "frame %d: this FIN was sent again and never acknowledged", d.FinFrame)
			return
		case fl.filtered() && waited < patience:
			v.unacked(by, "%s %v after frame %d, and no pure ACK was captured", fl.theEnd(), waited, d.FinFrame)
			return
		case fl.filtered():
			v.confidence = analyze.Inferred
			v.because("no ACK of frame %d was captured, nor any other pure ACK", d.FinFrame)
		case d.Tries > 0:
			v.unacked(by, "what came before the FIN of frame %d was sent again %s without an answer", d.FinFrame, times(uint32(d.Tries)))
			return
		case fl.finNotTaken(tcp.End(e)):
			v.unacked(by, "frame %d was not acknowledged, though the %s went on for %v", d.FinFrame, tcp.End(e).Other().Side(), fl.Dir[tcp.End(e).Other()].LastTime.Sub(d.FinTime))
			return
		case waited >= tcp.Resend && !d.SentAgain:
			if lacks := lacksBeside(first, second); lacks != "" {
				fl.withholdEnding(v)
				v.because("no ACK of frame %d was captured, nor %s", d.FinFrame, lacks)
				return
			}
			v.confidence = analyze.Inferred
			v.because("frame %d was not sent again in %v, so its ACK arrived unseen", d.FinFrame, waited)
		default:
			v.unacked(by, "frame %d was not acknowledged in the %v until %s", d.FinFrame, waited, fl.theEnd())
			return
		}
	}
	if v.confidence == analyze.Observed {
		b := strconv.AppendUint(append(v.why.text, "frames "...), first.FinAckFrame, 10)
		b = strconv.AppendUint(append(b, " and "...), second.FinAckFrame, 10)
		v.why.end(append(b, " acknowledge them"...))
	}
}

// passedBy reports whether more was acknowledged than e's FIN, in a connection of which the capture lacks the begin.
func (fl judged) passedBy(e tcp.End) bool { return fl.Midstream && fl.Dir[e].PastFin }

// unacked says that the FIN of an end was not acknowledged, and why.
func (v *verdict) unacked(by analyze.Side, format string, args ...any) {
	v.ending, v.finBy, v.confidence = analyze.FinUnacked, by, analyze.Inferred
	v.because(format, args...)
}

// lacksBeside says what else was not captured than the ACK of a FIN, "" where nothing else was missed.
func lacksBeside(first, second *tcp.Direction) string {
	switch n := first.Holes + second.Holes; {
	case n > 0:
		return "were " + analyze.Count(uint64(n), "byte") + " before it"
	case first.FinAckFrame == 0 && second.FinAckFrame == 0:
		return "was one of the other FIN: an RST may have ended it instead"
	}
	return ""
}

func (fl judged) endedByOneFin(e tcp.End, v *verdict) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	v.ending, v.closer, v.finBy, v.confidence = analyze.HalfClosed, e.Side(), e.Side(), analyze.Inferred
	v.sent(d.FinFrame, "FIN", e.Side())
	switch {
	case fl.finInferred(e.Other()) && fl.tookFin(e.Other()):
		v.ending, v.finBy = analyze.Graceful, analyze.NoSide
		v.because("frame %d acknowledges the FIN of the %s all the same", p.AckStepFrame, e.Other().Side())
	case fl.finInferred(e.Other()):
		fl.withholdEnding(v)
		v.because("frame %d acknowledges one number more than was captured of the %s: a FIN, or a byte",
			p.AckStepFrame, e.Other().Side())
	case d.FinAckFrame != 0 && fl.quiet(e.Other()):
		v.ending, v.finBy = analyze.Silent, analyze.NoSide
		v.because("the %s sent again %s without an answer", e.Other().Side(), times(uint32(p.Tries)))
	case d.FinAckFrame != 0:
		if _, missing := fl.lostBy(e.Other()); missing > 0 {
			v.because("frame %d acknowledges it; no FIN of the %s was captured, but neither were %s of its data",
				d.FinAckFrame, e.Other().Side(), analyze.Count(missing, "byte"))
			return
		}
		if p.FinSeen {
			v.because("frame %d acknowledges it; a FIN of the %s was captured, and nothing shows that it was taken", d.FinAckFrame, e.Other().Side())
			return
		}
		if ackedUnseen(fl, e) {
			v.because("frame %d acknowledges it; no FIN of the %s was captured, but neither was all that it sent", d.FinAckFrame, e.Other().Side())
			return
		}
		v.because("frame %d acknowledges it; the %s never sent a FIN", d.FinAckFrame, e.Other().Side())
	case p.Packets == 0:
		v.withhold()
		v.because("nothing of the %s was captured", e.Other().Side())
	case d.FinLost:
		v.ending = analyze.FinUnacked
		v.because("it was sent again and never acknowledged")
	case fl.filtered():
		v.withhold()
		v.because("the capture holds no pure ACK, so whether it arrived cannot be seen")
	default:
		v.ending = analyze.FinUnacked
		if waited := fl.now.Sub(d.FinTime); waited < patience {
			v.because("%s %v after it", fl.theEnd(), waited)
		}
	}
}

// theEnd says what kept more of fl from being seen.
func (fl judged) theEnd() string {
	if fl.Warnings&tcp.WarnEvicted != 0 {
		return "it was given up"
	}
	return "the capture ends"
}

// finInferred reports whether the FIN of e, which was not captured, follows from its peer
// acknowledging exactly one number more than was seen, and nothing after that.
func (fl judged) finInferred(e tcp.End) bool {
	d := &fl.Dir[e]
	return d.AckStep == 1 && d.Una > d.Nxt
}

// tookFin reports whether what e's peer acknowledged last is the end of a FIN that the peer was
// thought to ignore.
func (fl judged) tookFin(e tcp.End) bool {
	return slices.ContainsFunc(fl.Listed, func(r tcp.Listed) bool {
		return r.From == e && r.Flags&event.FIN != 0 && r.End() == fl.Dir[e].Una
	})
}

func (fl judged) endedWithout(v *verdict) {
	c, s := &fl.Dir[tcp.Client], &fl.Dir[tcp.Server]
	v.ending, v.confidence = analyze.Open, analyze.Observed
	switch {
	case c.SynSent && !s.Sent && !fl.Handshake && c.Nxt <= 1:
		v.ending = analyze.Unanswered
		v.because("frame %d: SYN, sent %s, without an answer", c.SynFrame, times(1+c.Retransmits))
		if fl.now.Sub(fl.SynAt) < patience && c.Retransmits == 0 {
			v.confidence = analyze.Inferred
			v.because("%s %v after it", fl.theEnd(), fl.now.Sub(fl.SynAt))
		}
	case s.SynSent && !fl.wentOn(tcp.Server) && (c.Packets > 0 || s.Retransmits > 0) && c.Nxt <= 1 && s.Una < 1:
		v.ending = analyze.Unanswered
		v.because("frame %d: SYN,ACK, which was never acknowledged", s.SynFrame)
	case fl.onlyAcks():
		v.ending, v.confidence = analyze.UnknownEnding, analyze.Unknown
		v.because("of one end only ACKs without data were captured, of the other nothing")
	case c.Packets == 0 || s.Packets == 0:
		v.ending, v.confidence = analyze.UnknownEnding, analyze.Unknown
		v.because("only one direction was captured, and no end of it")
	case fl.quiet(tcp.Client) || fl.quiet(tcp.Server):
		e := tcp.Client
		if !fl.quiet(e) {
			e = tcp.Server
		}
		v.ending = analyze.Silent
		v.because("the %s sent again %s without an answer", e.Side(), times(uint32(fl.Dir[e].Tries)))
	case fl.IsForgotten():
		v.ending, v.confidence = analyze.UnknownEnding, analyze.Unknown
		v.because("%s until frame %d, yet neither end knew of it any more "+
			"when a new connection took its place", fl.noEnd(), fl.LastFrame)
	default:
		v.because("%s until frame %d", fl.noEnd(), fl.LastFrame)
	}
}

// wentOn reports whether e sent something behind its SYN.
func (fl judged) wentOn(e tcp.End) bool {
	return slices.ContainsFunc(fl.Listed, func(r tcp.Listed) bool { return r.From == e && r.Flags&(event.SYN|event.RST) == 0 })
}

// noEnd says what there is instead of an end: nothing, or one that its receiver ignored or did not heed for long.
func (fl judged) noEnd() string {
	for i := range fl.Listed {
		if r := &fl.Listed[i]; r.Flags&(event.FIN|event.RST) != 0 {
			return fmt.Sprintf("frame %d changed nothing, and no other FIN or RST was captured", r.Frame)
		}
	}
	return "neither FIN nor RST was captured"
}

// quiet reports whether e tried in vain, and for long enough, to be heard.
func (fl judged) quiet(e tcp.End) bool {
	return fl.Dir[e].Tries >= silentTries && fl.now.Sub(fl.Dir[e.Other()].LastTime) >= patience/2
}

// onlyAcks reports whether just one end was seen, and only with pure ACKs or resets.
func (fl judged) onlyAcks() bool {
	c, s := &fl.Dir[tcp.Client], &fl.Dir[tcp.Server]
	return fl.Midstream && c.Bytes+s.Bytes == 0 && (c.Packets == 0 || s.Packets == 0) && !s.SynSent
}

// times writes how often something happened.
func times(n uint32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
