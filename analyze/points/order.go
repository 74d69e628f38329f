package points

import (
	"github.com/closecap/closecap/analyze/event"
)

// order puts the packets in an order that no point contradicts: each when it left its sender, as far
// as that was seen, and not before what the same point had captured before. Clocks decide only between
// packets of which neither can have been known to the sender of the other.
func (g *group) order() {
	queues := g.queues()
	n := g.members()
	at := make([]int, n)
	emitted := make([]bool, len(g.from))
	now := event.Time(0)
	for range g.from {
		best, bestTime := -1, event.Time(0)
		stuck, stuckTime := -1, event.Time(0)
		for m, q := range queues {
			for at[m] < len(q) && emitted[q[at[m]]] {
				at[m]++
			}
			if at[m] == len(q) {
				continue
			}
			p := int(q[at[m]])
			t := g.time(m, g.sight(p, m))
			if g.origin(p) == m && (best < 0 || t < bestTime) {
				best, bestTime = m, t
			}
			if stuck < 0 || t < stuckTime {
				stuck, stuckTime = m, t
			}
		}
		if best < 0 {
			best, bestTime = stuck, stuckTime // two points contradict each other
		}
		if best < 0 {
			return
		}
		p := int(queues[best][at[best]])
		emitted[p] = true
		now = max(now, bestTime)
		g.emit(p, now)
	}
}

// queues lists the packets of each member in the order in which it captured them.
func (g *group) queues() [][]int32 {
	queues := make([][]int32, g.members())
	for m, c := range g.at {
		packets := make([]int32, len(c.segments))
		for i := range packets {
			packets[i] = -1
		}
		for p := range g.from {
			if i := g.seen[p*g.members()+m]; i != 0 {
				packets[i-1] = int32(p)
			}
		}
		for _, p := range packets {
			if p >= 0 {
				queues[m] = append(queues[m], p)
			}
		}
	}
	return queues
}

// origin returns the member that saw a packet first on its way.
func (g *group) origin(p int) int {
	sees := func(m int) bool { return g.sight(p, m) != nil }
	if m := g.firstOf(int(g.from[p]), sees); m >= 0 {
		return m
	}
	first, when := -1, event.Time(0)
	for m := range g.at {
		if s := g.sight(p, m); s != nil && (first < 0 || g.time(m, s) < when) {
			first, when = m, g.time(m, s)
		}
	}
	return first
}

// emit appends a packet as its sender's own point saw it, with the addresses of the first point on the
// path. Its TTL is the one with which it came to the point nearest to its receiver, or would have come,
// so that the TTLs of an end can be compared.
func (g *group) emit(p int, now event.Time) {
	from := int(g.from[p])
	s := *g.sight(p, g.origin(p))
	s.Time = now
	near, last := g.line[0], max(0, g.lastOf(from, all))
	s.Src, s.Dst = g.at[near].ends[from], g.at[near].ends[1-from]
	s.Has &^= event.Incoming | event.Outgoing
	s.TTL, s.Interface = g.ttlAt(p, last), uint32(last)
	g.out, g.outOf = append(g.out, s), append(g.outOf, int32(p))
}

// ttlAt returns the TTL of a packet at a member, by what others of the same end lost on their way there
// where it was not seen.
func (g *group) ttlAt(p, m int) uint8 {
	if s := g.sight(p, m); s != nil {
		return s.TTL
	}
	o := g.origin(p)
	return g.sight(p, o).TTL - g.hops(int(g.from[p]), o, m)
}

// hops returns by how much the TTL of an end's packets falls from one member to another.
func (g *group) hops(e, from, to int) uint8 {
	if g.fall == nil {
		g.fall = map[[3]int]uint8{}
	}
	key := [3]int{e, from, to}
	if n, ok := g.fall[key]; ok {
		return n
	}
	count := map[uint8]int{}
	best := uint8(0)
	for p := range g.from {
		if int(g.from[p]) != e {
			continue
		}
		if s, t := g.sight(p, from), g.sight(p, to); s != nil && t != nil {
			d := s.TTL - t.TTL
			if count[d]++; count[d] > count[best] {
				best = d
			}
		}
	}
	g.fall[key] = best
	return best
}
