package flows

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// recentlyClosed remembers the 4-tuples of connections that ended and were forgotten, by hash: of
// those that share a set, the newest. The hash has no seed: what is forgotten must not differ from
// run to run. The zero value remembers nothing yet.
type recentlyClosed []closedSet

type closedSet [4]uint64

const closedSets = 1 << 14

func (g *recentlyClosed) add(k *key) {
	if *g == nil {
		*g = make(recentlyClosed, closedSets)
	}
	hash := k.hash(0)
	set := g.set(hash)
	copy(set[1:], set[:])
	set[0] = hash
}

func (g recentlyClosed) set(hash uint64) *closedSet { return &g[hash%closedSets] }

func (g recentlyClosed) has(k *key) bool {
	hash := k.hash(0)
	return g != nil && slices.Contains(g.set(hash)[:], hash)
}

// startsNothing reports whether a segment is one that an ended connection leaves behind: a
// lone ACK, a late RST, a keep-alive.
func startsNothing(s *event.Segment) bool {
	return s.Flags&event.RST != 0 || s.Flags&(event.SYN|event.FIN) == 0 && s.Len <= 1
}
