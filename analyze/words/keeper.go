package words

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// Keeper keeps what is said on the connections that are open. A connection that is over is to be taken from
// it: what it holds is bounded by how many are not. The garbage collector finds next to no pointers in it: with
// 20,000 open connections that is 17 % of all instructions.
type Keeper struct {
	talks places // by the hash of their ends, the oldest
	seed  uint64
	slabs []*[slabSize]Heard
	free  []*Heard
	legs  *Legs // nil where nobody asks for relays
}

// Ties has k keep what ties the two connections of a relay, and returns with what. It is for before the first segment.
func (k *Keeper) Ties() *Legs {
	k.legs = &Legs{seed: maphash.MakeSeed()}
	return k.legs
}

// place is a Heard's in the slabs; 0 is that of none.
type place int32

const slabSize = 64

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

// Heard is what was said on one connection.
type Heard struct {
	client, server endpoint
	mixed          bool // with what was said on another one; see Told
	Talk
	place place
	newer place // of another connection on the same addresses, while this one is yet to be taken
}

// NewKeeper returns an empty Keeper.
func NewKeeper() *Keeper {
	k := &Keeper{talks: newPlaces(), seed: rand.Uint64()}
	k.grow()
	k.free = k.free[:slabSize-1] // but none at 0
	return k
}

// at returns the Heard at a place, nil at that of none.
func (k *Keeper) at(p place) *Heard {
	if p == 0 {
		return nil
	}
	return &k.slabs[p/slabSize][p%slabSize]
}

// grow adds a slab.
func (k *Keeper) grow() {
	slab := &[slabSize]Heard{}
	first := place(len(k.slabs)) * slabSize
	k.slabs = append(k.slabs, slab)
	for i := len(slab) - 1; i >= 0; i-- {
		slab[i].place = first + place(i)
		k.free = append(k.free, &slab[i])
	}
}

// Segment takes the next segment in the order of capture, with its payload as far as it was captured. It keeps
// nothing of either. Plain acknowledgments say nothing.
func (k *Keeper) Segment(s *event.Segment, payload []byte) {
	if !says(s) {
		return
	}
	var a aim
	a.set(s, k.seed)
	k.hear(&a, s, payload)
}

// hear takes a segment that says something.
func (k *Keeper) hear(a *aim, s *event.Segment, payload []byte) {
	if a.likely == 0 {
		a.likely = k.talks.of(a.hash)
	}
	h := k.at(a.likely)
	if h != nil && !h.between(&a.src, &a.dst) {
		return // one in 2^64: nothing is said of the second
	}
	for h != nil && h.newer != 0 {
		h = k.at(h.newer)
	}
	syn := s.Flags.Has(event.SYN)
	switch {
	case h != nil && !(syn && !s.Flags.Has(event.ACK) && h.isOther(&a.src, s.Seq)):
	case !syn && (s.Len <= 1 || s.Flags.Has(event.RST)): // what comes late of a connection that is over: a FIN, an RST, a keep-alive
		return
	default:
		older := h
		h = k.take()
		if k.legs != nil {
			k.legs.carries(h)
		}
		if h.client, h.server = a.src, a.dst; syn && s.Flags.Has(event.ACK) {
			h.client, h.server = a.dst, a.src
		}
		if older != nil {
			older.newer = h.place
		} else {
			k.talks.set(a.hash, h.place)
		}
	}
	if !h.mixed {
		h.Segment(h.end(&a.src), s, payload)
	}
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

// Look returns what was said on a connection, as Take does, and forgets nothing; nil where it is mixed with what was
// said on another one.
func (k *Keeper) Look(a, b netip.AddrPort, last uint64) *Heard {
	one, two := endpointOf(a), endpointOf(b)
	h := k.at(k.talks.of(hash(&one, &two, k.seed)))
	if h == nil || !h.between(&one, &two) || h.first > last || h.last > last {
		return nil
	}
	if next := k.at(h.newer); next != nil && next.first <= last {
		return nil
	}
	return h
}

// Told lets go of nearly all that h, which may be nil, holds. It is for a connection that is over and was told of, but
// is known for as long as something may come late: of that nothing is heard, and nothing more is told.
func (h *Heard) Told() {
	if h != nil {
		h.rest, h.mixed = nil, true
	}
}

// take returns an empty Heard.
func (k *Keeper) take() *Heard {
	if len(k.free) == 0 {
		k.grow()
	}
	h := k.free[len(k.free)-1]
	k.free = k.free[:len(k.free)-1]
	return h
}

// GiveBack lets k use the memory of h, which may be nil, for another connection.
func (k *Keeper) GiveBack(h *Heard) {
	if h == nil {
		return
	}
	h.clear()
	k.free = append(k.free, h)
}

// clear empties h, but for what is set anew for each connection: most of it, and the rest is no pointer.
func (h *Heard) clear() {
	if h.rest != nil {
		h.rest = nil
	}
	for i := range h.ends {
		h.ends[i] = end{}
	}
	h.heardOf, h.newer, h.mixed = heardOf{}, 0, false
}

// Open returns how many connections are kept.
func (k *Keeper) Open() int { return k.talks.n }
