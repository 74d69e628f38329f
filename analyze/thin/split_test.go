package thin_test

import (
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/points"
)

// splitPoints makes two points of a capture: it, and one nearer to the end with the higher address, with
// another clock and some delay in between, so that packets which cross have another order there.
func splitPoints(segments []event.Segment, seed uint32) []points.Point {
	r := rand.New(rand.NewPCG(uint64(seed), 3))
	ahead, way := time.Duration(r.Int64N(int64(6*time.Second)))-3*time.Second, 20*time.Millisecond
	last := event.Time(0) // of what goes to the far end: its answers are not sent before it has come there
	for i := range segments {
		if s := &segments[i]; s.Src.Compare(s.Dst) < 0 {
			last = s.Time
		} else if last != 0 {
			way = max(0, min(way, s.Time.Sub(last)/2-1))
		}
	}
	far := slices.Clone(segments)
	for i := range far {
		s := &far[i]
		if s.Src.Compare(s.Dst) < 0 {
			s.Time = s.Time.Add(ahead + way)
			s.TTL--
		} else {
			s.Time = s.Time.Add(ahead - way)
			s.TTL++
		}
	}
	slices.SortStableFunc(far, func(a, b event.Segment) int { return int(a.Time - b.Time) })
	all := []points.Point{{Name: "p0", Segments: slices.Clone(segments)}, {Name: "p1", Segments: far}}
	for i := range all {
		p := &all[i]
		for k := range p.Segments {
			p.Segments[k].Frame = uint64(k + 1)
		}
		p.First, p.Last = p.Segments[0].Time.Add(-time.Second), p.Segments[len(far)-1].Time.Add(time.Hour)
	}
	return all
}

// TestSplit holds what two points tell together to what one of them tells alone: each saw every packet,
// so nothing is turned over, and nothing was lost or made.
func TestSplit(t *testing.T) {
	claims, wrong := 0, map[string]int{}
	for _, in := range inputs(t) {
		if len(in.segments) == 0 || in.sameHost || in.name == "clock-runs-backwards" {
			continue // both ends of one host have no way between them
		}
		var lone []event.Segment
		for i, s := range in.segments {
			s.Frame = uint64(i + 1)
			lone = append(lone, s)
		}
		whole := follow(lone, false)
		for _, part := range joined(splitPoints(lone, crc32.ChecksumIEEE([]byte(in.name)))) {
			if part.Path != nil {
				t.Errorf("%s: %+v, and every point saw every packet", in.name, part.Path)
			}
			against(part, whole, func(k claim, v verdict, want string) {
				if strings.HasPrefix(k.what, "lost frame") {
					return // the frames are others
				}
				if claims++; v != holds {
					wrong[strings.Fields(k.what)[0]]++
					t.Logf("%s: %s %s, alone %s", in.name, k.what, k.value, want)
				}
			})
		}
	}
	t.Logf("%d claims", claims)
	for what, n := range wrong {
		t.Errorf("%s: %d claims differ from those of one point", what, n)
	}
}
