package analyze

import "closecap/analyze/event"

// gone remembers the 4-tuples of connections that ended and were forgotten, by hash, the
// newest of those that share a place. The hash has no seed: what is forgotten must not differ
// from run to run. The zero value remembers nothing yet.
type gone []uint64

const gonePlaces = 1 << 16

func (g *gone) add(k *key) {
	hash := k.hash(0)
	if *g == nil {
		*g = make(gone, gonePlaces)
	}
	(*g)[hash%gonePlaces] = hash
}

func (g gone) has(k *key) bool {
	hash := k.hash(0)
	return g != nil && g[hash%gonePlaces] == hash
}

// startsNothing reports whether a segment is one that an ended connection leaves behind: a
// lone ACK, a late RST, a keep-alive.
func startsNothing(s *event.Segment) bool {
	return s.Flags&event.RST != 0 || s.Flags&(event.SYN|event.FIN) == 0 && s.Len <= 1
}
