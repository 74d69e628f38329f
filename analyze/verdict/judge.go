// Package verdict says what became of a connection: how it ended, who ended it, why it was reset
// and what was lost, each with the frames that show it.
//
// It goes by what tcp knows of the one connection; calls and the kernel's word are join's.
package verdict

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

const (
	// silentTries is how many unanswered retransmissions or keep-alives make an end silent.
	silentTries = 2
	// patience is how long an answer may take before its absence means something.
	patience = time.Second
)

// verdict is the ending with what supports it.
type verdict struct {
	ending     analyze.Ending
	closer     analyze.Side
	confidence analyze.Confidence
	why        reasons
}

func (v *verdict) because(format string, args ...any) { v.why.add(format, args...) }

// sent gives as a reason that a frame is a FIN or RST of an end.
func (v *verdict) sent(frame uint64, what string, by analyze.Side) {
	b := append(v.why.text, "frame "...)
	b = append(strconv.AppendUint(b, frame, 10), ": "...)
	b = append(append(b, what...), " of the "...)
	v.why.end(append(b, by...))
}

// reasons are texts that stand one behind the other, so that those of a connection take one
// allocation. The zero value is empty.
type reasons struct {
	text []byte
	ends []int
}

func (r *reasons) add(format string, args ...any) { r.end(fmt.Appendf(r.text, format, args...)) }

// end takes over text, to which one reason was added.
func (r *reasons) end(text []byte) { r.text, r.ends = text, append(r.ends, len(text)) }

// list appends the reasons to out.
func (r *reasons) list(out []string, memory *texts) []string {
	text, from := memory.keep(r.text), 0
	for _, to := range r.ends {
		out = append(out, text[from:to])
		from = to
	}
	return out
}

// judged is a connection that is being judged, at a time.
type judged struct {
	*tcp.Flow
	now event.Time
}

// Judge turns what was followed of connections into Connections. The zero value gives each
// Connection memory of its own.
type Judge struct {
	scratch *scratch // where every Connection is written, when not nil
}

// NewJudge returns a judge whose Connections are valid only until the next one.
func NewJudge() Judge {
	s := newScratch()
	s.texts = new(texts)
	return Judge{s}
}

// Keep returns b as a string that is valid for longer than the Connections.
func (j *Judge) Keep(b []byte) string {
	if j.scratch == nil {
		return string(b)
	}
	return j.scratch.texts.keep(b)
}

// Connection says what became of fl, as it is known now.
func (j *Judge) Connection(fl *tcp.Flow, now event.Time) *analyze.Connection {
	fl.Conclude(now)
	sc := j.scratch
	if sc == nil {
		sc = newScratch()
	}
	jd := judged{fl, now}
	v := &sc.verdict
	*v = verdict{why: reasons{v.why.text[:0], v.why.ends[:0]}}
	jd.ending(v)
	if v.ending == analyze.Graceful {
		fl.CompleteClose(now)
	}
	if fl.Warnings&tcp.WarnEvicted != 0 && v.confidence == analyze.Observed {
		v.confidence = analyze.Inferred
	}
	sc.why = v.why.list(slices.Grow(sc.why[:0], len(v.why.ends)), sc.texts)
	c := &sc.connection
	*c = analyze.Connection{
		ID: fl.ID, Client: fl.Addr[tcp.Client], Server: fl.Addr[tcp.Server], Guessed: fl.Guessed,
		Start: fl.Start, End: fl.Last, FirstFrame: fl.FirstFrame, LastFrame: fl.LastFrame,
		Packets:     analyze.PerSide{Client: uint64(fl.Dir[tcp.Client].Packets), Server: uint64(fl.Dir[tcp.Server].Packets)},
		Bytes:       analyze.PerSide{Client: fl.Dir[tcp.Client].Bytes, Server: fl.Dir[tcp.Server].Bytes},
		Retransmits: analyze.PerSide{Client: uint64(fl.Dir[tcp.Client].Retransmits), Server: uint64(fl.Dir[tcp.Server].Retransmits)},
		Ending:      v.ending, Closer: v.closer, Simultaneous: fl.Simultaneous,
		Confidence: v.confidence, Why: sc.why,
		Omitted: fl.Omitted, Warnings: []string{},
	}
	c.HalfClose = jd.halfClose(&sc.halfClose, v.ending)
	if v.ending == analyze.WasReset || v.ending == analyze.WasRefused {
		c.Reset = jd.judgeReset()
		c.Lost = jd.lostOwn(fl.Reset.By)
	} else {
		c.Lost = jd.lost()
	}
	jd.ledger(sc)
	jd.listStates(sc)
	jd.listSegments(sc)
	noteLosses(c)
	jd.likelyCalls(sc)
	jd.warnings(c)
	c.Explains = analyze.Topic(c)
	return c
}

// ending decides how the flow ended.
func (fl judged) ending(v *verdict) {
	c, s := &fl.Dir[tcp.Client], &fl.Dir[tcp.Server]
	switch {
	case fl.Reset.Frame != 0 && !fl.Reset.BothFins:
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
	switch {
	case rst.Refused:
		v.ending = analyze.WasRefused
		v.because("frame %d: RST answers the SYN of frame %d", rst.Frame, fl.Dir[tcp.Client].SynFrame)
		return
	case fl.HasCloser:
		v.closer = fl.Closer.Side()
		v.sent(fl.Dir[fl.Closer].FinFrame, "FIN", v.closer)
	case !fl.Dir[tcp.Client].Sent && !fl.Dir[tcp.Server].Sent:
		v.ending, v.closer, v.confidence = analyze.UnknownEnding, analyze.NoSide, analyze.Unknown
		v.because("frame %d: nothing but an RST was captured", rst.Frame)
		return
	}
	v.sent(rst.Frame, "RST", rst.By.Side())
	if rst.Presumed {
		v.confidence = analyze.Inferred
		v.because("its number lies beyond what was captured, and nothing follows it")
	}
	if rst.Missed != 0 {
		v.because("frame %d: the %s goes on, so it did not get the RST", rst.Missed, rst.By.Other().Side())
	}
	if rst.Breaks != 0 || rst.Talks != 0 {
		if !fl.HasCloser {
			v.closer = analyze.NoSide
		}
		v.confidence = analyze.Inferred
	}
}

func (fl judged) endedByFins(v *verdict) {
	c, s := &fl.Dir[tcp.Client], &fl.Dir[tcp.Server]
	v.ending, v.closer, v.confidence = analyze.Graceful, fl.Closer.Side(), analyze.Observed
	if fl.Simultaneous {
		v.closer = analyze.Both
	}
	first, second := &fl.Dir[fl.Closer], &fl.Dir[fl.Closer.Other()]
	v.sent(first.FinFrame, "FIN", fl.Closer.Side())
	v.sent(second.FinFrame, "FIN", fl.Closer.Other().Side())
	for _, d := range [...]*tcp.Direction{c, s} {
		if d.FinAckFrame != 0 {
			continue
		}
		waited := fl.now.Sub(d.FinTime)
		switch {
		case fl.Filtered:
			v.confidence = analyze.Inferred
			v.because("no ACK of frame %d was captured, nor any other pure ACK", d.FinFrame)
		case d.FinLost:
			v.ending, v.confidence = analyze.FinUnacked, analyze.Observed
			v.because("frame %d: this FIN was sent again and never acknowledged", d.FinFrame)
			return
		case d.Tries >= silentTries && d.Una < d.FinEnd-1:
			v.ending, v.confidence = analyze.FinUnacked, analyze.Observed
			v.because("what came before the FIN of frame %d was sent again %s without an answer",
				d.FinFrame, times(uint32(d.Tries)))
			return
		case waited >= tcp.Resend:
			v.confidence = analyze.Inferred
			v.because("frame %d was not sent again in %v, so its ACK arrived unseen", d.FinFrame, waited)
		default:
			v.ending, v.confidence = analyze.FinUnacked, analyze.Inferred
			v.because("frame %d was not acknowledged in the %v until %s", d.FinFrame, waited, fl.theEnd())
			return
		}
	}
	if v.confidence == analyze.Observed {
		b := strconv.AppendUint(append(v.why.text, "frames "...), first.FinAckFrame, 10)
		b = strconv.AppendUint(append(b, " and "...), second.FinAckFrame, 10)
		v.why.end(append(b, " acknowledge them"...))
	}
}

func (fl judged) endedByOneFin(e tcp.End, v *verdict) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	v.ending, v.closer, v.confidence = analyze.HalfClosed, e.Side(), analyze.Observed
	v.sent(d.FinFrame, "FIN", e.Side())
	if fl.finInferred(e.Other()) {
		v.ending, v.confidence = analyze.Graceful, analyze.Inferred
		v.because("frame %d acknowledges one number more than was captured of the %s: its FIN",
			p.AckStepFrame, e.Other().Side())
		if p.AckStepFrame <= d.FinFrame {
			v.closer = e.Other().Side()
		}
		return
	}
	switch {
	case d.FinAckFrame != 0 && fl.quiet(e.Other()):
		v.ending = analyze.Silent
		v.because("the %s sent again %s without an answer", e.Other().Side(), times(uint32(p.Tries)))
	case d.FinAckFrame != 0:
		if _, missing := fl.lostBy(e.Other()); missing > 0 {
			v.confidence = analyze.Inferred
			v.because("frame %d acknowledges it; no FIN of the %s was captured, but neither were %s of its data",
				d.FinAckFrame, e.Other().Side(), analyze.Count(missing, "byte"))
			return
		}
		v.because("frame %d acknowledges it; the %s never sent a FIN", d.FinAckFrame, e.Other().Side())
	case p.Packets == 0:
		v.ending, v.confidence = analyze.UnknownEnding, analyze.Unknown
		v.because("nothing of the %s was captured", e.Other().Side())
	case d.FinLost:
		v.ending = analyze.FinUnacked
		v.because("it was sent again and never acknowledged")
	case fl.Filtered:
		v.ending, v.confidence = analyze.UnknownEnding, analyze.Unknown
		v.because("the capture holds no pure ACK, so whether it arrived cannot be seen")
	default:
		v.ending = analyze.FinUnacked
		if waited := fl.now.Sub(d.FinTime); waited < patience {
			v.confidence = analyze.Inferred
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
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	return d.AckStep == 1 && d.AckStepFrame != 0 && d.Una > d.Nxt && p.FinEnd != 0
}

func (fl judged) endedWithout(v *verdict) {
	c, s := &fl.Dir[tcp.Client], &fl.Dir[tcp.Server]
	v.ending, v.confidence = analyze.Open, analyze.Observed
	switch {
	case c.SynSent && !s.Sent && !fl.Handshake && c.Bytes == 0 && c.Una == 0 && c.Nxt <= 1:
		v.ending = analyze.Unanswered
		v.because("frame %d: SYN, sent %s, without an answer", c.SynFrame, times(1+c.Retransmits))
		if fl.now.Sub(fl.SynAt) < patience && c.Retransmits == 0 {
			v.confidence = analyze.Inferred
			v.because("%s %v after it", fl.theEnd(), fl.now.Sub(fl.SynAt))
		}
	case s.SynSent && !fl.Handshake && c.Packets > 0 && c.Nxt <= 1 && s.Una < 1:
		v.ending = analyze.Unanswered
		v.because("frame %d: SYN,ACK, which was never acknowledged", s.SynFrame)
	case c.Packets == 0 && s.Packets == 0, fl.onlyAcks():
		v.ending, v.confidence = analyze.UnknownEnding, analyze.Unknown
		v.because("of one end only ACKs without data were captured, of the other nothing")
	case fl.quiet(tcp.Client) || fl.quiet(tcp.Server):
		e := tcp.Client
		if s.Tries > c.Tries {
			e = tcp.Server
		}
		v.ending = analyze.Silent
		v.because("the %s sent again %s without an answer", e.Side(), times(uint32(fl.Dir[e].Tries)))
	case c.Packets == 0 || s.Packets == 0:
		v.ending, v.confidence = analyze.UnknownEnding, analyze.Unknown
		v.because("only one direction was captured, and no end of it")
	case c.State == event.Closed && s.State == event.Closed:
		v.ending, v.confidence = analyze.UnknownEnding, analyze.Unknown
		v.because("%s until frame %d, yet neither end knew of it any more "+
			"when a new connection took its place", fl.noEnd(), fl.LastFrame)
	default:
		v.because("%s until frame %d", fl.noEnd(), fl.LastFrame)
	}
}

// noEnd says what there is instead of an end: nothing, or one that its receiver ignored.
func (fl judged) noEnd() string {
	for i := range fl.Records {
		if r := &fl.Records[i]; r.Flags&(event.FIN|event.RST) != 0 && r.Ignored != tcp.Acted && r.Ignored != tcp.SameFrame {
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
	return fl.Midstream && c.Bytes+s.Bytes == 0 && (c.Packets == 0 || s.Packets == 0) &&
		!c.SynSent && !s.SynSent
}

// times writes how often something happened.
func times(n uint32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
