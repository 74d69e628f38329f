package analyze

import "github.com/closecap/closecap/analyze/event"

// isCalm reports whether fl is in the middle of its life with nothing unusual about it, so
// that goOn may follow what is usual there: data in order, and acknowledgements of it.
func (fl *flow) isCalm() bool {
	c, s := &fl.half[client], &fl.half[server]
	return c.state == event.Established && s.state == event.Established &&
		!fl.opt.AllSegments && c.isCalm() && s.isCalm() &&
		(fl.handshake || fl.midstream && !c.synSent && !s.synSent) &&
		fl.warn&warnClock == 0 && fl.rst.frame == 0 && fl.lastRst == nil && fl.doubt == nil && fl.pending == nil
}

func (h *half) isCalm() bool {
	return h.sent && h.finEnd == 0 && h.holes == 0 && h.provoked == 0 &&
		h.tries == 0 && h.keepalives == 0
}

// goOn follows a segment of a calm flow as follow does, in a fraction of the time: in-order
// data and plain acknowledgements, which are most of any capture. It reports false, and has
// done nothing, when s is something else.
func (fl *flow) goOn(e end, s *event.Segment) bool {
	h, p := &fl.half[e], &fl.half[e.other()]
	ahead := s.Ack.Diff(p.nxtAbs)
	if s.Flags&^event.PSH != event.ACK || s.Has&unusual != 0 || s.Time < fl.last ||
		s.Seq != h.nxtAbs || ahead > 0 || s.Window == 0 || p.window == 0 {
		return false
	}
	if s.Len == 0 && h.nxt == 1 && p.nxt == 1 {
		return false // the handshake's last ACK, which is listed
	}
	w := sight(s)
	if s.Len == 0 && h.seenBefore(s, &w) != 0 {
		return false
	}
	h.remember(&w)

	fl.last, fl.lastFrame = s.Time, s.Frame
	fl.omitted++
	h.packets++
	h.fingerprint(s)
	h.lastAck = p.nxt + int64(ahead)
	p.una = max(p.una, h.lastAck)
	if s.Len == 0 {
		fl.filtered = false
	} else {
		n := int64(s.Len)
		h.bytes += uint64(n)
		h.dataFrame, h.datEnd, h.dataLen = s.Frame, h.nxt+n, s.Len
		h.advance(h.nxt+n, s.End())
	}
	return true
}

// unusual is what a segment must not be for goOn.
const unusual = event.Truncated | event.OptionsTruncated | event.Fragmented | event.BadChecksum
