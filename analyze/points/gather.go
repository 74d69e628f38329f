package points

import (
	"cmp"
	"slices"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// group is a connection as all points saw it that did.
type group struct {
	rank  int
	at    []*conversation // in the order of the points
	ways  [2][]int        // by end: indexes of at that its packets pass, from its own side on; nil where their order is not known
	line  []int           // all indexes of at, from the client's side to the server's as far as ways tell
	ahead []int64         // how far the clock of each is ahead of at[0]'s, ns
	timed []bool          // ahead is told by packets of both directions
	gap   []int64         // how long packets take from each to the next on path and back, ns

	fall map[[3]int]uint8 // see hops

	from   []uint8           // of each packet
	seen   []int32           // packet*len(at)+member: 1 + the index of the segment that shows it, 0 for none
	covers []bool            // as seen: it passed there in segments of another size, all of it or a part
	part   []bool            // as covers: not all of it
	vague  []vagueness       // by packet
	frames []uint64          // by packet, in the timeline
	unsure map[int]vagueness // of segments of the member being matched, if they are none of the packets known so far

	out   []event.Segment // in order, until they have been numbered
	outOf []int32         // the packets
	lost  []onPath
	made  []onPath
	after []onPath // seen where they should have come from elsewhere, when the capture there may have been over
	alone []onPath // seen where they should have come from elsewhere, and nothing else shows that they were made
}

// gather finds the conversations that are one connection.
func gather(all []*conversation) []*group {
	var groups []*group
	both := map[[2]seqnum.Value]*group{}
	var rest []*conversation
	for _, c := range all {
		if !c.known[client] || !c.known[server] {
			rest = append(rest, c)
			continue
		}
		numbers := [][2]seqnum.Value{c.isn}
		for _, n := range c.again {
			numbers = append(numbers, [2]seqnum.Value{c.isn[client], n})
		}
		var g *group
		for _, n := range numbers {
			if o := both[n]; g == nil && o != nil && o.takes(c) {
				g = o
			}
		}
		if g == nil {
			g = &group{}
			groups = append(groups, g)
		}
		for _, n := range numbers {
			if both[n] == nil {
				both[n] = g
			}
		}
		g.at = append(g.at, c)
	}
	groups = gatherHalf(groups, rest)
	for i, g := range groups {
		slices.SortStableFunc(g.at, func(a, b *conversation) int { return cmp.Compare(a.point, b.point) })
		g.rank = i
	}
	return groups
}

// takes reports whether g may have c, too: of each point it has one.
func (g *group) takes(c *conversation) bool {
	return !slices.ContainsFunc(g.at, func(o *conversation) bool { return o.point == c.point })
}

// gatherHalf finds groups for conversations of which not both initial numbers were seen: by that of
// the client and one of the ports, or without a handshake by the addresses and by packets.
func gatherHalf(groups []*group, rest []*conversation) []*group {
	bySYN := map[seqnum.Value][]*group{}
	byPair := map[event.Pair][]*group{}
	note := func(g *group, c *conversation) {
		if c.known[client] {
			bySYN[c.isn[client]] = append(bySYN[c.isn[client]], g)
		}
		pair := event.PairOf(c.ends[client], c.ends[server])
		byPair[pair] = append(byPair[pair], g)
	}
	for _, g := range groups {
		note(g, g.at[0])
		for _, c := range g.at[1:] {
			note(g, c)
		}
	}
	for _, c := range rest {
		var found *group
		if c.known[client] {
			for _, g := range bySYN[c.isn[client]] {
				o := g.at[0]
				if g.takes(c) && (o.ends[client].Port() == c.ends[client].Port() || o.ends[server].Port() == c.ends[server].Port()) {
					found = g
					break
				}
			}
		} else {
			for _, g := range byPair[event.PairOf(c.ends[client], c.ends[server])] {
				if g.takes(c) && shared(g.at[0], c) {
					found = g
					break
				}
			}
		}
		if found == nil {
			found = &group{}
			groups = append(groups, found)
		} else if c.guessed {
			c.ends = found.at[0].ends
			c.count()
		}
		found.at = append(found.at, c)
		note(found, c)
	}
	return groups
}

// enoughShared is how many packets two points must have seen alike for a connection without a handshake
// to be the same one.
const enoughShared = 2

// shared reports whether two conversations between the same addresses show the same packets.
func shared(a, b *conversation) bool {
	of := map[identity]bool{}
	for i := range a.segments {
		of[identify(&a.segments[i], 0)] = true
	}
	n := 0
	for i := range b.segments {
		if of[identify(&b.segments[i], 0)] {
			if n++; n == enoughShared {
				return true
			}
		}
	}
	return n > 0 && n == len(b.segments)
}

// count counts anew what each end sent.
func (c *conversation) count() {
	c.sent = [2]int{}
	for i := range c.segments {
		c.sent[c.from(&c.segments[i])]++
	}
}
