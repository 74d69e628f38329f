package thin_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// step is one thing an application does when it may: wait returns how long it waits, negative
// while it can't go on.
type step struct {
	ready func(*host) bool
	do    func(*host)
	wait  time.Duration
}

func sends(n int) step { return step{do: func(h *host) { h.queued += n; h.push() }} }

func reads(n int) step {
	return step{
		ready: func(h *host) bool { return h.gone || h.got() >= h.read+n || h.peerFin != 0 },
		do:    func(h *host) { h.read = min(h.got(), h.read+n) },
	}
}

func readsToEOF() step {
	return step{
		ready: func(h *host) bool { return h.gone || h.peerFin != 0 },
		do:    func(h *host) { h.read = h.got() },
	}
}

func arrives(n int) step {
	return step{ready: func(h *host) bool { return h.gone || h.got() >= h.read+n }, do: func(*host) {}}
}

func pause(d time.Duration) step { return step{wait: d} }

func shuts() step {
	return step{do: func(h *host) {
		if h.finAt == 0 {
			h.finAt = h.queued + 1
			h.push()
		}
	}}
}

func closes() step {
	return step{do: func(h *host) {
		if h.closed = true; h.got() > h.read {
			h.abort()
			return
		}
		if h.finAt == 0 {
			h.finAt = h.queued + 1
			h.push()
		}
	}}
}

func lingers0() step { return step{do: func(h *host) { h.closed = true; h.abort() }} }

// plot is a way in which two applications end a connection.
type plot struct {
	name           string
	client, server []step
	nobody         bool // nobody listens
}

var plots = []plot{
	{"client-first", []step{sends(700), reads(2500), closes()}, []step{reads(700), sends(2500), readsToEOF(), closes()}, false},
	{"server-first", []step{sends(300), readsToEOF(), closes()}, []step{reads(300), sends(1800), closes()}, false},
	{"half-close", []step{sends(1500), shuts(), readsToEOF(), closes()},
		[]step{readsToEOF(), pause(30 * time.Millisecond), sends(2400), closes()}, false},
	{"crossing", []step{sends(10), reads(10), pause(100 * time.Millisecond), closes()},
		[]step{reads(10), sends(10), pause(85 * time.Millisecond), closes()}, false},
	{"linger-zero", []step{sends(900), reads(900), lingers0()}, []step{reads(900), sends(900), readsToEOF(), closes()}, false},
	{"unread", []step{sends(900), arrives(2000), closes()}, []step{reads(900), sends(2000), readsToEOF(), closes()}, false},
	{"after-close", []step{sends(100), closes()}, []step{reads(100), pause(300 * time.Millisecond), sends(1200), pause(time.Second), closes()}, false},
	{"one-sided-close", []step{sends(100), reads(50), closes()}, []step{reads(100), sends(50)}, false},
	{"idle", []step{sends(100), reads(50)}, []step{reads(100), sends(50)}, false},
	{"refused", nil, nil, true},
	{"late-answer", []step{sends(100), pause(400 * time.Millisecond), closes()}, []step{reads(100), pause(390 * time.Millisecond), sends(5000), readsToEOF(), closes()}, false},
	{"both-linger", []step{sends(1), reads(1), pause(50 * time.Millisecond), lingers0()}, []step{reads(1), sends(1), pause(50 * time.Millisecond), closes()}, false},
}

// play makes one connection and returns what the capture point saw and what really happened.
func play(seed uint64, loss float64) (string, []event.Segment, truth) {
	r := rand.New(rand.NewPCG(seed, 7))
	plot := plots[int(seed)%len(plots)]
	w := &world{rand: r, now: 1_000_000_000_000, loss: loss, tap: []float64{0, 0.5, 1}[r.IntN(3)]}
	way := time.Duration(50_000 * (1 + r.IntN(800)))
	w.delay = [2]time.Duration{way, way + time.Duration(r.IntN(int(way)))}
	for i := range w.hosts {
		w.hosts[i] = &host{
			w: w, me: i, isn: r.Uint32(), ttl: 64, ipid: uint16(r.Uint32()), rto: 200 * time.Millisecond,
			addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), uint16(40000-i*39920)),
		}
	}
	if r.IntN(4) == 0 {
		w.hosts[1].ttl = 128
	}
	w.run(plot)
	return fmt.Sprintf("%s-%d-loss-%g", plot.name, seed, loss), w.seen, w.truth()
}

// run lets the two hosts do what a plot says, until nothing more is to happen.
func (w *world) run(p plot) {
	c, s := w.hosts[0], w.hosts[1]
	c.steps, s.steps = slices.Clone(p.client), slices.Clone(p.server)
	s.listens = !p.nobody
	c.segmentSyn(event.SYN)
	c.nxt = 1
	c.arm()
	for len(w.queue) > 0 && w.events < 4000 {
		next := heap.Pop(&w.queue).(happening)
		w.now = next.at
		w.events++
		next.do()
	}
}

func (w *world) truth() truth {
	var t truth
	for i, h := range w.hosts {
		t.stuck[i] = h.queued - h.peer().read
		if h.peer().gotRst && h.rstSentAt != 0 && t.reset == "" {
			t.reset = names[i]
		}
	}
	c, s := w.hosts[0], w.hosts[1]
	first, second := c, s
	if c.firstEnd() == 0 || s.firstEnd() != 0 && s.firstEnd() < c.firstEnd() {
		first, second = s, c
	}
	switch at := first.firstEnd(); {
	case at == 0:
	case at == first.finSentAt && second.finSentAt != 0 && second.firstEnd() == second.finSentAt &&
		(second.sawPeerFin == 0 || second.finSentAt < second.sawPeerFin):
		t.closer = "both"
	default:
		t.closer = names[first.me]
		if at == first.finSentAt && second.rstSentAt != 0 && (second.sawPeerFin == 0 || second.rstSentAt < second.sawPeerFin) {
			t.crossing = names[second.me]
		}
	}
	return t
}

var names = [2]string{"client", "server"}

// firstEnd is when h first ended its own sending, 0 when it never did.
func (h *host) firstEnd() event.Time {
	if h.finSentAt == 0 || h.rstSentAt != 0 && h.rstSentAt < h.finSentAt {
		return h.rstSentAt
	}
	return h.finSentAt
}
