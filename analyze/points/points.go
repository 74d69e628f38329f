// Package points joins what several capture points saw of the same connections: each end, a router
// between them, both sides of a router.
//
// The points' packets are not one timeline by their times: the same packet, seen twice, would be taken
// for its own repetition, and two clocks differ. A connection is found again at another point by the
// initial sequence numbers of both ends, which survive address translation and need no clock; where no
// handshake was seen, by its addresses and by packets that are the same. How far a clock is ahead is told
// by the packets themselves. What comes of it is each packet once, where it left its sender, in an
// order that every point agrees with, for a Follower to follow; and afterwards what no point alone can
// tell: which packets were lost between two points, and which were made between them.
//
// It judges no connection, and holds all packets in memory.
package points

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Point is where packets were captured, and what was.
type Point struct {
	Name string
	// Segments are in the order of capture; their frames are the point's own.
	Segments []event.Segment
	// Dropped is how many packets the capture says it lost.
	Dropped uint64
	// First and Last are when the capture's first and last packets came, whatever they were.
	First, Last event.Time
	// Sides says that the capture holds what came into a router and what left it again (Incoming and
	// Outgoing): it is two points with one clock, on the router's side of either end.
	Sides bool
}

// Joined is what several points saw as one timeline.
type Joined struct {
	// Segments holds each packet once. Frames number them from 1 in this order, or are those of the
	// capture where there is only one; times are by the clock of the connection's first point in the
	// order of Join's list.
	Segments []event.Segment
	// Connections is how many connections were seen at more than one point.
	Connections int
	// Unsound names the points that missed packets which their own acknowledgments show.
	Unsound []string

	points []*Point
	sound  []bool // by point
	strays *strays
	of     []placed       // by the order of Segments
	frames map[uint64]int // index in Segments of the frames of the one capture, nil where they are numbered
}

// placed is the packet that a frame of the timeline shows.
type placed struct {
	group  *group
	packet int32
}

// Join joins the points' segments, which it takes from them: a packet's memory is needed once.
func Join(points []Point) *Joined { return join(points, nil) }

func join(points []Point, of map[string]Facts) *Joined {
	j := &Joined{}
	if len(points) == 1 {
		j.frames = map[uint64]int{}
	}
	for i := range points {
		j.points = append(j.points, sides(&points[i])...)
	}
	var all []*conversation
	for i, p := range j.points {
		all = append(all, conversations(p, i)...)
		p.Segments = nil
	}
	groups := gather(all)
	for _, g := range groups {
		g.match()
		g.align()
		if len(g.at) > 1 {
			j.Connections++
		}
	}
	j.sound = j.soundness(groups)
	sound := j.sound
	routes := learnRoutes(groups)
	j.strays = findStrays(groups)
	if of != nil {
		j.know(of, j.strays)
	}
	for _, g := range groups {
		g.order()
		g.claim(j.points, sound, j.strays)
		g.claimAlone(j.points, sound, routes, j.strays)
	}
	j.number(groups)
	return j
}

// number puts the packets of all groups into one timeline.
func (j *Joined) number(groups []*group) {
	n := 0
	for _, g := range groups {
		n += len(g.out)
	}
	j.Segments, j.of = make([]event.Segment, 0, n), make([]placed, 0, n)
	type next struct {
		g  *group
		at int
	}
	heap := make([]next, 0, len(groups))
	less := func(a, b next) bool {
		return cmp.Or(cmp.Compare(a.g.out[a.at].Time, b.g.out[b.at].Time), cmp.Compare(a.g.rank, b.g.rank)) < 0
	}
	sink := func(i int) {
		for {
			c := 2*i + 1
			if c >= len(heap) {
				return
			}
			if c+1 < len(heap) && less(heap[c+1], heap[c]) {
				c++
			}
			if !less(heap[c], heap[i]) {
				return
			}
			heap[i], heap[c] = heap[c], heap[i]
			i = c
		}
	}
	for _, g := range groups {
		if len(g.out) > 0 {
			heap = append(heap, next{g, 0})
		}
	}
	for i := len(heap) - 1; i >= 0; i-- {
		sink(i)
	}
	for len(heap) > 0 {
		t := &heap[0]
		s := t.g.out[t.at]
		if j.frames == nil {
			s.Frame = uint64(len(j.Segments) + 1)
		} else {
			j.frames[s.Frame] = len(j.Segments)
		}
		j.Segments, j.of = append(j.Segments, s), append(j.of, placed{t.g, t.g.outOf[t.at]})
		t.g.frames[t.g.outOf[t.at]] = s.Frame
		if t.at++; t.at == len(t.g.out) {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		sink(0)
	}
	for _, g := range groups {
		g.out, g.outOf = nil, nil
	}
}

// shown returns the packet that a frame shows, false where none does.
func (j *Joined) shown(frame uint64) (placed, *event.Segment, bool) {
	at := int(frame) - 1
	if j.frames != nil {
		var ok bool
		if at, ok = j.frames[frame]; !ok {
			at = -1
		}
	}
	if at < 0 || at >= len(j.of) {
		return placed{}, nil, false
	}
	return j.of[at], &j.Segments[at], true
}

// sides returns p, or the two points that it is: what a client's packets come in by and a server's leave by is the
// client's side, also where a translator gives the connection other addresses behind it.
func sides(p *Point) []*Point {
	if !p.Sides {
		return []*Point{p}
	}
	near, far := *p, *p
	near.Segments, far.Segments = nil, nil
	clients := map[event.Pair]netip.AddrPort{}
	for _, s := range p.Segments {
		pair := event.PairOf(s.Src, s.Dst)
		c, ok := clients[pair]
		if !ok {
			c, _, _ = oriented(&s)
			clients[pair] = c
		}
		if (s.Src == c) == (s.Has&event.Outgoing == 0) {
			near.Segments = append(near.Segments, s)
		} else {
			far.Segments = append(far.Segments, s)
		}
	}
	return []*Point{&near, &far}
}

// sameClock reports whether two points are of one capture.
func sameClock(a, b *Point) bool { return a.Sides && b.Sides && a.Name == b.Name }

// sideOf stands between a side of a router and the point's name.
const sideOf = " of "

// First finds in all, by name, the point at which c was seen first, a side of it included, and in which of its frames;
// ok is false where that is not known.
func First[T any](c *analyze.Connection, all map[string]T) (of T, frame uint64, ok bool) {
	if len(c.Segments) == 0 || len(c.Segments[0].Seen) == 0 || c.Segments[0].Seen[0].Frame == 0 {
		return of, 0, false
	}
	first := &c.Segments[0].Seen[0]
	for name, of := range all {
		if first.Point == name || strings.HasSuffix(first.Point, sideOf+name) {
			return of, first.Frame, true
		}
	}
	return of, 0, false
}

// name returns what the point of a member is called; of a router's it depends on who is the client.
func (j *Joined) name(g *group, member int) string {
	p := j.points[g.at[member].point]
	if !p.Sides || len(g.at) == 1 {
		return p.Name
	}
	for i, m := range g.at {
		if q := j.points[m.point]; i != member && sameClock(p, q) {
			side := "the server's side"
			if slices.Index(g.line, member) < slices.Index(g.line, i) {
				side = "the client's side"
			}
			if j.frames == nil {
				side += sideOf + p.Name
			}
			return side
		}
	}
	return p.Name
}
