package words

import (
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows/prefetch"
)

// Numbered keeps what is said on connections that are told apart by others, each by a number that is its own until what
// was said on it is taken. nil keeps nothing.
type Numbered struct {
	memory
	places []uint64 // by number, of the size that Lines have
	open   int
}

// NewNumbered returns an empty Numbered.
func NewNumbered() *Numbered { return &Numbered{memory: newMemory()} }

// of returns what was said on connection n, nil where that is nothing.
func (k *Numbered) of(n uint32) *Heard {
	if k == nil || int(n) >= len(k.places) {
		return nil
	}
	return k.at(place(k.places[n]))
}

// begins returns what was said on connection n, which s may begin; nil where it does not.
func (k *Numbered) begins(n uint32, s *event.Segment, swapped bool) *Heard {
	h := k.of(n)
	if h != nil || isLate(s) {
		return h
	}
	h = k.take(s)
	h.swapped = swapped != (s.Flags&(event.SYN|event.ACK) == event.SYN|event.ACK)
	for int(n) >= len(k.places) {
		k.places = append(k.places, 0)
	}
	k.places[n] = uint64(h.place)
	k.open++
	return h
}

func (h *Heard) sender(swapped bool) End {
	if swapped != h.swapped {
		return Server
	}
	return Client
}

// Segment takes the next segment of connection n in the order of capture, with its payload as far as it was captured.
// It keeps nothing of either. swapped is true of all segments one way and false of those the other way. deaf says that
// from now on segments may go to Quiet whose payload was captured and is no text (mayBeText).
func (k *Numbered) Segment(n uint32, s *event.Segment, swapped bool, payload []byte) (deaf bool) {
	h := k.begins(n, s, swapped)
	if h == nil || h.mixed {
		return h != nil
	}
	k.hear(h, h.sender(swapped), s, payload)
	return h.deaf()
}

// Quiet takes the next segment of connection n as Segment does, where that said so, where the connection began with what
// is None, or where it brings no payload. One that is not after the last that was taken it passes over.
func (k *Numbered) Quiet(n uint32, s *event.Segment, swapped bool) {
	if h := k.begins(n, s, swapped); h != nil && !h.mixed && s.Frame > h.last {
		h.quiet(h.sender(swapped), s)
	}
}

// None reports whether what begins with a payload that an end says first is of no known protocol, so that nothing else of
// it matters than Quiet is told. The payload of most need not be looked at.
func (k *Numbered) None(s *event.Segment, server bool, payload func() []byte) bool {
	switch {
	case k.legs != nil:
		return false
	case s.Options.Speech&event.NoStart != 0:
		return true
	case server:
		return !mayStart(Server, payload())
	}
	return !mayStart(Client, payload())
}

// Fetch asks for what it takes to hear a segment of connection n.
func (k *Numbered) Fetch(n uint32) {
	if h := k.of(n); h != nil {
		prefetch.Span(&h.last, &h.ends[Server].over.frame)
	}
}

// Ask has l ask for what it takes to find what was said on connection n.
func (k *Numbered) Ask(n uint32, l *prefetch.Lines) {
	if k != nil && int(n) < len(k.places) {
		l.Add(&k.places[n])
	}
}

// Look returns what was said on connection n so far, nil where that is nothing.
func (k *Numbered) Look(n uint32) *Heard { return k.of(n) }

// Take returns what was said on connection n and forgets it: the number may be another one's.
func (k *Numbered) Take(n uint32) *Heard {
	h := k.of(n)
	if h != nil {
		k.places[n] = 0
		k.open--
		h.settle()
	}
	return h
}

// GiveBack lets k use the memory of h, which may be nil, for another connection.
func (k *Numbered) GiveBack(h *Heard) {
	if h != nil {
		k.memory.GiveBack(h)
	}
}

// Open returns how many connections are kept.
func (k *Numbered) Open() int { return k.open }
