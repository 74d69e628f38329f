package flows

import (
	"iter"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows/prefetch"
	"github.com/closecap/closecap/analyze/seqnum"
)

// entry is a segment that waits to be followed: all but its addresses, in one cache line.
type entry struct {
	frame               uint64
	time                event.Time
	seq, ack            seqnum.Value
	len                 uint32
	iface               uint32
	tsVal, tsEcr        uint32
	sackLeft, sackRight seqnum.Value
	window, ipid, mss   uint16
	has                 event.Has
	flags               event.Flags
	ttl                 uint8
	wscale, fastOpenLen uint8
	scaleFirst, alert   bool
	sackTwice           bool
	swapped             bool // it came from the higher endpoint
}

// pack keeps s. The fields are written one by one, as unpack does: that
// avoids a store-to-load stall, in which a wide load waits for the narrow stores before it.
func (t *entry) pack(s *event.Segment, swapped bool) {
	o := &s.Options
	t.frame, t.time, t.seq, t.ack, t.len, t.iface = s.Frame, s.Time, s.Seq, s.Ack, s.Len, s.Interface
	t.window, t.ipid, t.flags, t.ttl, t.has = s.Window, s.IPID, s.Flags, s.TTL, s.Has
	t.mss, t.wscale, t.tsVal, t.tsEcr = o.MSS, o.WScale, o.TSVal, o.TSEcr
	t.sackLeft, t.sackRight, t.fastOpenLen = o.SACKLeft, o.SACKRight, o.FastOpenLen
	t.scaleFirst, t.alert, t.sackTwice, t.swapped = o.ScaleFirst, o.TLSAlert, o.SACKTwice, swapped
}

// unpack is the reverse of pack, but for the addresses.
func (t *entry) unpack(s *event.Segment) {
	o := &s.Options
	s.Frame, s.Time, s.Seq, s.Ack, s.Len, s.Interface = t.frame, t.time, t.seq, t.ack, t.len, t.iface
	s.Window, s.IPID, s.Flags, s.TTL, s.Has = t.window, t.ipid, t.flags, t.ttl, t.has
	o.MSS, o.WScale, o.TSVal, o.TSEcr = t.mss, t.wscale, t.tsVal, t.tsEcr
	o.SACKLeft, o.SACKRight, o.FastOpenLen = t.sackLeft, t.sackRight, t.fastOpenLen
	o.ScaleFirst, o.TLSAlert, o.SACKTwice = t.scaleFirst, t.alert, t.sackTwice
}

// How many entries stand together, how many such chunks are allocated at a time, and how many
// make a page of memory.
const (
	chunkSize  = 8
	slabChunks = 1 << 7
	pageChunks = 1 << 3
)

type chunk [chunkSize]entry

// chunkNo is a chunk's number, from 1 on.
type chunkNo uint32

// backlog is the memory of all that waits to be followed: lists of chunks, of which those
// that are done with are used again. It holds no pointers, so that it costs the collector
// nothing.
type backlog struct {
	slabs [][]chunk // of slabChunks; a pointer to an array would be checked by a read of its first line
	next  []chunkNo // by number: what follows in its list
	free  chunkNo
	used  int // chunks that hold something
}

func (b *backlog) at(n chunkNo) *chunk { return &b.slabs[n/slabChunks][n%slabChunks] }

// take returns an unused chunk.
func (b *backlog) take() chunkNo {
	if b.free == 0 {
		b.grow()
	}
	n := b.free
	b.free, b.next[n] = b.next[n], 0
	b.used++
	return n
}

func (b *backlog) grow() {
	first := chunkNo(len(b.next))
	slab := make([]chunk, slabChunks)
	for i := 0; i < slabChunks; i += pageChunks { // a page that is read first is faulted in twice
		slab[i][0].frame = 0
	}
	b.slabs = append(b.slabs, slab)
	b.next = append(b.next, make([]chunkNo, slabChunks)...)
	for n := max(first, 1); n < first+slabChunks; n++ {
		b.next[n], b.free = b.free, n
	}
}

// push keeps s at the end of h's list.
func (b *backlog) push(h *head, s *event.Segment, swapped bool) {
	at := h.waiting % chunkSize
	if at == 0 {
		n := b.take()
		if h.waiting == 0 {
			h.firstChunk = n
		} else {
			b.next[h.lastChunk] = n
		}
		h.lastChunk = n
	}
	b.at(h.lastChunk)[at].pack(s, swapped)
	h.waiting++
}

// clear forgets what waits at h.
func (b *backlog) clear(h *head) {
	b.next[h.lastChunk], b.free = b.free, h.firstChunk
	b.used -= (int(h.waiting) + chunkSize - 1) / chunkSize
	h.waiting = 0
}

// all yields what waits at h, in order.
func (b *backlog) all(h *head) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		left := h.waiting
		for n := h.firstChunk; ; n = b.next[n] {
			c := b.at(n)
			for i := range min(left, chunkSize) {
				if !yield(&c[i]) {
					return
				}
			}
			if left <= chunkSize {
				return
			}
			left -= chunkSize
		}
	}
}

// fetch asks for what waits at h.
func (b *backlog) fetch(h *head, l *prefetch.Lines) {
	if h.waiting == 0 {
		return
	}
	for t := range b.all(h) {
		l.Add(&t.frame)
	}
	l.Ask()
}

// end returns where the next segment of h will be kept, nil when that is in no chunk yet.
func (b *backlog) end(h *head) *entry {
	at := h.waiting % chunkSize
	if at == 0 {
		return nil
	}
	return &b.at(h.lastChunk)[at]
}
