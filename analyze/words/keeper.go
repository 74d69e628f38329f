package words

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// Keeper keeps what is said on the connections that are open, and tells one from another by their ends, where nobody
// follows them meanwhile. A connection that is over is to be taken from it: what it holds is bounded by how many are not.
type Keeper struct {
	memory
	talks places // by the hash of their ends, the oldest
	seed  uint64
}

// endpoint is an address and a port.
type endpoint struct{ hi, lo, port uint64 }

func endpointOf(a netip.AddrPort) endpoint {
	ip := a.Addr().As16()
	return endpoint{binary.BigEndian.Uint64(ip[:8]), binary.BigEndian.Uint64(ip[8:]), uint64(a.Port())}
}

// equal compares number by number: the compiler's == of so many is a call.
func (e *endpoint) equal(o *endpoint) bool { return e.lo == o.lo && e.port == o.port && e.hi == o.hi }

// hash mixes two ends, whichever comes first, with a seed, which nobody can know (the multiply-and-fold of wyhash).
func hash(a, b *endpoint, seed uint64) uint64 {
	const odd = 0xA0761D6478BD642F
	other := bits.RotateLeft64(seed, 32) ^ odd
	return fold(fold(a.lo^seed, a.hi^a.port<<16^other)+fold(b.lo^seed, b.hi^b.port<<16^other), seed^odd)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// NewKeeper returns an empty Keeper.
func NewKeeper() *Keeper {
	return &Keeper{memory: newMemory(), talks: newPlaces(), seed: rand.Uint64()}
}

// Segment takes the next segment in the order of capture, with its payload as far as it was captured. It keeps
// nothing of either. Plain acknowledgments say nothing.
func (k *Keeper) Segment(s *event.Segment, payload []byte) {
	if !Says(s) {
		return
	}
	src, dst := endpointOf(s.Src), endpointOf(s.Dst)
	hash := hash(&src, &dst, k.seed)
	h := k.at(k.talks.of(hash))
	if h != nil && !h.between(&src, &dst) {
		return // one in 2^64: nothing is said of the second
	}
	for h != nil && h.newer != 0 {
		h = k.at(h.newer)
	}
	switch syn := s.Flags.Has(event.SYN); {
	case h != nil && !(syn && !s.Flags.Has(event.ACK) && h.isOther(&src, s.Seq)):
	case isLate(s):
		return
	default:
		older := h
		if h = k.take(s); older != nil {
			older.newer = h.place
		} else {
			k.talks.set(hash, h.place)
		}
	}
	k.hear(h, h.end(&src), s, payload)
}

// between reports whether h is of a connection between two ends.
func (h *Heard) between(a, b *endpoint) bool {
	return h.client.equal(a) && h.server.equal(b) || h.client.equal(b) && h.server.equal(a)
}

// end returns which end of h an endpoint is.
func (h *Heard) end(of *endpoint) End {
	if of.equal(&h.client) {
		return Client
	}
	return Server
}

// isOther reports whether a SYN begins another connection than h.
func (h *Heard) isOther(src *endpoint, isn seqnum.Value) bool {
	d := &h.ends[h.end(src)]
	return d.based && !(d.begun && d.isn == isn)
}

// Take returns what was said on a connection and forgets it: the one between two ends that is the oldest,
// if it began by the frame last, and nil otherwise.
func (k *Keeper) Take(a, b netip.AddrPort, last uint64) *Heard {
	one, two := endpointOf(a), endpointOf(b)
	hash := hash(&one, &two, k.seed)
	var h *Heard
	n, next := 0, k.at(k.talks.of(hash))
	for ; next != nil && next.between(&one, &two) && next.first <= last; n++ {
		k.GiveBack(h)
		h, next = next, k.at(next.newer)
	}
	switch {
	case h == nil:
		return nil
	case next == nil:
		k.talks.set(hash, 0)
	default:
		k.talks.set(hash, next.place)
	}
	h.mixed = n > 1 || h.last > last
	return h
}

// Open returns how many connections are kept.
func (k *Keeper) Open() int { return k.talks.n }
