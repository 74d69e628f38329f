package points

import (
	"cmp"
	"slices"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// identity is what two sightings of one packet have in common, whatever the clocks say and whoever
// translated its addresses.
type identity struct {
	from     uint8
	flags    event.Flags
	seq, ack seqnum.Value
	len      uint32
	window   uint16
	ipid     uint16
	tsVal    uint32
	tsEcr    uint32
}

// identify returns the identity of a segment of an end. The ack of a segment without ACK means nothing.
func identify(s *event.Segment, from int) identity {
	id := identity{from: uint8(from), flags: s.Flags, seq: s.Seq, len: s.Len, window: s.Window, ipid: s.IPID}
	if s.Flags&event.ACK != 0 {
		id.ack = s.Ack
	}
	if s.Has&event.HasTimestamps != 0 {
		id.tsVal, id.tsEcr = s.Options.TSVal, s.Options.TSEcr
	}
	return id
}

// plain leaves out what boxes on the way are known to rewrite.
func (id identity) plain() identity {
	id.window, id.ipid, id.tsVal, id.tsEcr = 0, 0, 0, 0
	return id
}

// vagueness says why it is not known whether a packet is one that another point saw.
type vagueness uint8

const (
	definite vagueness = iota
	alike              // it looks like others, of which not all points saw as many
	inPart             // another point saw a part of it
)

// sameFrameWithin is how far apart one point may capture a packet twice.
const sameFrameWithin = event.Time(1e6)

// members is how many points saw the connection.
func (g *group) members() int { return len(g.at) }

// sight returns the segment with which a member saw a packet, nil when it did not see it as it is.
func (g *group) sight(packet, member int) *event.Segment {
	at := g.seen[packet*g.members()+member]
	if at == 0 {
		return nil
	}
	return &g.at[member].segments[at-1]
}

// add adds a packet.
func (g *group) add(from int, member, segment int) int {
	n := len(g.from)
	g.from = append(g.from, uint8(from))
	for m := range g.members() {
		at := int32(0)
		if m == member {
			at = int32(segment + 1)
		}
		g.seen, g.covers, g.part = append(g.seen, at), append(g.covers, false), append(g.part, false)
	}
	g.vague, g.frames = append(g.vague, definite), append(g.frames, 0)
	return n
}

// match finds out which segments of the members show the same packet.
func (g *group) match() {
	g.unsure = map[int]vagueness{}
	for m, c := range g.at {
		c.dropCopies()
		if m == 0 {
			for i := range c.segments {
				g.add(c.from(&c.segments[i]), 0, i)
			}
			continue
		}
		left := g.matchExactly(m)
		left = g.matchRewritten(m, left)
		left = g.matchResized(m, left)
		for _, i := range left {
			p := g.add(c.from(&c.segments[i]), m, i)
			g.vague[p] = g.unsure[i]
		}
		clear(g.unsure)
	}
}

// dropCopies leaves out what one point captured twice.
func (c *conversation) dropCopies() {
	last := map[identity]event.Time{}
	kept := c.segments[:0]
	for i := range c.segments {
		s := c.segments[i]
		id := identify(&s, c.from(&s))
		at, ok := last[id]
		last[id] = s.Time
		if ok && s.Time-at <= sameFrameWithin && (s.IPID != 0 || s.Len > 0 || s.Flags&(event.SYN|event.FIN) != 0) {
			continue
		}
		kept = append(kept, s)
	}
	c.segments = kept
	c.count()
}

// matchExactly matches member m's segments with the packets known so far, and returns those of which
// none was known.
func (g *group) matchExactly(m int) (left []int) {
	var all []int
	for i := range g.at[m].segments {
		all = append(all, i)
	}
	return g.matchBy(m, all, func(id identity) identity { return id })
}

// matchRewritten matches what a box on the way has given other IP IDs, timestamps or windows: where
// nothing of an end matched exactly.
func (g *group) matchRewritten(m int, left []int) []int {
	c := g.at[m]
	for e := range c.sent {
		unmatched := 0
		for _, i := range left {
			if c.from(&c.segments[i]) == e {
				unmatched++
			}
		}
		if unmatched != c.sent[e] || unmatched == 0 {
			continue
		}
		var mine, others []int
		for _, i := range left {
			if c.from(&c.segments[i]) == e {
				mine = append(mine, i)
			} else {
				others = append(others, i)
			}
		}
		left = append(others, g.matchBy(m, mine, identity.plain)...)
		slices.Sort(left)
	}
	return left
}

// matchBy matches some segments of member m by what by leaves of their identities. Where not as many
// look alike as at the others, which is which is not known.
func (g *group) matchBy(m int, segments []int, by func(identity) identity) (left []int) {
	c := g.at[m]
	known := map[identity][]int{}
	for p := range g.from {
		if g.seen[p*g.members()+m] != 0 {
			continue
		}
		id := by(g.identity(p))
		known[id] = append(known[id], p)
	}
	used := map[identity]int{}
	for _, i := range segments {
		s := &c.segments[i]
		id := by(identify(s, c.from(s)))
		n := used[id]
		used[id]++
		if n >= len(known[id]) {
			left = append(left, i)
			continue
		}
		g.seen[known[id][n]*g.members()+m] = int32(i + 1)
	}
	for id, n := range used {
		if all := known[id]; len(all) != n {
			for _, p := range all {
				g.vague[p] = alike
			}
		}
	}
	for _, i := range left {
		if len(known[by(identify(&c.segments[i], c.from(&c.segments[i])))]) > 0 {
			g.unsure[i] = alike
		}
	}
	return left
}

// identity returns what the first sighting of a packet says.
func (g *group) identity(p int) identity {
	return identify(g.any(p), int(g.from[p]))
}

// any returns a sighting of a packet.
func (g *group) any(p int) *event.Segment {
	for m := range g.at {
		if s := g.sight(p, m); s != nil {
			return s
		}
	}
	return nil
}

// span is a stretch of one end's stream, as positions from its initial number on.
type span struct {
	from, to int64
	tsVal    uint32
	segment  int
}

// base is the number from which positions of an end's stream count.
func (g *group) base(e int) seqnum.Value {
	for _, c := range g.at {
		if c.known[e] {
			return c.isn[e]
		}
	}
	for _, c := range g.at {
		for i := range c.segments {
			if s := &c.segments[i]; c.from(s) == e && s.Flags&event.RST == 0 {
				return s.Seq
			}
		}
	}
	return 0
}

// ruler turns sequence numbers of one end into positions, also behind the point where they wrap.
type ruler struct {
	last seqnum.Value
	at   int64
}

func (r *ruler) position(v seqnum.Value) int64 {
	r.at += int64(v.Diff(r.last))
	r.last = v
	return r.at
}

// matchResized finds packets in segments of another size: what one point captured before the network
// card cut it into packets, or after the kernel put several together (TSO, GRO).
func (g *group) matchResized(m int, left []int) []int {
	c := g.at[m]
	for e := range c.sent {
		theirs := g.spans(m, e)
		if len(theirs) == 0 {
			continue
		}
		var mine []span
		ruler := ruler{last: g.base(e)}
		for _, i := range left {
			if s := &c.segments[i]; c.from(s) == e && s.Len > 0 && s.Flags&(event.SYN|event.RST) == 0 {
				from := ruler.position(s.Seq)
				mine = append(mine, span{from, from + int64(s.Len), s.Options.TSVal, i})
			}
		}
		if len(mine) == 0 {
			continue
		}
		done := map[int]bool{}
		for i, n := range covered(theirs, mine) { // packets that passed here in others' shape
			if n > 0 {
				at := theirs[i].segment*g.members() + m
				g.covers[at], g.part[at] = true, n < theirs[i].to-theirs[i].from
			}
		}
		for i, n := range covered(mine, theirs) {
			if done[mine[i].segment] = n == mine[i].to-mine[i].from; n > 0 && !done[mine[i].segment] {
				g.unsure[mine[i].segment] = inPart // a part of it was known
			}
		}
		left = slices.DeleteFunc(left, func(i int) bool { return done[i] })
	}
	return left
}

// spans are the data of e in packets that m has not seen as they are, by packet.
func (g *group) spans(m, e int) (all []span) {
	ruler := ruler{last: g.base(e)}
	for p := range g.from {
		if int(g.from[p]) != e || g.seen[p*g.members()+m] != 0 {
			continue
		}
		if s := g.any(p); s.Len > 0 && s.Flags&(event.SYN|event.RST) == 0 {
			from := ruler.position(s.Seq)
			all = append(all, span{from, from + int64(s.Len), s.Options.TSVal, p})
		}
	}
	return all
}

// maxOverlapping bounds how many segments are looked at for one, so that no capture makes that the cost.
const maxOverlapping = 4096

// covered returns how much of each of all lies in some of by with the same timestamp.
func covered(all, by []span) []int64 {
	order := slices.Clone(by)
	slices.SortFunc(order, func(a, b span) int { return cmp.Or(cmp.Compare(a.tsVal, b.tsVal), cmp.Compare(a.from, b.from)) })
	longest := int64(0)
	for _, b := range by {
		longest = max(longest, b.to-b.from)
	}
	out := make([]int64, len(all))
	for i, a := range all {
		first, _ := slices.BinarySearchFunc(order, a, func(b, a span) int {
			return cmp.Or(cmp.Compare(b.tsVal, a.tsVal), cmp.Compare(b.from, a.from-longest))
		})
		at := a.from
		for _, b := range order[first:min(len(order), first+maxOverlapping)] {
			if b.tsVal != a.tsVal || b.from >= a.to {
				break
			}
			if from, to := max(b.from, at), min(b.to, a.to); to > from {
				out[i] += to - from
				at = to
			}
		}
	}
	return out
}
