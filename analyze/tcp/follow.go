package tcp

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Begin makes fl the connection that s begins, numbered id; swapped says that the source of s is
// the higher endpoint.
func (fl *Flow) Begin(opt *analyze.Options, id int, swapped bool, s *event.Segment) {
	fl.opt, fl.ID = opt, id
	fl.Start, fl.FirstFrame = s.Time, s.Frame
	fl.Filtered = true
	fl.orient(swapped, s)
	fl.sameHost = opt.SameHost || fl.IsToItself() || s.Src.Addr().IsLoopback()
}

// orient decides who is the client: the sender of the SYN, the receiver of a SYN,ACK, else
// a guess by port.
func (fl *Flow) orient(swapped bool, s *event.Segment) {
	srcIsClient := true
	switch {
	case s.Flags&(event.SYN|event.ACK) == event.SYN:
	case s.Flags&(event.SYN|event.ACK) == event.SYN|event.ACK:
		srcIsClient = s.Src == s.Dst
		fl.Guessed = false
		fl.Midstream = true
	default:
		fl.Guessed, fl.Midstream = true, true
		srcIsClient = s.Src.Port() >= s.Dst.Port()
	}
	fl.Addr[Client], fl.Addr[Server] = s.Src, s.Dst
	fl.loIsClient = !swapped
	if !srcIsClient {
		fl.Addr[Client], fl.Addr[Server] = s.Dst, s.Src
		fl.loIsClient = swapped
	}
}

// Sender returns which end of fl sent a segment; swapped says that its source is the higher
// endpoint.
func (fl *Flow) Sender(swapped bool) End {
	if swapped != fl.loIsClient {
		return Client
	}
	return Server
}

// Follow brings the flow up to date with a segment that its end e sent and that stands at seq and
// Ack, as number says.
func (fl *Flow) Follow(e End, s *event.Segment, seq, ack int64) {
	d := &fl.Dir[e]
	fl.LastFrame = s.Frame
	if s.Time < fl.Last {
		fl.Warnings |= WarnClock
	}
	fl.Last = max(fl.Last, s.Time)
	if s.Has&event.OptionsTruncated != 0 {
		fl.Warnings |= WarnTruncated
	}
	if s.Has&event.Fragmented != 0 {
		fl.Warnings |= WarnFragments
	}
	var r Listed
	r.Frame, r.Time, r.From = s.Frame, s.Time, e
	r.Flags, r.Length, r.Window = s.Flags, s.Len, s.Window
	r.Seq, r.Ack = seq, ack
	if s.Has&event.HasIPID != 0 {
		r.ipid = s.IPID
	}
	w := sight(s)
	if first := d.duplicateOf(s, &w); first != 0 {
		fl.Duplicates++
		fl.copied(d, first, s, &w)
		fl.Warnings |= WarnDuplicates
		r.Kind, r.Ignored, r.Ref = plainKind(s), SameFrame, first
		fl.keep(&r)
		return
	}
	d.Packets++
	d.FinSeen = d.FinSeen || s.Flags&event.FIN != 0
	if s.Has&event.HasMultipath != 0 {
		fl.multipath(d, s)
	}
	if s.Options.TLSAlert {
		d.alert(seq, int64(s.Len))
	}
	if fl.IsToItself() {
		fl.followItself(s, &r)
	} else if s.Flags&event.RST != 0 {
		r.Kind = KindRst
		if fl.doubt != nil && s.Flags&(event.ACK|event.SYN) == event.ACK && fl.Addr[e] != fl.doubt.Src {
			fl.decideDoubt(e, &r)
		}
		fl.followReset(e, s, &r)
	} else {
		fl.ordinary(e, s, &r)
	}
	d.fingerprint(s)
	d.Sent = d.Sent || s.Flags&event.RST == 0
	d.remember(&w)
	fl.keep(&r)
}

// Number returns where a segment of e stands in e's stream and what it acknowledges of the other,
// 0 what is not known. Both numberings are fixed as soon as a segment allows it.
func (fl *Flow) Number(e End, s *event.Segment) (seq, ack int64) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	fl.fixNumbering(d, p, s)
	if d.Based {
		seq = d.rel(s.Seq)
	}
	if s.Flags&event.ACK != 0 && p.Based {
		ack = p.rel(s.Ack)
	}
	return seq, ack
}

// fixNumbering fixes the numbering of both directions as soon as a segment allows it.
func (fl *Flow) fixNumbering(d, p *Direction, s *event.Segment) {
	if s.Flags&event.RST != 0 {
		return
	}
	if !d.Based || s.Flags&event.SYN != 0 && !d.Sent {
		at := int64(1)
		if s.Flags&event.SYN != 0 {
			at = 0
		}
		d.base(s.Seq, at)
	} else if !d.Sent {
		// Known from the peer's acknowledgements alone: what was sent before is not missing.
		if at := d.rel(s.Seq); at > d.Nxt && s.Has&badSum == 0 {
			d.advance(at, s.Seq)
			d.low = at
		}
	} else if p.lastAck < 0 {
		fl.takeUnseenISN(d, p, s)
	}
	if s.Flags&event.ACK != 0 && !p.Based {
		p.base(s.Ack, 1)
	}
	if fl.secondISN != nil {
		fl.chooseISN(p, s)
	}
}

// ordinary follows a segment without RST.
func (fl *Flow) ordinary(e End, s *event.Segment, r *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	r.Kind = fl.classify(e, s, r)
	if r.Stale = d.isStale(p, s); r.Stale {
		d.Stale++
	}
	if fl.doubt != nil && fl.Addr[e] != fl.doubt.Src {
		fl.decideDoubt(e, r)
	}
	if r.Ignored = fl.impossible(e, s, r); r.Ignored != Acted {
		return
	}
	if r.Ignored = fl.doubts(e, s, r); r.Ignored != Acted {
		held := *s
		fl.doubt = &held
		return
	}
	if s.Flags&(event.SYN|event.FIN) == event.SYN|event.FIN {
		r.Kind, r.Ignored = KindOther, synWithFin
		return
	}
	if s.Flags&event.SYN != 0 && d.SynSent && r.Seq != 0 {
		fl.refuseISN(d, s, r)
		return
	}
	if fl.Reset.Frame != 0 {
		fl.talkAfterReset(e, s, r)
	}
	if fl.lastRST != nil && (e == fl.lastRST.By || s.Time.Sub(fl.lastRST.Time) > fl.resetGrace()) {
		fl.lastRST = nil
	}
	fl.rearmed(e, s)
	if s.Flags&event.SYN != 0 {
		if fl.syn(e, s, r); r.Ignored != Acted {
			return
		}
	}
	if s.Flags&event.ACK != 0 {
		fl.acknowledge(e, s, r)
	}
	if s.Has&event.HasSACK != 0 {
		fl.receivedTwice(e, s, r)
	}
	fl.sequence(e, s, r)
	if s.Flags&event.FIN != 0 {
		fl.fin(e, s, r)
	}
	d.Reach = max(d.Reach, r.Seq)
	p.Tries, p.keepalives, p.probed = 0, 0, [2]event.Time{}
	d.lastAck = r.Ack
	if s.Flags&event.SYN == 0 {
		if d.State == event.StateUnknown || d.State == event.SynRecv && (r.Length > 0 && !p.opensFast() || !p.Sent) {
			if r.Length > 0 || p.Sent || d.SynSent {
				fl.establish(e, s)
			}
		}
	}
}

// opensFast reports whether nothing came of d but a SYN with a Fast Open cookie, or with data
// that its peer took: that peer sends before the handshake is done (RFC 7413 4.2.2).
func (d *Direction) opensFast() bool {
	return d.SynSent && d.lastAck == 0 && (d.cookie || min(d.Nxt, d.Una) > 1)
}

// acknowledge takes in what e's segment says it has received.
func (fl *Flow) acknowledge(e End, s *event.Segment, r *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if s.Flags&event.SYN == 0 && s.Len == 0 && s.Flags&event.FIN == 0 {
		fl.Filtered = false
	}
	if r.Ack > p.Una {
		r.Answers = fl.newlyAcked(e.Other(), p.Una, r.Ack)
		if step := r.Ack - max(p.Nxt, p.Una); step > 0 {
			p.AckStep, p.AckStepFrame = step, s.Frame
		}
		if d.FinEnd != 0 {
			p.BytesAckedAfterFin += uint64(max(0, p.Payload(r.Ack)-p.Una))
		}
		p.Una = r.Ack
	} else if p.provoked != 0 && r.Kind == KindAck {
		r.Kind, r.Answers, p.provoked = KindChallenge, p.provoked, 0
		fl.lastRST = nil // its receiver refused it
	} else if r.Kind == KindAck && r.Ack == d.lastAck && fl.drawsAck(p, d) {
		r.Answers = p.dataFrame
	}
	if d.FinEnd != 0 && r.Kind == KindAck && r.Seq == d.FinEnd && r.Ack == d.lastAck && p.LastTime < d.LastTime {
		p.DrewUnseen = s.Frame
	}
	p.PastFin = p.PastFin || p.FinEnd != 0 && r.Ack > max(p.FinEnd, p.Nxt)
	fl.ackMoves(e, s, r)
}

// newlyAcked returns the newest frame of end e that lies wholly in (from, to].
func (fl *Flow) newlyAcked(e End, from, to int64) uint64 {
	d := &fl.Dir[e]
	if d.datEnd > from && d.datEnd <= to {
		return d.dataFrame
	}
	for i := len(fl.Listed) - 1; i >= max(0, len(fl.Listed)-lookBack); i-- {
		q := &fl.Listed[i]
		if q.From != e || q.End() == q.Seq || q.Flags&event.RST != 0 || q.Ignored == SameFrame {
			continue
		}
		if q.End() <= from {
			break
		}
		if q.End() <= to {
			return q.Frame
		}
	}
	return 0
}

// sequence takes in the sequence space that e's segment fills.
func (fl *Flow) sequence(e End, s *event.Segment, r *Listed) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	from, to := r.Seq, r.End()
	data := from
	if s.Flags&event.SYN != 0 {
		data++
	}
	switch {
	case r.Kind == KindSynAck && !d.synAckSent && to <= d.Nxt:
		d.synAckSent, d.dataFrame, d.datEnd, d.dataLen = true, s.Frame, to, uint32(to-from)
		return
	case r.Kind == KindKeepalive || r.Kind == KindProbe && to <= d.Nxt:
		d.Tries++
		d.keepalives++
		if r.Kind == KindKeepalive {
			d.probed = [2]event.Time{d.probed[1], s.Time}
		}
		d.dataFrame, d.datEnd, d.dataLen = s.Frame, to, uint32(to-from)
		return
	case to == from:
		return
	case from > d.Nxt && d.Sent:
		d.skip(d.Nxt, from)
	case from > d.Nxt:
		d.low = from
	}
	length := int64(s.Len)
	if d.FinEnd != 0 && data+length >= d.FinEnd {
		fl.goesOnBehindFin(e, data, r)
	}
	n := d.fresh(data, data+length)
	d.addBytes(p, n)
	if n > 0 {
		fl.speak(e, s)
	}
	first := length > 0 && n == length // or what it repeats was not captured
	switch {
	case to > d.Nxt:
		if from < d.Nxt && d.Sent && !first {
			fl.repeat(e, r)
		}
		d.advance(to, s.End())
	case first && !d.had(p, from, to):
		d.SentAgain = d.SentAgain || d.FinEnd != 0 && s.Time.Sub(d.FinTime) > fl.reordering()
	case first:
		d.again(r)
	default:
		fl.repeat(e, r)
	}
	if r.Kind == KindSynAck {
		d.synAckSent = true
	}
	d.dataFrame, d.datEnd, d.dataLen = s.Frame, to, uint32(to-from)
}

// repeat finds what r of e sends again.
func (fl *Flow) repeat(e End, r *Listed) {
	if r.Ref = fl.cameBefore(e, r); r.Ref != 0 {
		r.Ignored = cameTwice
		return
	}
	r.Repeats = fl.original(e, r)
	r.Again = r.Repeats == 0
	fl.Dir[e].again(r)
}

// cameBefore returns the frame that was the very packet r, which the network brought once more, 0 where there is none:
// what is sent again gets an IP ID of its own where these count.
func (fl *Flow) cameBefore(e End, r *Listed) uint64 {
	if fl.Dir[e].ipidMoves == 0 {
		return 0
	}
	for i := len(fl.Listed) - 1; i >= max(0, len(fl.Listed)-lookBack) && r.ipid != 0; i-- {
		q := &fl.Listed[i]
		switch {
		case q.From != e || q.Seq != r.Seq || q.End() != r.End() || q.Ignored == SameFrame:
		case q.ipid != r.ipid || q.Ack != r.Ack || q.Window != r.Window || q.Flags != r.Flags:
			return 0
		case q.Ignored == cameTwice:
			return q.Ref
		default:
			return q.Frame
		}
	}
	return 0
}

// again counts r as a retransmission.
func (d *Direction) again(r *Listed) {
	if to := uint32(r.End()); d.Retransmits == 0 || int32(to-d.resentTo) > 0 {
		d.resentTo = to
	}
	d.Retransmits++
	d.Tries++
	d.probed = [2]event.Time{d.probed[1], r.Time}
}

// addBytes counts payload that was not seen before.
func (d *Direction) addBytes(p *Direction, n int64) {
	d.Bytes += uint64(n)
	if (p.FinEnd != 0 || p.DataFinFrame != 0) && d.FinEnd == 0 {
		d.BytesAtPeerFin += uint64(n)
	}
}

// original returns the frame of end e that sent what r sends again.
func (fl *Flow) original(e End, r *Listed) uint64 {
	d := &fl.Dir[e]
	from, to := r.Seq, r.End()
	if d.dataFrame != 0 && d.dataSeq() == from && d.dataFrame < r.Frame {
		return fl.firstOf(d.dataFrame)
	}
	for i := len(fl.Listed) - 1; i >= max(0, len(fl.Listed)-lookBack); i-- {
		q := &fl.Listed[i]
		if q.From == e && q.Repeats == 0 && q.Seq < to && q.End() > from && q.Ignored != SameFrame &&
			q.Flags&event.RST == 0 && q.Frame < r.Frame {
			return q.Frame
		}
	}
	if d.dataSeq() < to && d.datEnd > from && d.dataFrame < r.Frame {
		return d.dataFrame
	}
	return 0
}

// firstOf returns the frame that a listed frame repeats, or itself.
func (fl *Flow) firstOf(frame uint64) uint64 {
	for i := len(fl.Listed) - 1; i >= max(0, len(fl.Listed)-lookBack); i-- {
		if q := &fl.Listed[i]; q.Frame == frame && q.Repeats != 0 {
			return q.Repeats
		}
	}
	return frame
}
