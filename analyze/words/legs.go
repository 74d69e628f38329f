package words

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

const (
	// moment is within what time a relay must have begun to pass on what it got.
	moment = time.Second
	// leastSame is how many bytes must be the same on two legs, and leastAlone where addresses do not tell the relay from
	// its client, as on one machine.
	leastSame, leastAlone = 16, 64
	// leastBody is how many bytes of an answer's body tell it from others.
	leastBody = 8
	// maxAlike bounds how many connections with the same bytes in the same moment are looked at.
	maxAlike = 64
)

// Legs are connections of which two may be the legs of a relay: what it took on one it sent on the other.
type Legs struct {
	seed   maphash.Seed
	all    []*leg
	failed []failed
}

func newLegs() *Legs { return &Legs{seed: maphash.MakeSeed()} }

// failed is a connection that was not opened.
type failed struct {
	c    *analyze.Connection
	here bool // its client is the capturing host
}

// leg is a connection with what it carried, by which another one is known as the other leg.
type leg struct {
	c        *analyze.Connection
	carried  [2]stream // of client and server
	body     stream    // of the last answer of HTTP/1
	request  string    // the last one's first line, but for the version
	status   int       // of its answer, 0 where none had come
	asked    event.Time
	answered event.Time // 0 where no answer had begun
	answer   uint64     // its frame
	opened   event.Time
	over     event.Time // when the first end closed
	here     [2]bool    // an end is the capturing host, as the file says
}

// carries has h keep what tells the other leg. It is for the first segment.
func (l *Legs) carries(h *Heard) {
	x := &leg{}
	for _, s := range [...]*stream{&x.carried[Client], &x.carried[Server], &x.body} {
		s.hash.SetSeed(l.seed)
	}
	h.rests().leg = x
}

// Add adds the connection c, on which h was said; one that began before the capture tells nothing.
func (l *Legs) Add(h *Heard, c *analyze.Connection) {
	if l != nil && len(l.failed) < maxFailed && (c.Ending == analyze.WasRefused || c.Ending == analyze.Unanswered) {
		client := endpointOf(c.Client)
		l.failed = append(l.failed, failed{c, h != nil && h.ends[h.end(&client)].here})
	}
	if l == nil || h == nil || h.rest == nil || h.leg == nil || h.mixed || !h.ends[Client].begun || !h.ends[Server].begun {
		return
	}
	if client := endpointOf(c.Client); h.end(&client) != Client {
		return
	}
	x := h.leg
	x.c, x.opened, x.over = c, h.opened, event.Time(math.MaxInt64)
	for i := range h.ends {
		x.here[i] = h.ends[i].here
		if d := &h.ends[i]; d.over.frame != 0 {
			x.over = min(x.over, d.over.time)
		}
	}
	if r, ok := h.reader.(*http1); ok {
		x.request, x.status, x.asked = r.lastRequest()
		if x.status != 0 {
			x.answered, x.answer = r.ends[Server].at.time, r.ends[Server].at.frame
		}
	}
	l.all = append(l.all, x)
}

// Tie ties the connections that are known by what they carried, and says of each leg how the other had ended before.
// Those of connections that calls have tied stay as they are.
func (l *Legs) Tie(all []*analyze.Connection) {
	l.tie((*leg).carriedKey, carriesOn)
	l.tie((*leg).requestKey, asksOn)
	l.tie((*leg).carriedKey, carriesAll)
	l.tieFailed(all)
	NameEnds(all)
}

// tie ties those that are not yet tied.
func (l *Legs) tie(keyOf func(*leg) key, fits fitting) {
	pairs := l.pairs(keyOf, fits)
	for _, p := range pairs {
		p.front.c.Relay = p.relay(p.back, analyze.Server)
	}
	for _, p := range pairs {
		if p.back.c.Relay == nil { // what is a front, too, is told of what is behind it
			p.back.c.Relay = p.relay(p.front, analyze.Client)
		}
	}
}

// fitting tells whether two connections are the legs of a relay.
type fitting func(front, back *leg) (tied, bool)

// tied are two legs, with what is the same on both.
type tied struct {
	front, back *leg
	same        analyze.RelaySame
	bytes       int64
}

func (p *tied) relay(other *leg, side analyze.Side) *analyze.Relay {
	return &analyze.Relay{Leg: other.c.ID, Side: side, Bytes: uint64(p.bytes), Same: p.same, Confidence: analyze.Inferred}
}

// key tells which connections are alike, and when each began to be.
type key struct {
	of   any
	when event.Time
}

// pairs returns the connections of which each fits one other alone.
func (l *Legs) pairs(keyOf func(*leg) key, fits fitting) (found []tied) {
	alike := map[any][]*leg{}
	for _, x := range l.all {
		if k := keyOf(x); k.of != nil && x.c.Relay == nil {
			alike[k.of] = append(alike[k.of], x)
		}
	}
	fronts, backs := map[*leg]int{}, map[*leg]int{}
	for _, legs := range alike {
		slices.SortStableFunc(legs, func(a, b *leg) int { return cmp.Compare(keyOf(a).when, keyOf(b).when) })
		for i, a := range legs {
			near := legs[i+1 : min(len(legs), i+1+maxAlike)]
			for _, b := range near {
				if keyOf(b).when.Sub(keyOf(a).when) > moment {
					break
				}
				for _, two := range [...][2]*leg{{a, b}, {b, a}} {
					if p, ok := fits(two[0], two[1]); ok {
						found = append(found, p)
						fronts[p.front]++
						backs[p.back]++
					}
				}
			}
		}
	}
	return slices.DeleteFunc(found, func(p tied) bool { return fronts[p.front] > 1 || backs[p.back] > 1 })
}

// carriedKey is the first bytes of the client, or where it said less of the server.
func (x *leg) carriedKey() key {
	const bytes = 3 // the 8 first
	for side := range x.carried {
		if s := &x.carried[side]; len(s.marks) > bytes {
			return key{[2]any{side, s.marks[bytes].sum}, s.marks[bytes].time}
		}
	}
	return key{}
}

// carriesOn reports whether all that front's client said went on to back's server, and all that this said came
// back, as far as it came, each time in this order.
func carriesOn(front, back *leg) (tied, bool) {
	if !relays(front, back) {
		return tied{}, false
	}
	return carries(front, back)
}

// carriesAll is for a relay of several addresses: then nothing may be missing. Who opened both of another host asked
// two the same.
func carriesAll(front, back *leg) (tied, bool) {
	if sameHost(front, back) && !front.c.Client.Addr().IsLoopback() {
		return tied{}, false
	}
	if front.carried[Client].n != back.carried[Client].n || front.carried[Server].n != back.carried[Server].n {
		return tied{}, false
	}
	return carries(front, back)
}

func carries(front, back *leg) (tied, bool) {
	asked, ok := front.carried[Client].passedOn(&back.carried[Client])
	answered, came := back.carried[Server].passedOn(&front.carried[Server])
	if !ok || !came || !nested(front, back) {
		return tied{}, false
	}
	least := int64(leastSame)
	if sameHost(front, back) {
		least = leastAlone
	}
	return tied{front, back, analyze.SameBytes, asked + answered}, asked+answered >= least
}

// nested reports whether back was opened while front was open.
func nested(front, back *leg) bool {
	f, b := front.c.ISN.Client, back.c.ISN.Client
	if f != nil && b != nil && *f == *b {
		return false // one connection, seen twice
	}
	return back.opened >= front.opened && back.opened < front.over
}

// relays reports whether the address that front's client spoke to is the one from which back was opened, or both are the
// capturing host's.
func relays(front, back *leg) bool {
	return front.c.Server.Addr() == back.c.Client.Addr() || front.here[Server] && back.here[Client]
}

// sameHost reports whether addresses do not tell who opened the two.
func sameHost(front, back *leg) bool { return front.c.Client.Addr() == back.c.Client.Addr() }

// requestKey is the last request.
func (x *leg) requestKey() key {
	if x.request == "" {
		return key{}
	}
	return key{x.request, x.asked}
}

// asksOn reports whether back's last request is front's, with another head: one answer is a part of the other, or no
// answer came and addresses tell who asked whom.
func asksOn(front, back *leg) (tied, bool) {
	p := tied{front, back, analyze.SameRequest, 0}
	if !relays(front, back) || back.asked < front.asked || back.asked >= front.over || front.carried[Client].n == 0 {
		return p, false
	}
	if b := &back.body; back.status != 0 && back.status == front.status && b.n > 0 {
		n, ok := b.passedOn(&front.body)
		if p.bytes = n; !ok || n >= leastBody {
			return p, ok
		}
	}
	return p, !sameHost(front, back) && (back.status == 0 || front.status == 0 || front.status >= 500 || back.status == front.status)
}

// lastRequest returns the last request without its version, the status of its answer, and when it was asked.
func (r *http1) lastRequest() (request string, status int, asked event.Time) {
	m := &r.ends[Client]
	if m.part == unreadable || m.start == "" {
		return "", 0, 0
	}
	if len(r.methods) == 0 || r.to != nil {
		status = r.ends[Server].status
	}
	request, _, _ = strings.Cut(m.start, " HTTP/")
	return request, status, m.at.time
}
