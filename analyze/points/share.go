package points

import (
	"cmp"
	"hash/crc32"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// Facts is what has to be known of all that a point saw before a share of it can be joined with others'.
type Facts struct {
	Holed  bool     `json:",omitempty"` // it missed packets which its own acknowledgments show
	Strays []uint32 `json:",omitempty"` // marks of packets that may be those of a connection under other addresses
}

// maxStrays is how many strays are kept apart: of more, what the point lacks proves nothing.
const maxStrays = 1 << 20

// Add adds those of another part of the point.
func (f *Facts) Add(o Facts) {
	f.Holed = f.Holed || o.Holed
	if f.Strays = append(f.Strays, o.Strays...); len(f.Strays) > maxStrays {
		f.Holed, f.Strays = true, nil
	}
}

// Split deals out the connections of a point, or of whole 4-tuples of it, into shares: each point's part of a connection
// that has a handshake goes to the same share, whatever its addresses are there. Segments stay in the order of their
// frames.
func Split(p Point, shares int) (parts [][]event.Segment, f Facts) {
	parts = make([][]event.Segment, shares)
	for _, side := range sides(&p) {
		for _, c := range conversations(side, 0) {
			g := group{at: []*conversation{c}}
			f.Add(Facts{Holed: g.holed(c, client) || g.holed(c, server)})
			at := c.share(shares)
			parts[at] = append(parts[at], c.segments...)
			if c.guessed {
				var strays []uint32
				for i := range c.segments {
					strays = append(strays, identify(&c.segments[i], 0).plain().mark())
				}
				f.Add(Facts{Strays: strays})
			}
		}
	}
	for _, part := range parts {
		slices.SortStableFunc(part, func(a, b event.Segment) int { return cmp.Compare(a.Frame, b.Frame) })
	}
	return parts, f
}

// share returns to which share a conversation goes: by the client's initial number where that is known.
func (c *conversation) share(shares int) int {
	pair := event.PairOf(c.ends[client], c.ends[server])
	of := append(append([]byte{}, pair.A.String()...), pair.B.String()...)
	if c.known[client] {
		n := uint32(c.isn[client])
		of = []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
	}
	return int(crc32.ChecksumIEEE(of) % uint32(shares))
}

// mark stands for an identity: two may have the same, and then less is claimed.
func (id identity) mark() uint32 {
	var b []byte
	for _, n := range [...]uint32{uint32(id.from), uint32(id.flags), uint32(id.seq), uint32(id.ack), id.len} {
		b = append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	return crc32.ChecksumIEEE(b)
}

// JoinShare joins what several points saw of one share; of tells by point what is known of all shares. It claims what
// Join does, but for connections that only one point saw: what others between the same ends tell of their way may be in
// another share.
func JoinShare(points []Point, of map[string]Facts) *Joined {
	return join(points, of)
}

// know takes in what is known of all shares.
func (j *Joined) know(of map[string]Facts, s *strays) {
	for i, p := range j.points {
		f := of[p.Name]
		marks := map[uint32]bool{}
		for _, m := range f.Strays {
			marks[m] = true
		}
		s.elsewhere = append(s.elsewhere, marks)
		if f.Holed {
			j.sound[i] = false
			if !slices.Contains(j.Unsound, p.Name) {
				j.Unsound = append(j.Unsound, p.Name)
			}
		}
	}
}
