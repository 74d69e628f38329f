package tcp

import (
	"math/bits"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// pathBreak is how an RST differs from what its supposed sender sent before.
type pathBreak uint8

const (
	BreakTTL    pathBreak = 1 << iota
	BreakNearer           // BreakTTL, and it came from nearer
	BreakIPID
	BreakTimestamp
	BreakForm   // beside another: an RST,ACK without the timestamps that its sender's other packets bear
	BreakSooner // an answer that came long before one can have come from its supposed sender
)

// Foreign reports whether the breaks suffice to say that another than the supposed sender made a
// segment: two that do not depend on each other, or that it came from nearer.
func (b pathBreak) Foreign() bool {
	return b&BreakNearer != 0 || bits.OnesCount8(uint8(b)) >= 2
}

// withoutTTL is b where the TTL says nothing.
func (b pathBreak) withoutTTL() pathBreak {
	if b &^= BreakTTL | BreakNearer; b == BreakForm {
		return 0
	}
	return b
}

// leastTrip is how long a round trip must be for an answer to come too soon: shorter ones vary by more.
const leastTrip = 5 * time.Millisecond

// tooSoon reports whether the bare RST of e, which had not closed, answers what came in a third of the time in which
// the handshake's answer came, or less: it was made nearer, or that answer was slow.
func (fl *Flow) tooSoon(e End, r *Listed) bool {
	trip := fl.TripTo(e)
	if trip < leastTrip || fl.sameHost || fl.Dir[e].FinEnd != 0 {
		return false
	}
	soon := false
	for i := len(fl.Listed) - 1; i >= 0; i-- {
		q := &fl.Listed[i]
		age := r.Time.Sub(q.Time)
		if age > fewRoundTrips*trip {
			break
		}
		if q.From != e && q.Flags&event.ACK != 0 && q.Ack == r.Seq {
			if soon = true; age >= trip/3 {
				return false
			}
		}
	}
	return soon
}

// distance is how many routers a packet passed that arrived with ttl, if it began with one of the
// usual numbers.
func distance(ttl uint8) uint8 {
	for _, initial := range [...]uint8{32, 64, 128, 255} {
		if ttl <= initial {
			return initial - ttl
		}
	}
	return 0
}

// initialTTL is with which TTL Linux and the BSDs begin; Windows begins with 128, others with 255.
const initialTTL = 64

// oddTTL is up to what TTL packets arrive that began with 32, as those of no common stack do. Some programs that
// answer a VPN's packets themselves begin so, and what they send at the end is of their own.
const oddTTL = 32

// HasOddStack reports whether e's stack seems to be none whose ways are known. Hop limits of IPv6 are set by routers.
func (fl *Flow) HasOddStack(e End) bool {
	return fl.Dir[e].TTL > 0 && fl.Dir[e].TTL <= oddTTL && fl.Addr[e].Addr().Unmap().Is4()
}

// KeepsLinuxTime reports whether e's TIME_WAIT ends as the options say: they name another time than
// Linux's, e lives on the capturing host, or its TTL may be Linux's. Hop limits of IPv6 are set by routers.
func (fl *Flow) KeepsLinuxTime(e End) bool {
	return fl.sameHost || fl.opt.TimeWait != analyze.LinuxTimeWait || fl.Dir[e].TTL <= initialTTL || !fl.Addr[e].Addr().Unmap().Is4()
}

// enoughMoves is how often an end's IP IDs must have counted up for them to be a counter.
const enoughMoves = 2

// fingerprint remembers how an end's packets look.
func (d *Direction) fingerprint(s *event.Segment) {
	if s.Flags&event.RST != 0 {
		return
	}
	if d.TTL != 0 && d.TTL != s.TTL {
		d.ttlVaries = true
	}
	if d.countsOn(s) {
		d.ipidMoves = min(d.ipidMoves+1, enoughMoves)
	}
	if s.Window == 0 || d.window == 0 {
		d.announce(s)
	}
	d.TTL, d.ipid, d.window = s.TTL, s.IPID, s.Window
	if s.Has&event.HasTimestamps != 0 {
		d.tsEcho = s.Options.TSEcr
		if !d.hasTS || int32(s.Options.TSVal-d.tsVal) > 0 {
			d.hasTS, d.tsVal = true, s.Options.TSVal
		}
	}
}

// countsOn reports whether the IP ID of s lies a little behind that of what d sent before.
func (d *Direction) countsOn(s *event.Segment) bool {
	return d.Sent && s.IPID != d.ipid && s.IPID-d.ipid < 256
}

// isStale reports whether d's peer drops s as old: it has said that it took a later timestamp, which d had
// sent (PAWS, RFC 7323 5.3). By one tick Linux lets it pass.
func (d *Direction) isStale(p *Direction, s *event.Segment) bool {
	return s.Has&event.HasTimestamps != 0 && d.hasTS && p.hasTS && p.tsEcho != 0 && s.Flags&event.SYN == 0 &&
		(s.Len > 0 || s.Flags&event.FIN != 0) && int32(p.tsEcho-s.Options.TSVal) > 1 && int32(d.tsVal-p.tsEcho) >= 0
}

// ttlAt returns the TTL with which d's packets were captured at a point, 0 where none was.
func (d *Direction) ttlAt(point uint32) uint8 {
	switch point {
	case d.lastAt:
		return d.TTL
	case d.copyAt:
		return d.copyTTL
	}
	return 0
}

// copied takes in s, a copy of what d sent in frame first. Copies at one point that passed a router on their way
// from the other tell how far apart the TTLs of one sender are there, and what an RST's own copy had.
func (fl *Flow) copied(d *Direction, first uint64, s *event.Segment, w *sighting) {
	if w.at == d.lastAt && d.TTL > s.TTL && s.Flags&event.RST == 0 {
		fl.copyHops = d.TTL - s.TTL
	}
	if rst := &fl.Reset; first == rst.Frame && s.TTL == rst.UsualTTL {
		rst.Breaks = rst.Breaks.withoutTTL()
		fl.closeSender(rst.By, &event.Segment{Frame: rst.Frame, Time: rst.Time})
	}
	d.copyAt, d.copyTTL = w.at, s.TTL
}

// breaks compares an RST with what its sender e sent before. Missing timestamps, a zero IP ID and a
// zero window prove nothing: Linux itself resets so when nobody owns the segment. Nor does a TTL where those of
// the peer vary, since packets may be captured before and behind a router, or where the IP ID is its sender's next.
func (fl *Flow) breaks(e End, s *event.Segment) pathBreak {
	var b pathBreak
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if ttl := d.ttlAt(at(s)); ttl != 0 && s.TTL != 0 && !d.ttlVaries && !p.ttlVaries && ttl != s.TTL && !d.countsOn(s) &&
		(fl.copyHops == 0 || max(ttl, s.TTL)-min(ttl, s.TTL) != fl.copyHops) {
		// A kernel without the socket answers with its default TTL, whatever the socket's was.
		here, there := distance(s.TTL), distance(ttl)
		if here < there {
			b |= BreakTTL | BreakNearer
		} else if here != there || s.Flags&event.ACK != 0 {
			b |= BreakTTL
		}
	}
	ownCounter := fl.sameHost && s.Flags&event.ACK == 0 // the kernel's, for what no socket sends
	if s.Has&event.HasIPID != 0 && s.IPID != 0 && d.ipidMoves == enoughMoves && s.IPID-d.ipid > 4096 && !ownCounter {
		b |= BreakIPID
	}
	if s.Has&event.HasTimestamps != 0 && d.hasTS && d.Stale == 0 && int32(s.Options.TSVal-d.tsVal) < 0 && !(d.ipidMoves == enoughMoves && d.countsOn(s)) {
		b |= BreakTimestamp // some kernels stamp an RST with 0
	}
	if b != 0 && s.Flags&event.ACK != 0 && d.hasTS && s.Has&(event.HasTimestamps|event.OptionsTruncated) == 0 {
		b |= BreakForm // alone it is the way of some stacks
	}
	return b
}
