package decode

import (
	"net/netip"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// Bounds of what waits for its datagram. Linux, too, gives up after 30 s (ipfrag_time).
const (
	maxDatagrams = 1024
	maxDatagram  = 65535
	fragmentLife = 30 * time.Second
)

// fragments are the TCP datagrams of which a part was seen. Payload is not kept: the length
// needs only which parts came, and the header is in the first 60 bytes.
type fragments struct {
	pending   map[fragmentKey]*datagram
	order     []*datagram // by arrival of their first piece; the finished leave when their turn comes
	free      []*datagram
	abandoned []event.Segment
	later     bool // a fragment other than a first one was ever seen
	gaveUp    bool
}

type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	way      event.Has // whether it came or left, where that is known: a router's capture shows each piece both ways
}

type datagram struct {
	key      fragmentKey
	since    event.Time
	first    event.Segment // of the first fragment alone; Frame 0 until it came
	ttl      uint8
	header   [60]byte
	held     int                         // bytes of header that are there
	got      [(maxDatagram + 1) / 8]bool // eight-byte units that came
	units    int                         // how many of them
	total    int                         // bytes, known from the last fragment; 0 before
	snapped  bool                        // the capture holds less than the wire had
	finished bool
}

// fragment takes one piece of an IP datagram. A piece of a tunnel's packet is read as far as
// it goes, because the inner IP header has the length; TCP itself waits for all its pieces.
func (d *Decoder) fragment(proto uint8, id uint32, offset int, more bool) layer {
	if proto != protoTCP {
		if offset != 0 {
			return d.other(stopFragment, 0)
		}
		d.cut, d.continued = true, len(d.data) >= d.wire
		if d.seg.Src.Addr().Is6() {
			return d.extensions(proto)
		}
		return d.protocol(proto)
	}
	if offset+d.wire > maxDatagram || more && (d.wire%8 != 0 || d.wire == 0) {
		return d.broken(BadIPLength)
	}
	f := &d.fragments
	if offset == 0 && f.gaveUp && !f.later {
		// A port filter lets only first fragments through: there is nothing to wait for.
		d.cut = true
		return layerTCP
	}
	f.later = f.later || offset != 0
	g := f.find(fragmentKey{d.seg.Src.Addr(), d.seg.Dst.Addr(), id, d.seg.Has & (event.Incoming | event.Outgoing)}, d.seg.Time)
	if offset == 0 && g.first.Frame == 0 {
		d.firstFragment(g)
	}
	g.take(d.data, d.wire, offset, more)
	if !g.complete() {
		return layerOther
	}
	f.finish(g)
	return d.assembled(g)
}

// firstFragment reads the first piece on its own, should the others never come.
func (d *Decoder) firstFragment(g *datagram) {
	g.ttl = d.seg.TTL
	g.first = *d.seg
	alone := Decoder{data: d.data, wire: d.wire, seg: &g.first, cut: true}
	if alone.tcp() != TCP {
		g.first = event.Segment{}
	}
}

// assembled makes the finished datagram the bytes at hand.
func (d *Decoder) assembled(g *datagram) layer {
	d.data, d.wire = g.header[:g.held], g.total
	d.whole, d.snapped = true, g.snapped
	d.seg.TTL = g.ttl
	return layerTCP
}

func (f *fragments) find(key fragmentKey, now event.Time) *datagram {
	if g := f.pending[key]; g != nil && now.Sub(g.since) < fragmentLife {
		return g
	}
	f.expire(now)
	g := &datagram{}
	if n := len(f.free); n > 0 {
		g, f.free = f.free[n-1], f.free[:n-1]
	}
	*g = datagram{key: key, since: now}
	if f.pending == nil {
		f.pending = make(map[fragmentKey]*datagram)
	}
	f.pending[key] = g
	f.order = append(f.order, g)
	return g
}

// expire makes room for one datagram and gives up those that wait too long.
func (f *fragments) expire(now event.Time) {
	n := 0
	for _, g := range f.order {
		if len(f.order)-n < maxDatagrams && !g.finished && now.Sub(g.since) < fragmentLife {
			break
		}
		f.giveUp(g)
		n++
	}
	f.order = append(f.order[:0], f.order[n:]...)
}

func (f *fragments) giveUp(g *datagram) {
	f.free = append(f.free, g)
	if g.finished {
		return
	}
	f.finish(g)
	if g.first.Frame != 0 && len(f.abandoned) < maxDatagrams {
		f.gaveUp = true
		f.abandoned = append(f.abandoned, g.first)
	}
}

func (f *fragments) finish(g *datagram) {
	g.finished = true
	if f.pending[g.key] == g {
		delete(f.pending, g.key)
	}
}

// Abandoned hands out, one a call, the segments of which only the first fragment came: marked
// Fragmented, with the length that this fragment carries, later than their frame's turn.
func (d *Decoder) Abandoned(s *event.Segment) bool {
	f := &d.fragments
	if len(f.abandoned) == 0 {
		return false
	}
	*s = f.abandoned[0]
	f.abandoned = append(f.abandoned[:0], f.abandoned[1:]...)
	return true
}

// Flush gives up what still waits; Abandoned then has it. It is for the capture's end.
func (d *Decoder) Flush() {
	f := &d.fragments
	for _, g := range f.order {
		f.giveUp(g)
	}
	f.order = f.order[:0]
}

func (g *datagram) take(b []byte, wire, offset int, more bool) {
	if !more {
		g.total = offset + wire
	}
	g.snapped = g.snapped || len(b) < wire
	for u := offset / 8; u*8 < offset+wire; u++ {
		if !g.got[u] {
			g.got[u] = true
			g.units++
		}
	}
	if offset <= g.held && offset+len(b) > g.held && g.held < len(g.header) {
		n := copy(g.header[g.held:], b[g.held-offset:])
		g.held += n
	}
}

func (g *datagram) complete() bool { return g.total > 0 && g.units == (g.total+7)/8 }
