package points

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// wire makes what two points see of a connection: the second's clock is ahead, and packets take a while
// between them.
type wire struct {
	ahead, delay time.Duration
	nat          netip.AddrPort
	points       [2]Point
	ipid         uint16
}

var (
	left  = netip.MustParseAddrPort("10.0.0.1:40000")
	right = netip.MustParseAddrPort("10.0.0.2:80")
)

// Where a packet is seen.
const (
	seenBoth = iota
	seenLeft
	seenRight
)

// put sends a packet of the client or the server at a time.
func (w *wire) put(at time.Duration, from int, seen int, flags event.Flags, seq, ack, length uint32) {
	w.ipid++
	s := event.Segment{Src: left, Dst: right, Seq: seqnum.Value(1000 + seq), Ack: seqnum.Value(9000 + ack), Flags: flags, Len: length, TTL: 64, IPID: w.ipid, Has: event.HasIPID}
	if from == server {
		s.Src, s.Dst, s.Seq, s.Ack = right, left, seqnum.Value(9000+seq), seqnum.Value(1000+ack)
	}
	for i := range w.points {
		if seen == seenLeft && i == 1 || seen == seenRight && i == 0 {
			continue
		}
		t, p := at, &w.points[i]
		c := s
		if (from == client) == (i == 1) {
			t += w.delay
			c.TTL--
		}
		if i == 1 {
			t += w.ahead
			if w.nat.IsValid() && from == client {
				c.Src = w.nat
			} else if w.nat.IsValid() {
				c.Dst = w.nat
			}
		}
		c.Time = event.Time(1e15).Add(t)
		p.Segments = append(p.Segments, c)
	}
}

// join joins both points.
func (w *wire) join() *Joined { return Join(w.captures()) }

// captures gives both points the frames of their order.
func (w *wire) captures() []Point {
	for i := range w.points {
		p := &w.points[i]
		p.Name = []string{"left", "right"}[i]
		slices.SortStableFunc(p.Segments, func(a, b event.Segment) int { return int(a.Time - b.Time) })
		for k := range p.Segments {
			p.Segments[k].Frame = uint64(k + 1)
		}
		p.First, p.Last = event.Time(1), event.Time(1<<62)
	}
	return w.points[:]
}

// handshake begins at 0.
func (w *wire) handshake() {
	w.put(0, client, seenBoth, event.SYN, 0, 0, 0)
	w.put(w.delay, server, seenBoth, event.SYN|event.ACK, 0, 1, 0)
	w.put(2*w.delay, client, seenBoth, event.ACK, 1, 1, 0)
}

const ms = time.Millisecond

// TestClock finds out how far a clock is ahead, through address translation, and orders the packets as
// they were sent.
func TestClock(t *testing.T) {
	for _, ahead := range []time.Duration{0, 3200 * ms, -time.Hour} {
		w := &wire{ahead: ahead, delay: 20 * ms, nat: netip.MustParseAddrPort("192.0.2.1:61000")}
		w.handshake()
		w.put(50*ms, client, seenBoth, event.ACK|event.FIN, 1, 1, 0)
		w.put(70*ms, server, seenBoth, event.ACK|event.FIN, 1, 2, 0)
		j := w.join()
		if len(j.Segments) != 5 || j.Connections != 1 {
			t.Fatalf("%v: %d packets of %d connections, want 5 of 1", ahead, len(j.Segments), j.Connections)
		}
		g := j.of[0].group
		if got := time.Duration(g.ahead[1]); got != ahead {
			t.Errorf("ahead by %v, want %v", got, ahead)
		}
		for i := range j.Segments {
			s := &j.Segments[i]
			if s.Frame != uint64(i+1) || s.Src != left && s.Src != right {
				t.Errorf("%v: segment %d is frame %d of %v", ahead, i, s.Frame, s.Src)
			}
		}
		if s := &j.Segments[1]; s.Time != event.Time(1e15).Add(20*ms) {
			t.Errorf("%v: SYN,ACK at %v, want 20 ms after the SYN", ahead, s.Time)
		}
	}
}

// TestOnPath tells what was lost and made, and where that can't be known.
func TestOnPath(t *testing.T) {
	fate := func(change func(w *wire)) (lost, made int) {
		w := &wire{delay: 20 * ms, ahead: time.Second}
		w.handshake()
		w.put(100*ms, client, seenLeft, event.ACK, 1, 1, 10)
		w.put(300*ms, client, seenBoth, event.ACK, 1, 1, 10)
		w.put(320*ms, server, seenBoth, event.ACK, 1, 11, 0)
		w.put(400*ms, server, seenLeft, event.RST, 1, 0, 0) // with the TTL of what was made near the client
		w.points[0].Segments[len(w.points[0].Segments)-1].TTL = 60
		w.put(500*ms, server, seenBoth, event.ACK, 1, 11, 5)
		w.put(900*ms, server, seenBoth, event.ACK, 1, 11, 5)
		change(w)
		g := w.join().of[0].group
		return len(g.lost), len(g.made)
	}
	for _, c := range []struct {
		name       string
		change     func(w *wire)
		lost, made int
	}{
		{"as it is", func(*wire) {}, 1, 1},
		{"the server's point lost packets", func(w *wire) { w.points[1].Dropped = 1 }, 0, 0},
		{"the client's point lost packets", func(w *wire) { w.points[0].Dropped = 1 }, 1, 1},
		{"the server's point misses acknowledged data", func(w *wire) {
			w.points[1].Segments = slices.DeleteFunc(w.points[1].Segments, func(s event.Segment) bool { return s.Len == 10 })
		}, 0, 0},
		{"the server's packets pass elsewhere", func(w *wire) {
			w.points[1].Segments = slices.DeleteFunc(w.points[1].Segments, func(s event.Segment) bool { return s.Src == right })
		}, 1, 0},
		{"a translator forgot the connection and gave both packets another address", func(w *wire) {
			for _, s := range w.points[0].Segments {
				switch s.Time += event.Time(time.Second + w.delay); {
				case s.Flags&event.RST != 0:
					s.Dst = netip.MustParseAddrPort("192.0.2.1:61000")
				case s.Len == 10:
					s.Src = netip.MustParseAddrPort("192.0.2.1:61000")
				default:
					continue
				}
				w.points[1].Segments = append(w.points[1].Segments, s)
			}
		}, 0, 0},
	} {
		lost, made := fate(c.change)
		if lost != c.lost || made != c.made {
			t.Errorf("%s: %d lost, %d made, want %d, %d", c.name, lost, made, c.lost, c.made)
		}
	}
}

// TestAlone withholds who closed where only the point that lacks an RST tells that another made it.
func TestAlone(t *testing.T) {
	w := &wire{delay: 5 * ms}
	w.handshake()
	w.put(50*ms, client, seenBoth, event.ACK, 1, 1, 10)
	w.put(55*ms, server, seenBoth, event.ACK, 1, 11, 0)
	w.put(100*ms, client, seenRight, event.RST|event.ACK, 11, 1, 0)
	j := w.join()
	c := &analyze.Connection{
		FirstFrame: 1, LastFrame: 6, Client: left, Server: right, Ending: analyze.WasReset,
		Closer: analyze.Client, CloserSure: analyze.Inferred,
		Reset: &analyze.Reset{By: analyze.Client, Frame: 6, Cause: analyze.Aborted, Confidence: analyze.Inferred},
	}
	j.Annotate(c)
	if c.Closer != analyze.NoSide || c.Reset.Cause != analyze.UnknownCause || c.Path != nil {
		t.Errorf("closer %q, cause %s, path %v, want neither", c.Closer, c.Reset.Cause, c.Path)
	}
	if i := slices.IndexFunc(c.Candidates, func(p analyze.Possible) bool { return p.Claim == analyze.ClaimCloser }); i < 0 || c.Candidates[i].Value != string(analyze.Client) {
		t.Errorf("candidates %+v, want the client for the closer", c.Candidates)
	}
}

// TestResized takes a segment that the network card cut up for what it was.
func TestResized(t *testing.T) {
	w := &wire{delay: 5 * ms}
	w.handshake()
	w.put(50*ms, client, seenLeft, event.ACK, 1, 1, 3000)
	w.put(50*ms, client, seenRight, event.ACK, 1, 1, 1500)
	w.put(50*ms, client, seenRight, event.ACK, 1501, 1, 1500)
	w.put(80*ms, server, seenBoth, event.ACK, 1, 3001, 0)
	j := w.join()
	g := j.of[0].group
	if len(j.Segments) != 5 || len(g.lost)+len(g.made) != 0 || len(j.Unsound) != 0 {
		t.Errorf("%d packets, lost %v, made %v, unsound %v, want 5 and nothing", len(j.Segments), g.lost, g.made, j.Unsound)
	}
}

// TestSides takes what went through a router for two points, whatever address it gives the client, and what ends at
// it for one.
func TestSides(t *testing.T) {
	for _, nat := range []string{"", "10.0.0.9:61000", "9.0.0.1:61000"} {
		testSides(t, nat)
	}
}

func testSides(t *testing.T, nat string) {
	w := &wire{delay: time.Millisecond}
	if nat != "" {
		w.nat = netip.MustParseAddrPort(nat)
	}
	w.handshake()
	w.put(100*ms, client, seenLeft, event.ACK, 1, 1, 10)
	var p Point
	for i := range w.points {
		for _, s := range w.points[i].Segments {
			s.Has |= event.Incoming
			if (s.Dst == right) == (i == 1) {
				s.Has = event.HasIPID | event.Outgoing
			}
			p.Segments = append(p.Segments, s)
		}
	}
	slices.SortStableFunc(p.Segments, func(a, b event.Segment) int { return int(a.Time - b.Time) })
	for i := range p.Segments {
		p.Segments[i].Frame = uint64(i + 1)
	}
	if !HaveSides(p.Segments) {
		t.Error("not taken for a router's")
	}
	p.Name, p.Sides, p.First, p.Last = "router", true, 1, 1<<62
	j := Join([]Point{p})
	if len(j.Segments) != 4 || j.Segments[3].Frame != p.Segments[len(p.Segments)-1].Frame || len(j.of[0].group.lost) != 1 {
		t.Errorf("%d packets, lost %v, want 4 with the capture's frames, and one lost", len(j.Segments), j.of[0].group.lost)
	}
	for i := range p.Segments {
		p.Segments[i].Has = event.HasIPID | event.Outgoing
	}
	if HaveSides(p.Segments) {
		t.Error("what only leaves is taken for a router's")
	}
}

// TestRelate tells points from parts of one capture.
func TestRelate(t *testing.T) {
	w := &wire{delay: 5 * ms}
	w.handshake()
	w.put(50*ms, client, seenBoth, event.ACK, 1, 1, 10)
	a, b := w.points[0].Segments, w.points[1].Segments
	if got := Relate(a, b); got != TwoPoints {
		t.Errorf("Relate of two points = %v", got)
	}
	if got := Relate(a, a); got != Overlap {
		t.Errorf("Relate of the same = %v", got)
	}
	if got := Relate(a[:2], a[3:]); got != Strangers {
		t.Errorf("Relate of what has no packet in common = %v", got)
	}
}

// TestCrossed takes FINs of which neither end had the other's when it sent its own for both ends' close, but on MPTCP,
// where they end no stream.
func TestCrossed(t *testing.T) {
	for _, multipath := range []bool{false, true} {
		w := &wire{delay: 20 * ms}
		w.handshake()
		w.put(100*ms, client, seenBoth, event.ACK|event.FIN, 1, 1, 0)
		w.put(105*ms, server, seenBoth, event.ACK|event.FIN, 1, 1, 0)
		j := w.join()
		c := &analyze.Connection{FirstFrame: 1, LastFrame: 5, Client: left, Server: right, Ending: analyze.Graceful, Closer: analyze.Client, CloserSure: analyze.Inferred}
		for i := range j.Segments {
			s := &analyze.Segment{Frame: j.Segments[i].Frame, From: analyze.Client, Flags: j.Segments[i].Flags, DataFin: multipath && i == 3}
			if j.Segments[i].Src == right {
				s.From = analyze.Server
			}
			c.Segments = append(c.Segments, s)
		}
		j.Annotate(c)
		if want := map[bool]analyze.Side{false: analyze.Both, true: analyze.Client}[multipath]; c.Closer != want {
			t.Errorf("multipath %v: closer %q, want %q", multipath, c.Closer, want)
		}
	}
}
