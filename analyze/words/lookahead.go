package words

import (
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows/prefetch"
)

// aim says which connection a segment is on.
type aim struct {
	src, dst endpoint
	hash     uint64
	likely   place // 0 where that is yet to be looked up
}

func (a *aim) set(s *event.Segment, seed uint64) {
	a.src, a.dst = endpointOf(s.Src), endpointOf(s.Dst)
	a.hash, a.likely = hash(&a.src, &a.dst, seed), 0
}

// groupSize is how many segments are looked at together.
const groupSize = 32

// Segments takes the next segments, as Segment does one by one, in less time: 20,000 open connections are in no core's
// cache, and what is needed of a group of segments is asked of the memory before the first of them is heard. ends
// says where in payload that of each segment ends.
func (k *Keeper) Segments(all []event.Segment, payload []byte, ends []int) {
	var aims [groupSize]aim
	var at [groupSize]int
	var lines prefetch.Lines
	n := 0
	for i := range all {
		if says(&all[i]) {
			at[n] = i
			aims[n].set(&all[i], k.seed)
			lines.Add(k.talks.home(aims[n].hash))
			n++
		}
		if n < groupSize && i < len(all)-1 {
			continue
		}
		lines.Ask()
		for j := range n {
			if aims[j].likely = k.talks.of(aims[j].hash); aims[j].likely != 0 {
				h := k.at(aims[j].likely)
				prefetch.Span(&h.client.hi, &h.last)
			}
		}
		for j, i := range at[:n] {
			from := 0
			if i > 0 {
				from = ends[i-1]
			}
			k.hear(&aims[j], &all[i], payload[from:ends[i]])
		}
		n = 0
	}
}

// says reports whether a segment says something: plain acknowledgments do not.
func says(s *event.Segment) bool {
	return s.Len > 0 || s.Flags&(event.SYN|event.FIN|event.RST) != 0
}
