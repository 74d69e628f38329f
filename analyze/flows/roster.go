package flows

import (
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// queue is a list that a connection stands on, the one that was idle for longest first.
type queue uint8

const (
	embryos queue = iota // not known to be established
	alive
	ending  // an RST waits to be followed
	closing // the second FIN does
	// Those below are over, and wait for what may still come; of the last two the first expires first.
	unshown // and are to be handed out early: see Early
	aborted // by an RST
	closed  // by FINs
	queues
)

// finished reports whether the connections on q are.
func (q queue) finished() bool { return q >= unshown }

// unfollowed reports whether the end of the connections on q was not followed yet.
func (q queue) unfollowed() bool { return q == ending || q == closing }

// place is a connection's number among those that are open, from 1 on. Places are used again.
type place uint32

// head is what each segment needs of its connection, in one cache line: with tens of
// thousands of connections at a time, fetching them is most of what a segment costs.
type head struct {
	key        key
	queued     event.Time // when it was put on its queue
	firstChunk chunkNo
	lastChunk  chunkNo
	id         uint32
	queue      queue
	waiting    uint8 // segments that wait to be followed
	marks      mark
}

type mark uint16

const (
	loIs4   mark = 1 << iota // the lower address was not written as IPv6
	hiIs4                    // nor the higher one
	atOnce                   // its segments must not wait
	loFin                    // the lower endpoint sent a FIN
	hiFin                    // the higher one did
	met                      // it has a flow
	rst                      // an RST was sent
	hiFirst                  // the higher endpoint began it: is the client
	spoke                    // what is said is heard at once
	deaf                     // of what is said only text matters: see hear

	anyEnd = loFin | hiFin
)

// markEnd notes a FIN or RST: after FINs of both ends, or an RST, the connection may be over.
func (h *head) markEnd(s *event.Segment, swapped bool) {
	switch {
	case s.Flags&event.RST != 0:
		h.marks |= anyEnd | rst
	case swapped:
		h.marks |= hiFin
	default:
		h.marks |= loFin
	}
}

// endpoints returns the two endpoints of h.
func (h *head) endpoints() (lo, hi netip.AddrPort) {
	k := &h.key
	return netip.AddrPortFrom(addr(k.loHi, k.loLo, h.marks&loIs4 != 0), uint16(k.ports>>16)),
		netip.AddrPortFrom(addr(k.hiHi, k.hiLo, h.marks&hiIs4 != 0), uint16(k.ports))
}

// markAddrs notes what the key does not tell of the addresses of its first segment.
func (h *head) markAddrs(s *event.Segment, swapped bool) {
	lo, hi := s.Src.Addr(), s.Dst.Addr()
	if swapped {
		lo, hi = hi, lo
	}
	if lo.Is4() {
		h.marks |= loIs4
	}
	if hi.Is4() {
		h.marks |= hiIs4
	}
}

// roster holds the open connections and their queues, each fact in a list of its own by
// place: to move a connection means to change its neighbours' links, and the neighbours are in
// no core's cache.
type roster struct {
	heads  []head
	flows  []*followed // nil while nothing of it was followed
	links  []neighbours
	expiry []event.Time // of those that are over: when they may be forgotten
	free   []place
	ends   [queues]neighbours // next is the first, prev the last
	n      [queues]int
}

type neighbours struct{ prev, next place }

// newRoster returns an empty roster; nobody ever stands at place 0.
func newRoster() (r roster) {
	r.extend()
	return r
}

// admit gives a new connection its place, on no queue yet.
func (r *roster) admit() place {
	if n := len(r.free); n > 0 {
		p := r.free[n-1]
		r.free = r.free[:n-1]
		return p
	}
	r.extend()
	return place(len(r.heads) - 1)
}

// extend makes a place. The lists double when they are full: append grows large ones by a quarter, and
// copies them four times as often.
func (r *roster) extend() {
	if n := len(r.heads); n == cap(r.heads) {
		more := max(n, 1<<10)
		r.heads, r.flows = slices.Grow(r.heads, more), slices.Grow(r.flows, more)
		r.links, r.expiry = slices.Grow(r.links, more), slices.Grow(r.expiry, more)
	}
	r.heads, r.flows = append(r.heads, head{}), append(r.flows, nil)
	r.links, r.expiry = append(r.links, neighbours{}), append(r.expiry, 0)
}

// dismiss takes a connection from its queue and frees its place.
func (r *roster) dismiss(p place) {
	r.remove(p)
	r.heads[p], r.flows[p] = head{}, nil
	r.free = append(r.free, p)
}

// first returns the first of q, 0 when q is empty.
func (r *roster) first(q queue) place { return r.ends[q].next }

// oldest returns of those that are first on some queues the one that was queued first, 0 when
// the queues are empty.
func (r *roster) oldest(of ...queue) (p place) {
	for _, q := range of {
		if o := r.first(q); o != 0 && (p == 0 || r.heads[o].queued < r.heads[p].queued) {
			p = o
		}
	}
	return p
}

// waiting returns how many connections are over, or seem to be.
func (r *roster) waiting() int {
	return r.n[ending] + r.n[closing] + r.n[unshown] + r.n[aborted] + r.n[closed]
}

func (r *roster) isLast(q queue, p place) bool { return r.ends[q].prev == p }

// push puts p, which stands on no queue, at the end of q.
func (r *roster) push(q queue, p place, now event.Time) {
	last := r.ends[q].prev
	r.heads[p].queue, r.heads[p].queued = q, now
	r.links[p] = neighbours{prev: last}
	if last == 0 {
		r.ends[q].next = p
	} else {
		r.links[last].next = p
	}
	r.ends[q].prev = p
	r.n[q]++
}

// remove takes p from its queue.
func (r *roster) remove(p place) {
	q, at := r.heads[p].queue, r.links[p]
	if at.prev == 0 {
		r.ends[q].next = at.next
	} else {
		r.links[at.prev].next = at.next
	}
	if at.next == 0 {
		r.ends[q].prev = at.prev
	} else {
		r.links[at.next].prev = at.prev
	}
	r.n[q]--
}

// move moves p to the end of a queue.
func (r *roster) move(to queue, p place, now event.Time) {
	r.remove(p)
	r.push(to, p, now)
}
