package analyze

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

const (
	// silentTries is how many unanswered retransmissions or keep-alives make an end silent.
	silentTries = 2
	// patience is how long an answer may take before its absence means something.
	patience = time.Second
)

// verdict is the ending with what supports it.
type verdict struct {
	ending     Ending
	closer     Side
	confidence Confidence
	why        reasons
}

func (v *verdict) because(format string, args ...any) { v.why.add(format, args...) }

// sent gives as a reason that a frame is a FIN or RST of an end.
func (v *verdict) sent(frame uint64, what string, by Side) {
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
	*flow
	now event.Time
}

// judge turns what was followed of connections into Connections. The zero value gives each
// Connection memory of its own.
type judge struct {
	scratch *scratch // where every Connection is written, when not nil
}

// newJudge returns a judge whose Connections are valid only until the next one.
func newJudge() judge {
	s := newScratch()
	s.texts = new(texts)
	return judge{s}
}

// keep returns b as a string that is valid for longer than the Connections.
func (j *judge) keep(b []byte) string {
	if j.scratch == nil {
		return string(b)
	}
	return j.scratch.texts.keep(b)
}

// connection says what became of fl, as it is known now.
func (j *judge) connection(fl *flow, now event.Time) *Connection {
	fl.conclude(now)
	d := j.scratch
	if d == nil {
		d = newScratch()
	}
	jd := judged{fl, now}
	v := &d.verdict
	*v = verdict{why: reasons{v.why.text[:0], v.why.ends[:0]}}
	jd.ending(v)
	if v.ending == Graceful {
		fl.completeClose(now)
	}
	if fl.warn&warnEvicted != 0 && v.confidence == Observed {
		v.confidence = Inferred
	}
	d.why = v.why.list(slices.Grow(d.why[:0], len(v.why.ends)), d.texts)
	c := &d.connection
	*c = Connection{
		ID: fl.id, Client: fl.addr[client], Server: fl.addr[server], Guessed: fl.guessed,
		Start: fl.start, End: fl.last, FirstFrame: fl.firstFrame, LastFrame: fl.lastFrame,
		Packets:     PerSide{uint64(fl.half[client].packets), uint64(fl.half[server].packets)},
		Bytes:       PerSide{fl.half[client].bytes, fl.half[server].bytes},
		Retransmits: PerSide{uint64(fl.half[client].retransmits), uint64(fl.half[server].retransmits)},
		Ending:      v.ending, Closer: v.closer, Simultaneous: fl.simul,
		Confidence: v.confidence, Why: d.why,
		Omitted: fl.omitted, Warnings: []string{},
	}
	c.HalfClose = jd.halfClose(&d.halfClose, v.ending)
	if v.ending == WasReset || v.ending == WasRefused {
		c.Reset = jd.judgeReset()
		c.Lost = jd.lostOwn(fl.rst.by)
	} else {
		c.Lost = jd.lost()
	}
	jd.ledger(d)
	jd.listStates(d)
	jd.listSegments(d)
	noteLosses(c)
	jd.likelyCalls(d)
	jd.warnings(c)
	c.Explains = topic(c)
	return c
}

// ending decides how the flow ended.
func (fl judged) ending(v *verdict) {
	c, s := &fl.half[client], &fl.half[server]
	switch {
	case fl.rst.frame != 0 && !fl.rst.bothFins:
		fl.endedByReset(v)
	case c.finEnd != 0 && s.finEnd != 0:
		fl.endedByFins(v)
	case c.finEnd != 0:
		fl.endedByOneFin(client, v)
	case s.finEnd != 0:
		fl.endedByOneFin(server, v)
	default:
		fl.endedWithout(v)
	}
}

func (fl judged) endedByReset(v *verdict) {
	rst := &fl.rst
	v.ending, v.closer, v.confidence = WasReset, rst.by.side(), Observed
	switch {
	case rst.refused:
		v.ending = WasRefused
		v.because("frame %d: RST answers the SYN of frame %d", rst.frame, fl.half[client].synFrame)
		return
	case fl.hasCloser:
		v.closer = fl.closer.side()
		v.sent(fl.half[fl.closer].finFrame, "FIN", v.closer)
	case !fl.half[client].sent && !fl.half[server].sent:
		v.ending, v.closer, v.confidence = UnknownEnding, NoSide, Unknown
		v.because("frame %d: nothing but an RST was captured", rst.frame)
		return
	}
	v.sent(rst.frame, "RST", rst.by.side())
	if rst.presumed {
		v.confidence = Inferred
		v.because("its number lies beyond what was captured, and nothing follows it")
	}
	if rst.missed != 0 {
		v.because("frame %d: the %s goes on, so it did not get the RST", rst.missed, rst.by.other().side())
	}
	if rst.breaks != 0 || rst.talks != 0 {
		if !fl.hasCloser {
			v.closer = NoSide
		}
		v.confidence = Inferred
	}
}

func (fl judged) endedByFins(v *verdict) {
	c, s := &fl.half[client], &fl.half[server]
	v.ending, v.closer, v.confidence = Graceful, fl.closer.side(), Observed
	if fl.simul {
		v.closer = Both
	}
	first, second := &fl.half[fl.closer], &fl.half[fl.closer.other()]
	v.sent(first.finFrame, "FIN", fl.closer.side())
	v.sent(second.finFrame, "FIN", fl.closer.other().side())
	for _, h := range [...]*half{c, s} {
		if h.finAckFrame != 0 {
			continue
		}
		waited := fl.now.Sub(h.finTime)
		switch {
		case fl.filtered:
			v.confidence = Inferred
			v.because("no ACK of frame %d was captured, nor any other pure ACK", h.finFrame)
		case h.finLost:
			v.ending, v.confidence = FinUnacked, Observed
			v.because("frame %d: this FIN was sent again and never acknowledged", h.finFrame)
			return
		case h.tries >= silentTries && h.una < h.finEnd-1:
			v.ending, v.confidence = FinUnacked, Observed
			v.because("what came before the FIN of frame %d was sent again %s without an answer",
				h.finFrame, times(uint32(h.tries)))
			return
		case waited >= resend:
			v.confidence = Inferred
			v.because("frame %d was not sent again in %v, so its ACK arrived unseen", h.finFrame, waited)
		default:
			v.ending, v.confidence = FinUnacked, Inferred
			v.because("frame %d was not acknowledged in the %v until %s", h.finFrame, waited, fl.theEnd())
			return
		}
	}
	if v.confidence == Observed {
		b := strconv.AppendUint(append(v.why.text, "frames "...), first.finAckFrame, 10)
		b = strconv.AppendUint(append(b, " and "...), second.finAckFrame, 10)
		v.why.end(append(b, " acknowledge them"...))
	}
}

func (fl judged) endedByOneFin(e end, v *verdict) {
	h, p := &fl.half[e], &fl.half[e.other()]
	v.ending, v.closer, v.confidence = HalfClosed, e.side(), Observed
	v.sent(h.finFrame, "FIN", e.side())
	if fl.finInferred(e.other()) {
		v.ending, v.confidence = Graceful, Inferred
		v.because("frame %d acknowledges one number more than was captured of the %s: its FIN",
			p.ackStepFrame, e.other().side())
		if p.ackStepFrame <= h.finFrame {
			v.closer = e.other().side()
		}
		return
	}
	switch {
	case h.finAckFrame != 0 && fl.quiet(e.other()):
		v.ending = Silent
		v.because("the %s sent again %s without an answer", e.other().side(), times(uint32(p.tries)))
	case h.finAckFrame != 0:
		if _, missing := fl.lostBy(e.other()); missing > 0 {
			v.confidence = Inferred
			v.because("frame %d acknowledges it; no FIN of the %s was captured, but neither were %s of its data",
				h.finAckFrame, e.other().side(), Count(missing, "byte"))
			return
		}
		v.because("frame %d acknowledges it; the %s never sent a FIN", h.finAckFrame, e.other().side())
	case p.packets == 0:
		v.ending, v.confidence = UnknownEnding, Unknown
		v.because("nothing of the %s was captured", e.other().side())
	case h.finLost:
		v.ending = FinUnacked
		v.because("it was sent again and never acknowledged")
	case fl.filtered:
		v.ending, v.confidence = UnknownEnding, Unknown
		v.because("the capture holds no pure ACK, so whether it arrived cannot be seen")
	default:
		v.ending = FinUnacked
		if waited := fl.now.Sub(h.finTime); waited < patience {
			v.confidence = Inferred
			v.because("%s %v after it", fl.theEnd(), waited)
		}
	}
}

// theEnd says what kept more of fl from being seen.
func (fl judged) theEnd() string {
	if fl.warn&warnEvicted != 0 {
		return "it was given up"
	}
	return "the capture ends"
}

// finInferred reports whether the FIN of e, which was not captured, follows from its peer
// acknowledging exactly one number more than was seen, and nothing after that.
func (fl judged) finInferred(e end) bool {
	h, p := &fl.half[e], &fl.half[e.other()]
	return h.ackStep == 1 && h.ackStepFrame != 0 && h.una > h.nxt && p.finEnd != 0
}

func (fl judged) endedWithout(v *verdict) {
	c, s := &fl.half[client], &fl.half[server]
	v.ending, v.confidence = Open, Observed
	switch {
	case c.synSent && !s.sent && !fl.handshake && c.bytes == 0 && c.una == 0 && c.nxt <= 1:
		v.ending = Unanswered
		v.because("frame %d: SYN, sent %s, without an answer", c.synFrame, times(1+c.retransmits))
		if fl.now.Sub(fl.synAt) < patience && c.retransmits == 0 {
			v.confidence = Inferred
			v.because("%s %v after it", fl.theEnd(), fl.now.Sub(fl.synAt))
		}
	case s.synSent && !fl.handshake && c.packets > 0 && c.nxt <= 1 && s.una < 1:
		v.ending = Unanswered
		v.because("frame %d: SYN,ACK, which was never acknowledged", s.synFrame)
	case c.packets == 0 && s.packets == 0, fl.onlyAcks():
		v.ending, v.confidence = UnknownEnding, Unknown
		v.because("of one end only ACKs without data were captured, of the other nothing")
	case fl.quiet(client) || fl.quiet(server):
		e := client
		if s.tries > c.tries {
			e = server
		}
		v.ending = Silent
		v.because("the %s sent again %s without an answer", e.side(), times(uint32(fl.half[e].tries)))
	case c.packets == 0 || s.packets == 0:
		v.ending, v.confidence = UnknownEnding, Unknown
		v.because("only one direction was captured, and no end of it")
	case c.state == event.Closed && s.state == event.Closed:
		v.ending, v.confidence = UnknownEnding, Unknown
		v.because("%s until frame %d, yet neither end knew of it any more "+
			"when a new connection took its place", fl.noEnd(), fl.lastFrame)
	default:
		v.because("%s until frame %d", fl.noEnd(), fl.lastFrame)
	}
}

// noEnd says what there is instead of an end: nothing, or one that its receiver ignored.
func (fl judged) noEnd() string {
	for i := range fl.records {
		if r := &fl.records[i]; r.flags&(event.FIN|event.RST) != 0 && r.ignored != acted && r.ignored != sameFrame {
			return fmt.Sprintf("frame %d changed nothing, and no other FIN or RST was captured", r.frame)
		}
	}
	return "neither FIN nor RST was captured"
}

// quiet reports whether e tried in vain, and for long enough, to be heard.
func (fl judged) quiet(e end) bool {
	return fl.half[e].tries >= silentTries && fl.now.Sub(fl.half[e.other()].lastTime) >= patience/2
}

// onlyAcks reports whether just one end was seen, and only with pure ACKs or resets.
func (fl judged) onlyAcks() bool {
	c, s := &fl.half[client], &fl.half[server]
	return fl.midstream && c.bytes+s.bytes == 0 && (c.packets == 0 || s.packets == 0) &&
		!c.synSent && !s.synSent
}

// times writes how often something happened.
func times(n uint32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
