package points

import (
	"cmp"
	"slices"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// stray is a packet of a conversation that may be another one under other addresses: a translator has forgotten the
// connection on its way, and given what came next new ones.
type stray struct {
	point string // both sides of a router: without a SYN it is a guess which one it passed
	id    identity
}

// strays are packets that may be those of a connection under other addresses.
type strays struct {
	here      map[stray]*group // with the connection that has it, nil where several have
	data      map[string][]strayData
	longest   int64
	elsewhere []map[uint32]bool // by point: in other shares
}

// strayData is payload of a stray, which may have been cut up or put together on the way.
type strayData struct {
	span
	group *group
}

func compareData(a, b strayData) int {
	return cmp.Or(cmp.Compare(a.tsVal, b.tsVal), cmp.Compare(a.from, b.from))
}

// findStrays returns the strays of all points: of conversations without a handshake, and of those whose client's number
// another one begins with, too.
func findStrays(groups []*group) *strays {
	begun := map[seqnum.Value]*group{}
	twice := map[seqnum.Value]bool{}
	for _, g := range groups {
		for _, c := range g.at {
			if !c.known[client] {
				continue
			}
			if o := begun[c.isn[client]]; o != nil && o != g {
				twice[c.isn[client]] = true
			}
			begun[c.isn[client]] = g
		}
	}
	strays := &strays{here: map[stray]*group{}, data: map[string][]strayData{}}
	for _, g := range groups {
		for _, c := range g.at {
			if !c.guessed && !twice[c.isn[client]] {
				continue
			}
			for i := range c.segments {
				strays.add(c.where.Name, &c.segments[i], g)
			}
		}
	}
	for _, all := range strays.data {
		slices.SortFunc(all, compareData)
	}
	return strays
}

func (s *strays) add(point string, of *event.Segment, g *group) {
	key := stray{point, identify(of, 0).plain()}
	if o, ok := s.here[key]; ok && o != g {
		s.here[key] = nil
	} else {
		s.here[key] = g
	}
	if of.Len > 0 {
		s.data[point] = append(s.data[point], strayData{dataOf(of), g})
		s.longest = max(s.longest, int64(of.Len))
	}
}

func dataOf(s *event.Segment) span {
	return span{from: int64(s.Seq), to: int64(s.Seq) + int64(s.Len), tsVal: identify(s, 0).tsVal}
}

// has reports whether a point has a packet of g among them, in another connection, or some of its payload.
func (s *strays) has(point int, name string, of *event.Segment, g *group) bool {
	id := identify(of, 0).plain()
	if o, ok := s.here[stray{name, id}]; ok && o != g || len(s.elsewhere) > 0 && s.elsewhere[point][id.mark()] {
		return true
	}
	all, data := s.data[name], dataOf(of)
	first, _ := slices.BinarySearchFunc(all, strayData{span: span{from: data.from - s.longest, tsVal: data.tsVal}}, compareData)
	for _, d := range all[first:min(len(all), first+maxOverlapping)] {
		if d.tsVal != data.tsVal || d.from >= data.to {
			break
		}
		if d.to > data.from && d.group != g {
			return true
		}
	}
	return false
}

// strayed reports whether a member that did not see a packet as one of this connection has it among its strays.
func (g *group) strayed(p int, strays *strays) bool {
	for m, c := range g.at {
		if !g.passed(p, m) && strays.has(c.point, c.where.Name, g.any(p), g) {
			return true
		}
	}
	return false
}
