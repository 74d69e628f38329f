package thin_test

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// world is a small model of two TCP stacks with a path between them and a capture point on it.
// It shares nothing with the analysis but the form of a segment, and it knows the truth.
type world struct {
	rand   *rand.Rand
	now    event.Time
	queue  events
	order  int
	hosts  [2]*host
	delay  [2]time.Duration // one way, from client and from server
	loss   float64          // share of the packets that the path loses
	tap    float64          // where the capture point is: 0 at the client, 1 at the server
	seen   []event.Segment
	events int
	taps   []*tap // further capture points
	box    *box   // what stands in the middle of the path; nil for nothing
	sent   int    // packets, those of the box included
	lost   map[int]bool
	made   map[int]bool
}

// truth is what really happened.
type truth struct {
	closer   string // "client", "server", "both", "" for nobody
	crossing string // whose RST was sent before its sender had the closer's FIN
	reset    string // who sent the first RST that its receiver acted on
	stuck    [2]int // bytes of each end that its peer's application never read
}

type happening struct {
	at    event.Time
	order int
	do    func()
}

type events []happening

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(happening)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.queue, happening{w.now.Add(d), w.order, do})
}

// host is one end: a socket of Linux as far as its close needs it.
type host struct {
	w                  *world
	me                 int
	addr               netip.AddrPort
	isn                uint32
	ttl                uint8
	ipid               uint16
	nxt, una, rcv      int // positions: the SYN is 0
	queued             int // bytes taken from the application, from 1 on
	read               int // bytes that the application took
	finAt              int // position of the own FIN; 0 without one
	peerFin            int // position after the peer's FIN, once received in order
	early              []packet
	open, gone, closed bool // established; no socket any more; close() was called
	listens            bool
	rto                time.Duration
	tries              int
	timer              int // the running retransmission timer
	finSentAt          event.Time
	rstSentAt          event.Time
	gotRst             bool
	sawPeerFin         event.Time
	steps              []step
	opensAt            event.Time
}

type packet struct {
	flags         event.Flags
	seq, ack, len int
	syn           bool
	window        uint16
}

const maxSegment = 1000

func (h *host) peer() *host { return h.w.hosts[1-h.me] }

// send puts a packet of h on the wire.
func (h *host) send(p packet) {
	w := h.w
	h.ipid++
	s := event.Segment{
		Src: h.addr, Dst: h.peer().addr, Flags: p.flags, Len: uint32(p.len), Window: p.window,
		TTL: h.ttl, IPID: h.ipid, Has: event.HasIPID,
		Seq: seqnum.Value(h.isn + uint32(p.seq)),
	}
	if p.flags&event.ACK != 0 {
		s.Ack = seqnum.Value(h.peer().isn + uint32(p.ack))
	}
	if p.flags == event.RST {
		s.IPID, s.Window = 0, 0
	}
	share := w.tap
	if h.me == 1 {
		share = 1 - w.tap
	}
	way := w.delay[h.me] + time.Duration(w.rand.IntN(int(w.delay[h.me]/20)+1))
	lost, where := w.rand.Float64() < w.loss, w.rand.Float64()
	beforeTap := where < share
	if len(w.taps) == 0 && (!lost || !beforeTap) {
		w.after(time.Duration(float64(way)*share), func() {
			s.Time, s.Frame = w.now, uint64(len(w.seen)+1)
			w.seen = append(w.seen, s)
		})
	}
	if len(w.taps) > 0 {
		w.pass(h, p, s, way, lost, where)
		return
	}
	if !lost {
		w.after(way, func() { h.peer().receive(p) })
	}
}

func (h *host) segment(flags event.Flags, seq, length int) {
	h.send(packet{flags: flags, seq: seq, ack: h.rcv, len: length, window: 500})
}

func (h *host) ack() { h.segment(event.ACK, h.nxt, 0) }

// push sends what may be sent.
func (h *host) push() {
	if !h.open || h.gone {
		return
	}
	for h.nxt <= h.queued {
		n := min(maxSegment, h.queued+1-h.nxt)
		h.segment(event.ACK|event.PSH, h.nxt, n)
		h.nxt += n
	}
	if h.finAt != 0 && h.nxt == h.finAt {
		h.segment(event.ACK|event.FIN, h.nxt, 0)
		h.finSentAt = h.w.now
		h.nxt++
	}
	h.arm()
}

// arm lets the retransmission timer run while anything is unacknowledged.
func (h *host) arm() {
	h.timer++
	if h.una >= h.nxt || h.gone {
		return
	}
	mine := h.timer
	h.w.after(h.rto, func() {
		if h.timer != mine || h.gone || h.una >= h.nxt {
			return
		}
		if h.tries++; h.tries > 5 {
			h.gone = true
			return
		}
		h.rto *= 2
		switch {
		case h.una == 0 && h.me == 0:
			h.segmentSyn(event.SYN)
		case h.una == 0:
			h.segmentSyn(event.SYN | event.ACK)
		case h.finAt != 0 && h.una == h.finAt:
			h.segment(event.ACK|event.FIN, h.una, 0)
		default:
			h.segment(event.ACK|event.PSH, h.una, min(maxSegment, h.queued+1-h.una))
		}
		h.arm()
	})
}

func (h *host) segmentSyn(flags event.Flags) {
	h.send(packet{flags: flags, seq: 0, ack: h.rcv, syn: true, window: 64000})
}

// abort sends the RST of a living socket.
func (h *host) abort() {
	h.segment(event.RST|event.ACK, h.nxt, 0)
	h.rstSentAt, h.gone = h.w.now, true
}

// refuse is the answer of a kernel that has no socket for p, or one that nobody reads.
func (h *host) refuse(p packet) {
	if p.flags&event.RST != 0 {
		return
	}
	if h.rstSentAt == 0 {
		h.rstSentAt = h.w.now
	}
	if p.flags&event.ACK == 0 {
		h.send(packet{flags: event.RST | event.ACK, seq: -int(h.isn), ack: p.end()})
		return
	}
	h.send(packet{flags: event.RST, seq: p.ack})
}

func (p packet) end() int {
	n := p.seq + p.len
	if p.syn {
		n++
	}
	if p.flags&event.FIN != 0 {
		n++
	}
	return n
}

func (h *host) receive(p packet) {
	switch {
	case h.gone, h.me == 1 && !h.listens && !h.open:
		h.refuse(p)
		return
	case p.flags&event.RST != 0:
		if h.open && p.seq == h.rcv || !h.open && p.ack == h.nxt && p.flags&event.ACK != 0 {
			h.gone, h.gotRst = true, true
		}
		return
	case p.syn:
		h.rcv = 1
		if h.me == 1 && h.nxt == 0 {
			h.segmentSyn(event.SYN | event.ACK)
			h.nxt = 1
			h.arm()
			return
		}
		if h.me == 1 {
			h.segmentSyn(event.SYN | event.ACK)
			return
		}
		h.acked(p)
		h.ack()
		h.establish()
		return
	}
	h.acked(p)
	if h.una >= 1 && !h.open {
		h.establish()
	}
	h.take(p)
	h.act()
}

func (h *host) establish() {
	if h.open {
		return
	}
	h.open, h.opensAt = true, h.w.now
	h.act()
}

func (h *host) acked(p packet) {
	if p.flags&event.ACK == 0 || p.ack <= h.una {
		return
	}
	h.una, h.tries, h.rto = p.ack, 0, 200*time.Millisecond
	h.arm()
	if h.finAt != 0 && h.una > h.finAt && h.peerFin != 0 && h.finSentAt > h.sawPeerFin {
		h.gone = true // LAST_ACK is over
	}
}

// take is what comes of p's data and FIN.
func (h *host) take(p packet) {
	if p.end() == p.seq {
		return
	}
	if p.end() <= h.rcv { // an old one
		h.ack()
		return
	}
	if p.seq > h.rcv {
		h.early = append(h.early, p)
		h.ack()
		return
	}
	if p.len > 0 && h.closed && p.end() > h.rcv {
		h.gone = true
		h.refuse(p)
		return
	}
	h.rcv = p.end()
	if p.flags&event.FIN != 0 {
		h.peerFin, h.sawPeerFin = h.rcv, h.w.now
		h.ack()
	} else if h.w.rand.IntN(3) == 0 {
		at := h.rcv
		h.w.after(40*time.Millisecond, func() {
			if h.rcv == at && !h.gone {
				h.ack()
			}
		})
	} else {
		h.ack()
	}
	early := h.early
	h.early = nil
	for _, q := range early {
		if !h.gone {
			h.take(q)
		}
	}
}

// act lets the application go on as far as it can.
func (h *host) act() {
	for len(h.steps) > 0 && h.open {
		next := h.steps[0]
		if next.ready != nil && !next.ready(h) {
			return
		}
		h.steps = h.steps[1:]
		if next.wait > 0 {
			rest := h.steps
			h.steps = nil
			h.w.after(next.wait, func() { h.steps = rest; h.act() })
			return
		}
		if !h.gone {
			next.do(h)
		}
	}
}

// got is how many bytes have arrived in order.
func (h *host) got() int {
	n := h.rcv - 1
	if h.peerFin != 0 {
		n--
	}
	return max(0, n)
}
