package words

import (
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows/prefetch"
)

// Heard is what was said on one connection.
type Heard struct {
	mixed   bool // with what was said on another one; see Told
	swapped bool // see Numbered
	Talk
	client, server endpoint
	place, newer   place // see Keeper
}

// place is a Heard's in the memory; 0 is that of none.
type place int32

// slabSize makes slabs that begin with a page.
const slabSize = 128

// memory is where Heards are, of which those that were given back are used first. The garbage collector finds next to no
// pointers in it.
type memory struct {
	slabs [][]Heard // of slabSize; a pointer to an array would be checked by a read of its first line
	free  []place
	legs  *Legs // nil where nobody asks for relays
	transfers
}

func newMemory() (m memory) {
	m.grow()
	m.free = m.free[:slabSize-1] // but none at 0
	return m
}

// Ties has m keep what ties the two connections of a relay, and returns with what. It is for before the first segment.
func (m *memory) Ties() *Legs {
	m.legs = newLegs()
	return m.legs
}

// at returns the Heard at a place, nil at that of none.
func (m *memory) at(p place) *Heard {
	if p == 0 {
		return nil
	}
	return &m.slabs[p/slabSize][p%slabSize]
}

// grow adds a slab.
func (m *memory) grow() {
	first := place(len(m.slabs)) * slabSize
	m.slabs = append(m.slabs, make([]Heard, slabSize))
	for i := place(slabSize - 1); i >= 0; i-- {
		m.slabs[len(m.slabs)-1][i].place = first + i
		m.free = append(m.free, first+i)
	}
}

// take returns an empty Heard for the connection that s begins.
func (m *memory) take(s *event.Segment) *Heard {
	if len(m.free) == 0 {
		m.grow()
	}
	h := m.at(m.free[len(m.free)-1])
	m.free = m.free[:len(m.free)-1]
	h.client, h.server = endpointOf(s.Src), endpointOf(s.Dst)
	if s.Flags.Has(event.SYN) && s.Flags.Has(event.ACK) {
		h.client, h.server = h.server, h.client
	}
	if m.legs != nil {
		m.legs.carries(h)
	}
	if t := m.transfers.take(s); t != nil {
		h.rests().transfer = t
		h.giveUpTelling() // a file may look like any protocol
	}
	return h
}

// hear has h hear a segment with its payload.
func (m *memory) hear(h *Heard, e End, s *event.Segment, payload []byte) {
	h.Talk.Segment(e, s, payload)
	if h.rest == nil || h.ftp == nil {
		return
	}
	if e == Server {
		h.ftp.acknowledged(s, &h.ends[Client])
	}
	if h.ftp.named != nil {
		m.transfers.add(h.ftp.named, h, s)
		h.ftp.named = nil
	}
}

// GiveBack lets m use the memory of h, which may be nil, for another connection.
func (m *memory) GiveBack(h *Heard) {
	if h != nil {
		*h = Heard{place: h.place}
		m.free = append(m.free, h.place)
	}
}

// Told lets go of nearly all that h, which may be nil, holds. It is for a connection that is over and was told of, but
// is known for as long as something may come late: of that nothing is heard, and nothing more is told.
func (h *Heard) Told() {
	if h != nil {
		h.rest, h.mixed = nil, true
	}
}

// Fetch asks for h's memory, which may be nil.
func (h *Heard) Fetch() {
	if h != nil {
		prefetch.Span(&h.last, &h.server.port)
	}
}

// Says reports whether a segment says something: plain acknowledgments do not.
func Says(s *event.Segment) bool {
	return s.Len > 0 || s.Flags&(event.SYN|event.FIN|event.RST) != 0
}

// isLate reports whether a segment begins nothing, but comes late of a connection that is over: a FIN, an RST, a
// keep-alive.
func isLate(s *event.Segment) bool {
	return !s.Flags.Has(event.SYN) && (s.Len <= 1 || s.Flags.Has(event.RST))
}
