package points

import (
	"cmp"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// soundness finds out which points show all that passed: those that say of no packet that they lost
// it, and of which no acknowledgment shows that they did. What such a point lacks was not there.
func (j *Joined) soundness(groups []*group) []bool {
	holes := make([]int, len(j.points))
	for _, g := range groups {
		for _, c := range g.at {
			if g.holed(c, client) || g.holed(c, server) {
				holes[c.point]++
			}
		}
	}
	sound := make([]bool, len(j.points))
	for i, p := range j.points {
		sound[i] = holes[i] == 0 && p.Dropped == 0
		if holes[i] > 0 && !slices.Contains(j.Unsound, p.Name) {
			j.Unsound = append(j.Unsound, p.Name)
		}
	}
	for i, p := range j.points { // what one side of a router misses, the same capture missed
		for k, q := range j.points {
			sound[i] = sound[i] && (sound[k] || !sameClock(p, q))
		}
	}
	return sound
}

// holed reports whether the peer of e acknowledged what c does not show, between what it shows of e or
// behind it. One number alone may be a FIN that was made on the way.
func (g *group) holed(c *conversation, e int) bool {
	var shown []span
	base := g.base(e)
	if e == server && len(c.again) > 0 {
		base = c.again[len(c.again)-1]
	} else if c.known[e] {
		base = c.isn[e]
	}
	mine, acks := ruler{last: base}, ruler{last: base}
	acked := int64(0)
	for i := c.newest(); i < len(c.segments); i++ {
		s := &c.segments[i]
		switch {
		case s.Flags&event.RST != 0:
		case c.from(s) != e:
			if s.Flags&event.ACK != 0 {
				acked = max(acked, acks.position(s.Ack))
			}
		default:
			from := mine.position(s.Seq)
			if to := from + int64(s.End().Diff(s.Seq)); to > from {
				shown = append(shown, span{from: from, to: to})
			}
		}
	}
	if len(shown) == 0 {
		return false
	}
	slices.SortFunc(shown, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	at := shown[0].to
	for _, s := range shown[1:] {
		if s.from > at && acked > at {
			return true
		}
		at = max(at, s.to)
	}
	return acked > at+1
}

// newest returns where the newest numbers of the server begin: those before it say nothing of them.
func (c *conversation) newest() int {
	if len(c.again) == 0 {
		return 0
	}
	return slices.IndexFunc(c.segments, func(s event.Segment) bool {
		return s.Flags&(event.SYN|event.ACK) == event.SYN|event.ACK && s.Seq == c.again[len(c.again)-1]
	})
}

const (
	// slack is by how much two clocks may have gone apart since they were compared, and what a queue
	// may hold a packet back.
	slack = event.Time(10e6)
	// arrives is how long after a packet nothing more of it is expected.
	arrives = event.Time(200e6)
)

// covers reports whether a point's capture went on from a time by the group's clock to another.
func (p *Point) covers(from, to event.Time, ahead int64) bool {
	return p.First != 0 && p.First <= from+event.Time(ahead) && p.Last >= to+event.Time(ahead)
}
