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
	// resend is when a FIN that stays unacknowledged is sent again at the latest.
	resend = 3 * time.Second
	// ackDelay is the longest an ACK of a FIN is held back on one host.
	ackDelay = 250 * time.Millisecond
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

// judge turns what was followed of fl into a Connection.
func (f *Follower) judge(fl *flow) *Connection {
	if s := fl.doubt; s != nil {
		fl.doubt = nil
		e := client
		if s.Src == fl.addr[server] {
			e = server
		}
		fl.believe(f, e, s)
	}
	fl.believeReset(f)
	fl.settleStates(f)
	d := f.desk
	if d == nil {
		d = newDesk()
	}
	v := &d.verdict
	*v = verdict{why: reasons{v.why.text[:0], v.why.ends[:0]}}
	fl.ending(f, v)
	if v.ending == Graceful {
		fl.settleGraceful(f)
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
		Omitted: fl.omitted, Compat: fl.compat(d.texts), Warnings: []string{},
	}
	c.HalfClose = fl.halfClose(&d.halfClose, v.ending)
	if v.ending == WasReset || v.ending == WasRefused {
		c.Reset = fl.judgeReset()
		c.Lost = fl.lostOwn(fl.rst.by)
	} else {
		c.Lost = fl.lost()
	}
	fl.ledger(d)
	fl.listStates(d)
	fl.listSegments(d)
	c.noteLosses()
	fl.likelyCalls(d)
	fl.warnings(c)
	c.Explains = topic(c)
	return c
}

// ending decides how the flow ended.
func (fl *flow) ending(f *Follower, v *verdict) {
	c, s := &fl.half[client], &fl.half[server]
	switch {
	case fl.rst.frame != 0 && !fl.rst.bothFins:
		fl.endedByReset(v)
	case c.finEnd != 0 && s.finEnd != 0:
		fl.endedByFins(f, v)
	case c.finEnd != 0:
		fl.endedByOneFin(f, client, v)
	case s.finEnd != 0:
		fl.endedByOneFin(f, server, v)
	default:
		fl.endedWithout(f, v)
	}
}

func (fl *flow) endedByReset(v *verdict) {
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

func (fl *flow) endedByFins(f *Follower, v *verdict) {
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
		waited := f.now.Sub(h.finTime)
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

func (fl *flow) endedByOneFin(f *Follower, e end, v *verdict) {
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
	case h.finAckFrame != 0 && fl.quiet(f, e.other()):
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
		if waited := f.now.Sub(h.finTime); waited < patience {
			v.confidence = Inferred
			v.because("%s %v after it", fl.theEnd(), waited)
		}
	}
}

// theEnd says what kept more of fl from being seen.
func (fl *flow) theEnd() string {
	if fl.warn&warnEvicted != 0 {
		return "it was given up"
	}
	return "the capture ends"
}

// finInferred reports whether the FIN of e, which was not captured, follows from its peer
// acknowledging exactly one number more than was seen, and nothing after that.
func (fl *flow) finInferred(e end) bool {
	h, p := &fl.half[e], &fl.half[e.other()]
	return h.ackStep == 1 && h.ackStepFrame != 0 && h.una > h.nxt && p.finEnd != 0
}

func (fl *flow) endedWithout(f *Follower, v *verdict) {
	c, s := &fl.half[client], &fl.half[server]
	v.ending, v.confidence = Open, Observed
	switch {
	case c.synSent && !s.sent && !fl.handshake && c.bytes == 0 && c.una == 0 && c.nxt <= 1:
		v.ending = Unanswered
		v.because("frame %d: SYN, sent %s, without an answer", c.synFrame, times(1+c.retransmits))
		if f.now.Sub(fl.synAt) < patience && c.retransmits == 0 {
			v.confidence = Inferred
			v.because("%s %v after it", fl.theEnd(), f.now.Sub(fl.synAt))
		}
	case s.synSent && !fl.handshake && c.packets > 0 && c.nxt <= 1 && s.una < 1:
		v.ending = Unanswered
		v.because("frame %d: SYN,ACK, which was never acknowledged", s.synFrame)
	case c.packets == 0 && s.packets == 0, fl.onlyAcks():
		v.ending, v.confidence = UnknownEnding, Unknown
		v.because("of one end only ACKs without data were captured, of the other nothing")
	case fl.quiet(f, client) || fl.quiet(f, server):
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
func (fl *flow) noEnd() string {
	for i := range fl.records {
		if r := &fl.records[i]; r.flags&(event.FIN|event.RST) != 0 && r.ignored != acted && r.ignored != sameFrame {
			return fmt.Sprintf("frame %d changed nothing, and no other FIN or RST was captured", r.frame)
		}
	}
	return "neither FIN nor RST was captured"
}

// quiet reports whether e tried in vain, and for long enough, to be heard.
func (fl *flow) quiet(f *Follower, e end) bool {
	return fl.half[e].tries >= silentTries && f.now.Sub(fl.half[e.other()].lastTime) >= patience/2
}

// onlyAcks reports whether just one end was seen, and only with pure ACKs or resets.
func (fl *flow) onlyAcks() bool {
	c, s := &fl.half[client], &fl.half[server]
	return fl.midstream && c.bytes+s.bytes == 0 && (c.packets == 0 || s.packets == 0) &&
		!c.synSent && !s.synSent
}

// settleStates withdraws what never was confirmed, and lets TIME_WAIT run out.
func (fl *flow) settleStates(f *Follower) {
	for e := range fl.half {
		h, p := &fl.half[e], &fl.half[end(e).other()]
		if h.gotFin == presumed && p.finAckFrame == 0 && f.now.Sub(p.finTime) > ackDelay && fl.rst.frame == 0 {
			fl.withdrawFin(f, end(e))
		}
		w := &fl.tw[e]
		if w.since != 0 && w.ended == running && f.now > w.until {
			w.ended = expired
		}
	}
}

// settleGraceful lets the states end as a graceful close does where the last segments of it
// were not captured.
func (fl *flow) settleGraceful(f *Follower) {
	if fl.rst.frame != 0 || fl.tw[client].since != 0 || fl.tw[server].since != 0 {
		return
	}
	a, b := &fl.half[fl.closer], &fl.half[fl.closer.other()]
	frame, at := b.finFrame, b.finTime
	if frame == 0 {
		if b.ackStepFrame <= a.finFrame {
			return
		}
		frame, at = b.ackStepFrame, a.lastTime
	}
	for _, ch := range fl.changes {
		if ch.time > at {
			frame, at = ch.frame, ch.time
		}
	}
	s := &event.Segment{Frame: frame, Time: at}
	switch a.state {
	case event.FinWait1, event.FinWait2, event.Closing:
		fl.enter(f, fl.closer, event.TimeWait, s, false)
	}
	if b.state == event.LastAck {
		fl.enter(f, fl.closer.other(), event.Closed, s, false)
	}
	if w := &fl.tw[fl.closer]; f.now > w.until {
		w.ended = expired
	}
}

// times writes how often something happened.
func times(n uint32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
