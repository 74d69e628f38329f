package analyze

import "github.com/closecap/closecap/analyze/event"

// pathBreak is how an RST differs from what its supposed sender sent before.
type pathBreak uint8

const (
	breakTTL pathBreak = 1 << iota
	breakIPID
	breakTimestamp
)

// enoughMoves is how often an end's IP IDs must have counted up for them to be a counter.
const enoughMoves = 3

// fingerprint remembers how an end's packets look.
func (h *half) fingerprint(s *event.Segment) {
	if s.Flags&event.RST != 0 {
		return
	}
	if h.ttl != 0 && h.ttl != s.TTL {
		h.ttlVaries = true
	}
	if h.sent && s.IPID != h.ipid && s.IPID-h.ipid < 256 {
		h.ipidMoves = min(h.ipidMoves+1, enoughMoves)
	}
	h.ttl, h.ipid, h.window = s.TTL, s.IPID, s.Window
	if s.Has&event.HasTimestamps != 0 {
		if !h.hasTS || int32(s.Options.TSVal-h.tsVal) > 0 {
			h.hasTS, h.tsVal = true, s.Options.TSVal
		}
	}
}

// breaks compares an RST with what h sent before. Missing timestamps, a zero IP ID and a
// zero window prove nothing: Linux itself resets so when nobody owns the segment.
func (h *half) breaks(s *event.Segment) pathBreak {
	var b pathBreak
	if h.ttl != 0 && s.TTL != 0 && !h.ttlVaries && h.ttl != s.TTL {
		b |= breakTTL
	}
	if s.Has&event.HasIPID != 0 && s.IPID != 0 && h.ipidMoves == enoughMoves && s.IPID-h.ipid > 4096 {
		b |= breakIPID
	}
	if s.Has&event.HasTimestamps != 0 && h.hasTS {
		if d := int32(s.Options.TSVal - h.tsVal); d < 0 {
			b |= breakTimestamp
		}
	}
	return b
}

// sighting is a segment as the capture has just seen it.
type sighting struct {
	frame uint64
	time  event.Time
	sum   uint32
	at    uint32 // interface, and whether it came or left
}

// sameFrameWithin is how far apart two sights of one frame may be.
const sameFrameWithin = event.Time(1e6)

// sight returns s as a sighting.
func sight(s *event.Segment) sighting {
	all := uint64(s.Seq)<<32 | uint64(s.Ack)
	all = all*0x9E3779B97F4A7C15 + uint64(s.IPID)<<40 + uint64(s.Flags)<<32 + uint64(s.Len)
	all = all*0x9E3779B97F4A7C15 + uint64(s.Window)<<32 + uint64(s.Options.TSVal)
	all = all*0x9E3779B97F4A7C15 + uint64(s.Options.SACKRight)
	return sighting{
		frame: s.Frame, time: s.Time, sum: uint32(all>>32) ^ uint32(all),
		at: s.Interface<<2 | uint32(s.Has/event.Outgoing)&3,
	}
}

// isTwin reports whether s, sighted as w, is the packet of the earlier sighting q: on another
// interface or the other way through the same, or with the same IP ID within a millisecond.
func (q *sighting) isTwin(w *sighting, s *event.Segment) bool {
	if q.sum != w.sum || q.frame == 0 || w.time-q.time > sameFrameWithin {
		return false
	}
	return q.at != w.at || s.Has&event.HasIPID != 0 && s.IPID != 0 ||
		s.Len > 0 || s.Flags&(event.SYN|event.FIN) != 0
}

// newest returns h's newest sighting; its frame is 0 when there is none.
func (h *half) newest() sighting {
	return sighting{frame: h.lastSight, time: h.lastTime, sum: h.lastSum, at: h.lastAt}
}

// seenBefore returns the frame that showed the packet of s and w already, 0 when none did.
func (h *half) seenBefore(s *event.Segment, w *sighting) uint64 {
	if last := h.newest(); last.isTwin(w, s) {
		return h.twinOf(last.frame)
	}
	if w.time-h.lastTime > sameFrameWithin {
		return 0
	}
	for i := range h.before {
		if h.before[i].isTwin(w, s) {
			return h.twinOf(h.before[i].frame)
		}
	}
	if h.burst != nil {
		for i := range h.burst.seen {
			if h.burst.seen[i].isTwin(w, s) {
				return h.burst.seen[i].frame
			}
		}
	}
	return 0
}

// burst holds sightings from before those of half, in no order.
type burst struct {
	seen [64]sighting
	next uint8
}

// twinOf notes that h's packets are captured twice, so that a whole burst of them is remembered
// from now on: a router hands on several at a time.
func (h *half) twinOf(frame uint64) uint64 {
	if h.burst == nil {
		h.burst = new(burst)
	}
	return frame
}

// remember takes in a segment that was no twin.
func (h *half) remember(w *sighting) {
	if w.time-h.lastTime <= sameFrameWithin {
		if b := h.burst; b != nil {
			b.seen[b.next%uint8(len(b.seen))] = h.before[1]
			b.next++
		}
		h.before[0], h.before[1] = h.newest(), h.before[0]
	}
	h.lastSight, h.lastTime, h.lastSum, h.lastAt = w.frame, w.time, w.sum, w.at
}
