package analyze

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// begin makes fl the connection that s begins, numbered id; swapped says that the source of s is
// the higher endpoint.
func (fl *flow) begin(opt *Options, id int, swapped bool, s *event.Segment) {
	fl.opt, fl.id = opt, id
	fl.start, fl.firstFrame = s.Time, s.Frame
	fl.filtered = true
	fl.orient(swapped, s)
	fl.sameHost = opt.SameHost || s.Src.Addr().IsLoopback() && s.Dst.Addr().IsLoopback()
}

// orient decides who is the client: the sender of the SYN, the receiver of a SYN,ACK, else
// a guess by port.
func (fl *flow) orient(swapped bool, s *event.Segment) {
	srcIsClient := true
	switch {
	case s.Flags&(event.SYN|event.ACK) == event.SYN:
	case s.Flags&(event.SYN|event.ACK) == event.SYN|event.ACK:
		srcIsClient = false
		fl.guessed = false
		fl.midstream = true
	default:
		fl.guessed, fl.midstream = true, true
		srcIsClient = s.Src.Port() >= s.Dst.Port()
	}
	fl.addr[client], fl.addr[server] = s.Src, s.Dst
	fl.loIsClient = !swapped
	if !srcIsClient {
		fl.addr[client], fl.addr[server] = s.Dst, s.Src
		fl.loIsClient = swapped
	}
}

// follow brings the flow up to date with a segment that its end e sent and that stands at seq and
// ack, as number says.
func (fl *flow) follow(e end, s *event.Segment, seq, ack int64) {
	h := &fl.half[e]
	fl.lastFrame = s.Frame
	if s.Time < fl.last {
		fl.warn |= warnClock
	}
	fl.last = max(fl.last, s.Time)
	if s.Has&event.OptionsTruncated != 0 {
		fl.warn |= warnTruncated
	}
	if s.Has&event.Fragmented != 0 {
		fl.warn |= warnFragments
	}
	var r record
	r.frame, r.time, r.from = s.Frame, s.Time, e
	r.flags, r.length, r.window = s.Flags, s.Len, s.Window
	r.seq, r.ack = seq, ack
	w := sight(s)
	if twin := h.seenBefore(s, &w); twin != 0 {
		fl.twins++
		fl.warn |= warnDuplicates
		r.kind, r.ignored, r.ref = plainKind(s), sameFrame, twin
		fl.keep(&r)
		return
	}
	h.packets++
	h.finSeen = h.finSeen || s.Flags&event.FIN != 0
	if s.Flags&event.RST != 0 {
		r.kind = kRst
		fl.reset(e, s, &r)
	} else {
		fl.ordinary(e, s, &r)
	}
	h.fingerprint(s)
	h.sent = h.sent || s.Flags&event.RST == 0
	h.remember(&w)
	fl.keep(&r)
}

// number returns where a segment of e stands in e's stream and what it acknowledges of the other,
// 0 what is not known. Both numberings are fixed as soon as a segment allows it.
func (fl *flow) number(e end, s *event.Segment) (seq, ack int64) {
	h, p := &fl.half[e], &fl.half[e.other()]
	fl.fixNumbering(h, p, s)
	if h.based {
		seq = h.rel(s.Seq)
	}
	if s.Flags&event.ACK != 0 && p.based {
		ack = p.rel(s.Ack)
	}
	return seq, ack
}

// fixNumbering fixes the numbering of both directions as soon as a segment allows it.
func (fl *flow) fixNumbering(h, p *half, s *event.Segment) {
	if s.Flags&event.RST != 0 {
		return
	}
	if !h.based || s.Flags&event.SYN != 0 && !h.sent {
		at := int64(1)
		if s.Flags&event.SYN != 0 {
			at = 0
		}
		h.base(s.Seq, at)
	} else if !h.sent {
		// Known from the peer's acknowledgements alone: what was sent before is not missing.
		if at := h.rel(s.Seq); at > h.nxt {
			h.advance(at, s.Seq)
			h.low = at
		}
	}
	if s.Flags&event.ACK != 0 && !p.based {
		p.base(s.Ack, 1)
	}
	if fl.other != nil {
		fl.settleOther(p, s)
	}
}

// ordinary follows a segment without RST.
func (fl *flow) ordinary(e end, s *event.Segment, r *record) {
	h, p := &fl.half[e], &fl.half[e.other()]
	r.kind = fl.classify(e, s, r)
	if fl.doubt != nil && fl.addr[e] != fl.doubt.Src {
		fl.settleDoubt(e, r)
	}
	if r.ignored = fl.impossible(e, s, r); r.ignored != acted {
		return
	}
	if r.ignored = fl.doubts(e, s, r); r.ignored != acted {
		held := *s
		fl.doubt = &held
		return
	}
	if s.Flags&(event.SYN|event.FIN) == event.SYN|event.FIN {
		r.kind, r.ignored = kOther, synWithFin
		return
	}
	if s.Flags&event.SYN != 0 && h.synSent && r.seq != 0 {
		fl.otherSyn(h, s, r)
		return
	}
	if fl.rst.frame != 0 {
		fl.talkAfterReset(e, s, r)
	}
	if fl.lastRst != nil && (e == fl.lastRst.by || s.Time.Sub(fl.lastRst.time) > fl.settle()) {
		fl.lastRst = nil
	}
	fl.rearmed(e, s)
	if s.Flags&event.SYN != 0 {
		if fl.syn(e, s, r); r.ignored != acted {
			return
		}
	}
	if s.Flags&event.ACK != 0 {
		fl.acknowledge(e, s, r)
	}
	fl.sequence(e, s, r)
	if s.Flags&event.FIN != 0 {
		fl.fin(e, s, r)
	}
	p.tries, p.keepalives = 0, 0
	h.lastAck = r.ack
	if s.Flags&event.SYN == 0 {
		if h.state == event.StateUnknown || h.state == event.SynRecv && (r.length > 0 && !p.opensFast() || !p.sent) {
			if r.length > 0 || s.Flags&event.FIN != 0 || p.sent || h.synSent {
				fl.establish(e, s)
			}
		}
	}
}

// opensFast reports whether nothing came of h but a SYN with a Fast Open cookie, or with data
// that its peer took: that peer sends before the handshake is done (RFC 7413 4.2.2).
func (h *half) opensFast() bool {
	return h.synSent && h.lastAck == 0 && (h.cookie || min(h.nxt, h.una) > 1)
}

// classify says what the segment is to its connection, before its numbers are taken in.
func (fl *flow) classify(e end, s *event.Segment, r *record) kind {
	h, p := &fl.half[e], &fl.half[e.other()]
	switch {
	case s.Flags&event.SYN != 0, s.Flags&event.FIN != 0:
		return plainKind(s)
	case s.Len <= 1 && h.sent && r.seq == h.nxt-1 && h.una >= h.nxt && (h.finEnd != h.nxt || p.finEnd == 0):
		if p.sent && p.window == 0 {
			return kProbe
		}
		return kKeepalive
	case s.Len == 1 && p.sent && p.window == 0 && r.seq >= h.una:
		return kProbe
	case s.Len == 0 && h.sent && h.finEnd == 0 && r.seq == h.una-1 && p.window == 0 && r.seq < h.nxt:
		return kProbe
	case s.Len > 0:
		return kData
	case s.Flags&event.ACK == 0:
		return kOther
	case h.sent && r.ack == h.lastAck && r.seq == h.nxt && h.window != s.Window && !fl.drawsAck(p, h):
		return kWindow
	}
	return kAck
}

// drawsAck reports whether the newest segment of p still asks for an answer by h.
func (fl *flow) drawsAck(p, h *half) bool { return p.dataFrame != 0 && p.lastTime > h.lastTime }

// plainKind is the kind that the flags and the length alone give.
func plainKind(s *event.Segment) kind {
	switch {
	case s.Flags&event.RST != 0:
		return kRst
	case s.Flags&(event.SYN|event.ACK) == event.SYN|event.ACK:
		return kSynAck
	case s.Flags&event.SYN != 0:
		return kSyn
	case s.Flags&event.FIN != 0:
		return kFin
	case s.Len > 0:
		return kData
	case s.Flags&event.ACK != 0:
		return kAck
	}
	return kOther
}

// acknowledge takes in what e's segment says it has received.
func (fl *flow) acknowledge(e end, s *event.Segment, r *record) {
	h, p := &fl.half[e], &fl.half[e.other()]
	if s.Flags&event.SYN == 0 && s.Len == 0 && s.Flags&event.FIN == 0 {
		fl.filtered = false
	}
	if r.ack > p.una {
		r.answers = fl.newlyAcked(e.other(), p.una, r.ack)
		if step := r.ack - max(p.nxt, p.una); step > 0 && p.based {
			p.ackStep, p.ackStepFrame = step, s.Frame
		}
		if h.finEnd != 0 {
			p.bytesAckedAfterFin += uint64(max(0, p.payload(r.ack)-p.una))
		}
		p.una = r.ack
	} else if p.provoked != 0 && r.kind == kAck {
		r.kind, r.answers, p.provoked = kChallenge, p.provoked, 0
		fl.lastRst = nil // its receiver refused it
	} else if s.Len == 0 && s.Flags&(event.SYN|event.FIN) == 0 && r.kind == kAck && r.ack == h.lastAck {
		if fl.drawsAck(p, h) || p.keepalives > 0 {
			r.answers = p.dataFrame
		}
	}
	fl.ackMoves(e, s, r)
}

// newlyAcked returns the newest frame of end e that lies wholly in (from, to].
func (fl *flow) newlyAcked(e end, from, to int64) uint64 {
	h := &fl.half[e]
	if h.dataFrame != 0 && h.datEnd > from && h.datEnd <= to {
		return h.dataFrame
	}
	for i := len(fl.records) - 1; i >= max(0, len(fl.records)-lookBack); i-- {
		q := &fl.records[i]
		if q.from != e || q.end() == q.seq || q.flags&event.RST != 0 || q.ignored == sameFrame {
			continue
		}
		if q.end() <= from {
			break
		}
		if q.end() <= to {
			return q.frame
		}
	}
	return 0
}

// sequence takes in the sequence space that e's segment fills.
func (fl *flow) sequence(e end, s *event.Segment, r *record) {
	h, p := &fl.half[e], &fl.half[e.other()]
	from, to := r.seq, r.end()
	data := from
	if s.Flags&event.SYN != 0 {
		data++
	}
	switch {
	case r.kind == kSynAck && h.synSent && !h.synAckSent && to <= h.nxt:
		h.synAckSent, h.dataFrame, h.datEnd, h.dataLen = true, s.Frame, to, uint32(to-from)
		return
	case r.kind == kKeepalive || r.kind == kProbe && to <= h.nxt:
		h.tries++
		h.keepalives++
		h.dataFrame, h.datEnd, h.dataLen = s.Frame, to, uint32(to-from)
		return
	case to == from:
		return
	case from > h.nxt && h.sent:
		h.skip(h.nxt, from)
	}
	length := int64(s.Len)
	n := h.fresh(data, data+length)
	h.addBytes(p, n)
	first := length > 0 && n == length // or what it repeats was not captured
	switch {
	case to > h.nxt:
		if from < h.nxt && h.sent && !first {
			fl.repeat(e, r)
		}
		h.advance(to, s.End())
	case first && !h.had(p, from, to):
	case first:
		fl.again(h)
	default:
		fl.repeat(e, r)
	}
	if r.kind == kSynAck {
		h.synAckSent = true
	}
	h.dataFrame, h.datEnd, h.dataLen = s.Frame, to, uint32(to-from)
}

// repeat finds what r of e sends again.
func (fl *flow) repeat(e end, r *record) {
	r.repeats = fl.original(e, r)
	r.again = r.repeats == 0
	fl.again(&fl.half[e])
}

// again counts a retransmission.
func (fl *flow) again(h *half) {
	h.retransmits++
	h.tries++
}

// addBytes counts payload that was not seen before.
func (h *half) addBytes(p *half, n int64) {
	h.bytes += uint64(n)
	if p.finEnd != 0 && h.finEnd == 0 {
		h.bytesAtPeerFin += uint64(n)
	}
}

// original returns the frame of end e that sent what r sends again.
func (fl *flow) original(e end, r *record) uint64 {
	h := &fl.half[e]
	from, to := r.seq, r.end()
	if h.dataFrame != 0 && h.dataSeq() == from && h.dataFrame < r.frame {
		return fl.firstOf(h.dataFrame)
	}
	for i := len(fl.records) - 1; i >= max(0, len(fl.records)-lookBack); i-- {
		q := &fl.records[i]
		if q.from == e && q.repeats == 0 && q.seq < to && q.end() > from && q.ignored != sameFrame &&
			q.flags&event.RST == 0 && q.frame < r.frame {
			return q.frame
		}
	}
	if h.dataSeq() < to && h.datEnd > from && h.dataFrame < r.frame {
		return h.dataFrame
	}
	return 0
}

// firstOf returns the frame that a listed frame repeats, or itself.
func (fl *flow) firstOf(frame uint64) uint64 {
	for i := len(fl.records) - 1; i >= max(0, len(fl.records)-lookBack); i-- {
		if q := &fl.records[i]; q.frame == frame && q.repeats != 0 {
			return q.repeats
		}
	}
	return frame
}

// keep lists the segment when the result is to show it.
func (fl *flow) keep(r *record) {
	if !fl.opt.AllSegments {
		shown := r.flags&(event.SYN|event.FIN|event.RST) != 0 || !fl.handshake && !fl.midstream ||
			fl.half[client].finEnd != 0 || fl.half[server].finEnd != 0 || fl.rst.frame != 0
		if fl.handshakeNow(r) {
			shown = true
		}
		if !shown || len(fl.records) >= maxRecords {
			fl.omitted++
			return
		}
	}
	n := len(fl.records)
	fl.records = slices.Grow(fl.records, 1)[:n+1]
	fl.records[n].set(r)
}

// maxRecords bounds what is listed of a connection when not every segment is.
const maxRecords = 48

// lookBack bounds how many listed segments are searched for the one that another answers or
// repeats, so that no capture makes the search the cost.
const lookBack = 4096

// handshakeNow reports whether r is the handshake's last ACK.
func (fl *flow) handshakeNow(r *record) bool {
	return fl.handshake && r.from == client && r.seq == 1 && r.ack == 1 && r.length == 0 &&
		fl.half[client].nxt == 1 && fl.half[server].nxt == 1
}

// find returns the listed record of a frame.
func (fl *flow) find(frame uint64) *record {
	for i := len(fl.records) - 1; i >= max(0, len(fl.records)-lookBack); i-- {
		if fl.records[i].frame == frame {
			return &fl.records[i]
		}
	}
	return nil
}
