package join

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// departGap is more than what lies between a segment's leaving a call and its being captured.
const departGap = 10 * time.Millisecond

// departures returns, by frame, which call handed a segment to the network device, as its kernel says.
// Where a segment was sent several times the times tell which is which. nil where no kernel was asked.
func departures(rec *event.Recording) map[uint64]int {
	type key struct {
		from, to netip.AddrPort
		seq      uint32
		flags    event.Flags
	}
	type departure struct {
		at   event.Time
		call int // 0 once a segment is known to be this one
	}
	sent := map[key][]departure{}
	for _, c := range rec.Calls {
		for _, d := range c.Sent {
			k := key{c.Local, c.Remote, d.Seq, d.Flags}
			sent[k] = append(sent[k], departure{d.Time, c.ID})
		}
	}
	if len(sent) == 0 {
		return nil
	}
	for _, list := range sent {
		slices.SortStableFunc(list, func(a, b departure) int { return cmp.Compare(a.at, b.at) })
	}
	frames := map[uint64]int{}
	for i := range rec.Segments {
		s := &rec.Segments[i]
		// ACKs of one number may be as many as the segments that they acknowledge.
		list := sent[key{s.Src, s.Dst, uint32(s.Seq), s.Flags}]
		from, _ := slices.BinarySearchFunc(list, s.Time.Add(-departGap), func(d departure, t event.Time) int { return cmp.Compare(d.at, t) })
		nearest, best := -1, departGap
		for j := from; j < len(list) && list[j].at <= s.Time.Add(departGap); j++ {
			if off := s.Time.Sub(list[j].at).Abs(); list[j].call != 0 && off <= best {
				nearest, best = j, off
			}
		}
		if nearest >= 0 {
			frames[s.Frame], list[nearest].call = list[nearest].call, 0
		}
	}
	return frames
}

// departs holds the root that was found for s against the call that it left in. That does not say why it
// left: what waited in the queue may leave in any later call.
func (l *linker) departs(s *analyze.Segment) {
	k := l.calls.get(l.departed[s.Frame])
	if k == nil {
		return
	}
	r := &s.Root
	switch {
	case r.Kind == analyze.RootCall && (r.Call == k.ID || slices.Contains(r.Calls, k.ID)):
		r.Confidence = analyze.InKernel
	case r.Kind == analyze.RootCall && r.Why == "":
		r.Why = fmt.Sprintf("left inside #%d %s()", k.ID, k.Name)
	case r.Kind == analyze.RootUnknown:
		*r = callRoot(k, "")
		r.Confidence = analyze.InKernel
	}
}
