package tcp

import "github.com/closecap/closecap/analyze/event"

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
		at: at(s),
	}
}

// at returns where s was captured: the interface, and whether it came or left.
func at(s *event.Segment) uint32 { return s.Interface<<2 | uint32(s.Has/event.Outgoing)&3 }

// isDuplicate reports whether s, sighted as w, is the packet of the earlier sighting q: on another
// interface or the other way through the same, or with the same IP ID within a millisecond.
func (q *sighting) isDuplicate(w *sighting, s *event.Segment) bool {
	if q.sum != w.sum || q.frame == 0 || w.time-q.time > sameFrameWithin {
		return false
	}
	return q.at != w.at || s.Has&event.HasIPID != 0 && s.IPID != 0 ||
		s.Len > 0 || s.Flags&(event.SYN|event.FIN) != 0
}

// newest returns d's newest sighting; its frame is 0 when there is none.
func (d *Direction) newest() sighting {
	return sighting{frame: d.lastSight, time: d.LastTime, sum: d.lastSum, at: d.lastAt}
}

// duplicateOf returns the frame that showed the packet of s and w already, 0 when none did.
func (d *Direction) duplicateOf(s *event.Segment, w *sighting) uint64 {
	if last := d.newest(); last.isDuplicate(w, s) {
		return d.noteDuplicate(last.frame)
	}
	if w.time-d.LastTime > sameFrameWithin {
		return 0
	}
	for i := range d.before {
		if d.before[i].isDuplicate(w, s) {
			return d.noteDuplicate(d.before[i].frame)
		}
	}
	if d.burst != nil {
		for i := range d.burst.seen {
			if d.burst.seen[i].isDuplicate(w, s) {
				return d.burst.seen[i].frame
			}
		}
	}
	return 0
}

// burst holds sightings from before those of a Direction, in no order.
type burst struct {
	seen [64]sighting
	next uint8
}

// noteDuplicate notes that d's packets are captured twice, so that a whole burst of them is remembered
// from now on: a router hands on several at a time.
func (d *Direction) noteDuplicate(frame uint64) uint64 {
	if d.burst == nil {
		d.burst = new(burst)
	}
	return frame
}

// remember takes in a segment that was no duplicate.
func (d *Direction) remember(w *sighting) {
	if w.time-d.LastTime <= sameFrameWithin {
		if b := d.burst; b != nil {
			b.seen[b.next%uint8(len(b.seen))] = d.before[1]
			b.next++
		}
		d.before[0], d.before[1] = d.newest(), d.before[0]
	}
	d.lastSight, d.LastTime, d.lastSum, d.lastAt = w.frame, w.time, w.sum, w.at
}
