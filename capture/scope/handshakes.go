package scope

import (
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
)

// The bounds of what is held while connects are on their way: connections, of which the oldest make
// room, and packets of each. A thread that a connect has returned to stands stopped until its
// connection is known, so there can be no more than what its peer says unasked.
const (
	maxHandshakes = 4096
	maxOfEach     = 64
)

// handshakes are the first packets of connections that may turn out to be the program's.
type handshakes struct {
	of     map[event.Pair]*handshake
	oldest []event.Pair // some of which are held no longer
	lost   uint64       // packets beyond maxOfEach of those that turned out to be
	full   bool         // some made room
}

type handshake struct {
	server  netip.AddrPort
	packets []*event.Packet
	segs    []event.Segment
	excess  uint64 // packets beyond maxOfEach
}

// add holds a packet of a handshake that is held already, or with begins the first of a new one.
func (h *handshakes) add(pair event.Pair, p *event.Packet, seg *event.Segment, begins bool) {
	hs := h.of[pair]
	switch {
	case hs == nil && !begins:
		return
	case hs == nil:
		hs = &handshake{server: seg.Dst}
		h.begin(pair, hs)
	case len(hs.packets) >= maxOfEach:
		hs.excess++
		return
	}
	hs.packets, hs.segs = append(hs.packets, p), append(hs.segs, *seg)
}

func (h *handshakes) begin(pair event.Pair, hs *handshake) {
	if h.of == nil {
		h.of = map[event.Pair]*handshake{}
	}
	if len(h.oldest) == maxHandshakes {
		if h.of[h.oldest[0]] != nil {
			h.full = true
			delete(h.of, h.oldest[0])
		}
		h.oldest = h.oldest[1:]
	}
	h.of[pair], h.oldest = hs, append(h.oldest, pair)
}

// take hands out what is held of a connection that is the program's.
func (h *handshakes) take(pair event.Pair, keep func(*event.Packet, *event.Segment)) {
	hs := h.of[pair]
	if hs == nil {
		return
	}
	delete(h.of, pair)
	h.lost += hs.excess
	for i, p := range hs.packets {
		keep(p, &hs.segs[i])
	}
}

// drop forgets what is held of connections to a server.
func (h *handshakes) drop(server netip.AddrPort) {
	for pair, hs := range h.of {
		if hs.server == server || server.Addr().IsUnspecified() && hs.server.Port() == server.Port() {
			delete(h.of, pair)
		}
	}
}
