package gen

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// Reuse makes connections of few 4-tuples of the segments that Write wrote, in place, and returns them numbered anew: most
// 4-tuples are used again about when the TIME_WAIT before ends, with ACKs and RSTs that come about when
// the connection is forgotten.
func Reuse(segments []event.Segment) []event.Segment {
	first := segments[0].Time
	var belated []event.Segment
	for i := range segments {
		s := &segments[i]
		s.Time = first + (s.Time-first)*2000
		client := &s.Src
		if s.Src.Port() == 443 {
			client = &s.Dst
		}
		ip := client.Addr().As16()
		n := (int(ip[14])<<8 | int(ip[15])) % 19 // and five servers
		ip[14], ip[15] = 0, byte(n)
		*client = netip.AddrPortFrom(netip.AddrFrom16(ip).Unmap(), 40000)
		if s.Flags&(event.FIN|event.RST) == 0 {
			continue
		}
		for j, after := range []time.Duration{9998, 10_004, 59_999, 61_003, 71_007, 300_002, 310_011, 361_009} {
			if (i+j)%7 != 0 {
				continue
			}
			l := *s
			l.Time = s.Time.Add(after * time.Millisecond)
			l.Flags = []event.Flags{event.ACK, event.RST}[(i+j)%2]
			belated = append(belated, l)
		}
	}
	segments = append(segments, belated...)
	slices.SortStableFunc(segments, func(a, b event.Segment) int { return cmp.Compare(a.Time, b.Time) })
	for i := range segments {
		segments[i].Frame = uint64(i + 1)
	}
	return segments
}
