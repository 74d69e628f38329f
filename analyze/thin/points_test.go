package thin_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/analyze/points"
	"github.com/closecap/closecap/analyze/seqnum"
)

// tap is a capture point on the path, with a clock of its own.
type tap struct {
	at      float64 // 0 at the client, 1 at the server
	ahead   time.Duration
	drift   float64 // by how much its clock is too fast
	drops   float64 // share of the packets that it misses
	oneWay  int     // 1 + the end of which alone packets pass here; 0 for both
	from    time.Duration
	until   time.Duration // from the beginning, when its capture began and ended; 0 for never
	nat     netip.AddrPort
	seen    []event.Segment
	ids     []int
	dropped int
}

// hopsWay is how many routers the path has.
const hopsWay = 4

// begun is when the world begins.
const begun = event.Time(1_000_000_000_000)

// see captures packet id, which has come a share of its way from an end.
func (t *tap) see(w *world, s event.Segment, from, id int) {
	since := w.now.Sub(begun)
	if t.oneWay != 0 && from != t.oneWay-1 || since < t.from || t.until != 0 && since > t.until {
		return
	}
	if w.rand.Float64() < t.drops {
		t.dropped++
		return
	}
	s.Time = w.now.Add(t.ahead + time.Duration(float64(since)*t.drift))
	s.Frame = uint64(len(t.seen) + 1)
	if t.nat.IsValid() && from == 0 {
		s.Src = t.nat
	} else if t.nat.IsValid() {
		s.Dst = t.nat
	}
	t.seen, t.ids = append(t.seen, s), append(t.ids, id)
}

// box is a firewall in the middle of the path.
type box struct {
	after  int  // packets that pass before it takes offence
	silent bool // it drops what comes then, and answers nothing
	both   bool // it resets the other end, too
	copies bool // it copies the TTL
}

// pass sends a packet along the path, past the taps and the box.
func (w *world) pass(h *host, p packet, s event.Segment, way time.Duration, lost bool, where float64) {
	w.sent++
	id := w.sent
	stops := 2.0
	if lost {
		stops = where
	}
	b := w.box
	if b != nil && id > b.after && stops > 0.5 && p.flags&event.RST == 0 {
		stops = 0.5
		w.after(way/2, func() { w.reset(h, p, s) })
	}
	if stops <= 1 {
		w.lost[id] = true
	}
	w.along(h.me, s, way, 0, stops, id)
	if stops > 1 {
		w.after(way, func() { h.peer().receive(p) })
	}
}

// along shows a packet to the taps between two places on its way.
func (w *world) along(from int, s event.Segment, way time.Duration, begins, stops float64, id int) {
	for _, t := range w.taps {
		share := t.at
		if from == 1 {
			share = 1 - t.at
		}
		if share < begins || share > stops {
			continue
		}
		s := s
		s.TTL -= uint8((share - begins) * hopsWay)
		w.after(time.Duration(float64(way)*(share-begins)), func() { t.see(w, s, from, id) })
	}
}

// reset is the box's answer to a packet of h.
func (w *world) reset(h *host, p packet, s event.Segment) {
	b := w.box
	if b.silent {
		return
	}
	send := func(to *host, q packet, seq, ack seqnum.Value) {
		w.sent++
		w.made[w.sent] = true
		from := to.peer()
		r := event.Segment{Src: from.addr, Dst: to.addr, Flags: q.flags, Seq: seq, Ack: ack, TTL: 64, Has: event.HasIPID}
		if b.copies {
			r.TTL = from.ttl - hopsWay/2
		}
		way := w.delay[from.me]
		w.along(from.me, r, way, 0.5, 1, w.sent)
		w.after(way/2, func() { to.receive(q) })
	}
	if p.flags&event.ACK == 0 {
		send(h, packet{flags: event.RST | event.ACK, seq: 0, ack: p.end()}, 0, s.End())
		return
	}
	send(h, packet{flags: event.RST, seq: p.ack}, s.Ack, 0)
	if b.both {
		send(h.peer(), packet{flags: event.RST, seq: p.seq}, s.Seq, 0)
	}
}

// twoPoints plays a connection with a capture point at each end.
func twoPoints(seed uint64, change func(r *rand.Rand, w *world)) (string, *world, truth) {
	r := rand.New(rand.NewPCG(seed, 11))
	plot := plots[int(seed)%len(plots)]
	w := &world{rand: r, now: begun, loss: []float64{0, 0.02, 0.1}[r.IntN(3)], lost: map[int]bool{}, made: map[int]bool{}}
	way := time.Duration(50_000 * (1 + r.IntN(800)))
	w.delay = [2]time.Duration{way, way + time.Duration(r.IntN(int(way)))}
	for i := range w.hosts {
		w.hosts[i] = &host{
			w: w, me: i, isn: r.Uint32(), ttl: []uint8{64, 64, 128}[r.IntN(3)], ipid: uint16(r.Uint32()), rto: 200 * time.Millisecond,
			addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), uint16(40000-i*39920)),
		}
	}
	w.taps = []*tap{{at: 0}, {at: 1, ahead: time.Duration(r.Int64N(int64(6*time.Second))) - 3*time.Second, drift: (r.Float64() - 0.5) * 2e-4}}
	change(r, w)
	w.run(plot)
	return fmt.Sprintf("%s-%d", plot.name, seed), w, w.truth()
}

// points are what the taps saw, of captures that last longer than the connection unless they were cut.
func (w *world) points(told bool) (all []points.Point) {
	for i, t := range w.taps {
		clock := func(since time.Duration) event.Time {
			return begun.Add(since + t.ahead + time.Duration(float64(since)*t.drift))
		}
		p := points.Point{Name: fmt.Sprint("p", i), Segments: slices.Clone(t.seen), First: clock(t.from - time.Second), Last: clock(time.Hour)}
		if t.from != 0 {
			p.First = clock(t.from)
		}
		if t.until != 0 {
			p.Last = clock(t.until)
		}
		if told {
			p.Dropped = uint64(t.dropped)
		}
		all = append(all, p)
	}
	return all
}

// joined follows what the points saw together.
func joined(all []points.Point) []*analyze.Connection {
	j := points.Join(all)
	var out []*analyze.Connection
	f := flows.NewFollower(analyze.Options{AllSegments: true}, func(c *analyze.Connection) {
		j.Annotate(c)
		out = append(out, c)
	})
	for i := range j.Segments {
		f.Segment(&j.Segments[i])
	}
	f.Finish()
	return out
}

// packet returns which packet a segment of c shows.
func (w *world) packet(s *analyze.Segment) int {
	for _, at := range s.Seen {
		var i int
		fmt.Sscanf(at.Point, "p%d", &i)
		return w.taps[i].ids[at.Frame-1]
	}
	return 0
}

// TestPoints holds what two points tell together against what happened on the way.
func TestPoints(t *testing.T) {
	kinds := []struct {
		name   string
		told   bool // the captures say how many packets they lost
		change func(r *rand.Rand, w *world)
		least  float64 // share of what was lost that is found
	}{
		{"loss", true, func(*rand.Rand, *world) {}, 0.9},
		{"address translation", true, func(_ *rand.Rand, w *world) {
			w.taps[1].nat = netip.MustParseAddrPort("192.0.2.1:61000")
		}, 0.9},
		{"firewall", true, func(r *rand.Rand, w *world) {
			w.box = &box{after: 4 + r.IntN(6), both: r.IntN(2) == 0, copies: r.IntN(3) == 0, silent: r.IntN(5) == 0}
		}, 0.5},
		{"a capture that drops and says so", true, func(r *rand.Rand, w *world) {
			w.taps[r.IntN(2)].drops = 0.05
			if r.IntN(2) == 0 {
				w.box = &box{after: 4 + r.IntN(6), both: r.IntN(2) == 0}
			}
		}, 0.1},
		{"one direction passes elsewhere", true, func(r *rand.Rand, w *world) { w.taps[r.IntN(2)].oneWay = 1 + r.IntN(2) }, 0},
		{"a capture that ends early", true, func(r *rand.Rand, w *world) {
			w.taps[r.IntN(2)].until = time.Duration(1 + r.Int64N(int64(500*time.Millisecond)))
		}, 0},
		{"a capture that begins late", true, func(r *rand.Rand, w *world) {
			w.taps[r.IntN(2)].from = time.Duration(1 + r.Int64N(int64(300*time.Millisecond)))
		}, 0},
		{"a third point", true, func(r *rand.Rand, w *world) {
			w.taps = append(w.taps, &tap{at: 0.25 + r.Float64()/2, ahead: time.Duration(r.Int64N(int64(time.Second)))})
		}, 0.8},
		{"a third point that one direction passes", true, func(r *rand.Rand, w *world) {
			w.taps = append(w.taps, &tap{at: r.Float64(), oneWay: 1 + r.IntN(2), ahead: time.Duration(r.Int64N(int64(time.Second)))})
			if r.IntN(2) == 0 {
				w.box = &box{after: 4 + r.IntN(6), both: r.IntN(2) == 0, copies: r.IntN(3) == 0}
			}
		}, 0.35},
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var lost, made, found, resets, falseLost, falseMade, wrong, alone, closers, blamed, blamedAlone, closed, closedAlone int
			for seed := range uint64(*each * len(plots) * 10) {
				name, w, want := twoPoints(seed, k.change)
				for _, c := range joined(w.points(k.told)) {
					of := map[uint64]int{}
					for _, s := range c.Segments {
						of[s.Frame] = w.packet(s)
					}
					if c.Path != nil {
						for _, o := range c.Path.Lost {
							if found++; !w.lost[of[o.Frame]] {
								falseLost++
								t.Logf("%s: lost %+v", name, o)
							}
						}
						for _, o := range c.Path.Made {
							if resets++; !w.made[of[o.Frame]] {
								falseMade++
								t.Errorf("%s: made %+v", name, o)
							}
						}
					}
					if name == *show {
						for _, s := range c.Segments {
							t.Log(s.Frame, s.Time, s.From, s.FlagText, s.Seq, s.Ack, s.Len, s.Seen, s.Ignored)
						}
					}
					if blames(c, w) {
						blamed++
						t.Logf("%s: reset by %s, %s, which the box made", name, c.Reset.By, c.Reset.Cause)
					}
					if untrue(c, want) {
						wrong++
						t.Logf("%s: closer %s (%s), want %q", name, c.Closer, c.Ending, want.closer)
					}
					if c.Closer != "" {
						closers++
					}
					if n := closesLiving(c, w); n > 0 {
						closed += n
						t.Logf("%s: CLOSED though it lives: client %v, server %v", name, w.hosts[0].gone, w.hosts[1].gone)
					}
				}
				for i := range w.taps {
					for _, c := range joined(w.points(k.told)[i : i+1]) {
						if untrue(c, want) {
							alone++
						}
						if blames(c, w) {
							blamedAlone++
						}
						closedAlone += closesLiving(c, w)
					}
				}
				lost += len(w.lost)
				made += len(w.made)
			}
			t.Logf("%d of %d lost packets found, %d false; %d of %d made ones, %d false; %d closers, %d untrue, at single points %d; %d ends blamed for the box's RST, at single points %d; %d living ends closed, at single points %d",
				found-falseLost, lost, falseLost, resets-falseMade, made, falseMade, closers, wrong, alone, blamed, blamedAlone, closed, closedAlone)
			if float64(falseLost) > 0.005*float64(found) {
				t.Errorf("%d of %d packets are wrongly called lost", falseLost, found)
			}
			if float64(found) < k.least*float64(lost) {
				t.Errorf("%d of %d lost packets found, want %.0f %%", found, lost, 100*k.least)
			}
			if blamed > blamedAlone/10 {
				t.Errorf("%d resets are wrongly explained with several points, %d with one", blamed, blamedAlone)
			}
			if closed > closedAlone {
				t.Errorf("%d living ends are called closed with several points, %d with one", closed, closedAlone)
			}
			if wrong > alone {
				t.Errorf("%d closers are wrong with several points, %d with one", wrong, alone)
			}
		})
	}
}

// blames reports whether c says why an end sent an RST that the box made.
func blames(c *analyze.Connection, w *world) bool {
	if c.Reset == nil || c.Reset.Cause == analyze.Middlebox || c.Reset.Cause == analyze.UnknownCause || c.Reset.Cause == analyze.ConnRefused {
		return false
	}
	return slices.ContainsFunc(c.Segments, func(s *analyze.Segment) bool { return s.Frame == c.Reset.Frame && w.made[w.packet(s)] })
}

// closesLiving counts the ends that c lets an RST close, though they have a socket left.
func closesLiving(c *analyze.Connection, w *world) (n int) {
	for i, side := range [...]analyze.Side{analyze.Client, analyze.Server} {
		changes := *c.States.Of(side)
		if len(changes) == 0 || w.hosts[i].gone {
			continue
		}
		if last := changes[len(changes)-1]; last.State == event.Closed && slices.ContainsFunc(c.Segments, func(s *analyze.Segment) bool {
			return s.Frame == last.Frame && s.Flags.Has(event.RST)
		}) {
			n++
		}
	}
	return n
}

// untrue reports whether c names another closer than the one who was it.
func untrue(c *analyze.Connection, want truth) bool {
	return c.Closer != "" && c.Ending != analyze.WasRefused && string(c.Closer) != want.closer && string(c.Closer) != want.crossing
}

// TestSamePoint shows that a capture joined with itself says what it says alone.
func TestSamePoint(t *testing.T) {
	for seed := range uint64(*each * len(plots) * 3) {
		name, w, _ := twoPoints(seed, func(*rand.Rand, *world) {})
		p := w.points(true)[0]
		q := p
		q.Name, q.Segments = "again", slices.Clone(p.Segments)
		one, both := joined([]points.Point{p}), joined([]points.Point{p, q})
		if len(one) != len(both) {
			t.Fatalf("%s: %d connections, want %d", name, len(both), len(one))
		}
		for i, c := range both {
			a, b := claimsOf(one[i]), claimsOf(c)
			if c.Path != nil || len(c.Segments) != len(one[i].Segments) || !slices.EqualFunc(a, b, func(a, b claim) bool {
				return a.what == b.what && a.value == b.value && a.conf == b.conf
			}) {
				t.Errorf("%s: %v, path %v, want %v", name, b, c.Path, a)
			}
		}
	}
}
