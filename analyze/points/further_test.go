package points

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// further is a third point, one router behind the second, where all came that came there.
func (w *wire) further() Point {
	far := Point{Name: "far", First: 1, Last: 1 << 62}
	for i, s := range w.points[1].Segments {
		if s.Frame, s.TTL = uint64(i+1), s.TTL-1; s.Src == right {
			s.TTL += 2
		}
		far.Segments = append(far.Segments, s)
	}
	return far
}

// TestRefusedOnTheWay tells where a SYN was lost and its refusal made, by where others to the same server pass, also
// behind a second point.
func TestRefusedOnTheWay(t *testing.T) {
	w := &wire{delay: 20 * ms}
	w.handshake()
	all := append(w.captures(), w.further())
	for i := range all[:2] {
		again := netip.AddrPortFrom(left.Addr(), left.Port()+1)
		at := event.Time(1e15).Add(time.Second + time.Duration(i)*w.delay)
		frame := uint64(len(all[i].Segments))
		all[i].Segments = append(all[i].Segments,
			event.Segment{Frame: frame + 1, Time: at, Src: again, Dst: right, Seq: 77, Flags: event.SYN, TTL: uint8(64 - i)},
			event.Segment{Frame: frame + 2, Time: at.Add(50*ms - 2*time.Duration(i)*w.delay), Src: right, Dst: again, Ack: 78, Flags: event.RST | event.ACK, TTL: uint8(60 + i)})
	}
	j := Join(all)
	var lost, made []onPath
	for _, p := range j.of {
		if p.group.at[0].isn[client] == 77 {
			lost, made = p.group.lost, p.group.made
		}
	}
	if len(lost) != 1 || len(made) != 1 || j.points[lost[0].missing].Name != "far" || j.points[lost[0].seen].Name != "right" {
		t.Errorf("lost %+v, made %+v, want the SYN and the RST, between right and far", lost, made)
	}
}

// TestMadeAndLost tells that an RST which the point in the middle alone saw was made behind it and lost before it, where
// something shows both; otherwise it may have come and gone another way.
func TestMadeAndLost(t *testing.T) {
	for _, c := range []struct {
		ttl        uint8
		goesOn     bool
		lost, made int
	}{{60, true, 1, 1}, {60, false, 0, 0}, {64, true, 0, 0}} {
		w := &wire{delay: 20 * ms}
		w.handshake()
		w.put(100*ms, server, seenRight, event.RST, 1, 0, 0)
		last := &w.points[1].Segments[len(w.points[1].Segments)-1]
		last.TTL = c.ttl
		if c.goesOn {
			w.put(300*ms, client, seenLeft, event.ACK, 1, 1, 5)
			w.put(600*ms, client, seenBoth, event.ACK, 1, 1, 5)
		}
		far := w.further()
		far.Segments = slices.DeleteFunc(far.Segments, func(s event.Segment) bool { return s.Flags == event.RST })
		j := Join(append(w.captures(), far))
		g := j.of[0].group
		rst := func(all []onPath) (out []onPath) {
			for _, o := range all {
				if g.any(int(o.packet)).Flags == event.RST {
					out = append(out, o)
				}
			}
			return out
		}
		lost, made := rst(g.lost), rst(g.made)
		if len(lost) != c.lost || len(made) != c.made {
			t.Errorf("TTL %d, the client goes on %v: lost %v, made %v, want %d, %d", c.ttl, c.goesOn, lost, made, c.lost, c.made)
		} else if c.made > 0 && (j.points[made[0].missing].Name != "far" || j.points[lost[0].missing].Name != "left") {
			t.Errorf("made %v, lost %v, want it made before far and lost before left", made, lost)
		}
	}
}

// TestOneWayEach tells what was lost and made where each way has a point of its own, behind one that sees both: whose order is
// known of each way alone.
func TestOneWayEach(t *testing.T) {
	w := &wire{delay: 20 * ms, ahead: time.Second}
	w.handshake()
	w.put(100*ms, client, seenLeft, event.ACK, 1, 1, 10)
	w.put(300*ms, client, seenBoth, event.ACK, 1, 1, 10)
	w.put(320*ms, server, seenBoth, event.ACK, 1, 11, 0)
	w.put(400*ms, server, seenLeft, event.RST, 1, 0, 0)
	w.points[0].Segments[len(w.points[0].Segments)-1].TTL = 60
	w.put(500*ms, server, seenBoth, event.ACK, 1, 11, 5)
	w.put(900*ms, server, seenBoth, event.ACK, 1, 11, 5)
	w.put(1200*ms, client, seenLeft, event.ACK, 11, 6, 7) // the last one: clocks are compared by one way
	all := w.captures()
	up, down := all[1], all[1]
	up.Name, up.Segments, down.Name, down.Segments = "up", nil, "down", nil
	for _, s := range all[1].Segments {
		if s.Src == left {
			up.Segments = append(up.Segments, s)
		} else {
			down.Segments = append(down.Segments, s)
		}
	}
	j := Join([]Point{all[0], up, down})
	g := j.of[0].group
	if len(g.lost) != 2 || j.points[g.lost[0].missing].Name != "up" || len(g.made) != 1 || j.points[g.made[0].missing].Name != "down" || len(g.line) != 3 {
		t.Errorf("lost %+v, made %+v, line %v, want two before up, one behind down, and all points in line", g.lost, g.made, g.line)
	}
}

// TestAlike tells that an RST was made on the way though another looks like it of which not all points saw as many: the
// point that lacks it saw neither.
func TestAlike(t *testing.T) {
	w := &wire{delay: 20 * ms}
	w.handshake()
	for i := range time.Duration(2) {
		w.put(100*ms+i*20*ms, client, seenRight, event.RST, 1, 0, 0)
		last := &w.points[1].Segments[len(w.points[1].Segments)-1]
		last.IPID, last.TTL = 0, 60
	}
	w.put(300*ms, client, seenBoth, event.ACK, 1, 1, 5)
	far := w.further()
	far.Segments = slices.Delete(far.Segments, 3, 4)
	j := Join(append(w.captures(), far))
	if g := j.of[0].group; len(g.made) != 1 || len(g.lost) != 0 {
		t.Errorf("made %v, lost %v, want one made, and none lost", g.made, g.lost)
	}

	w = &wire{delay: 20 * ms}
	w.handshake()
	for i, seen := range []int{seenLeft, seenBoth} {
		w.put(time.Duration(100+20*i)*ms, client, seen, event.ACK, 1, 1, 0)
		for k := range w.points {
			if last := &w.points[k].Segments[len(w.points[k].Segments)-1]; last.IPID == w.ipid {
				last.IPID = 0
			}
		}
	}
	w.put(300*ms, client, seenBoth, event.ACK, 1, 1, 5)
	if j := w.join(); claims(j) != 0 {
		t.Errorf("%d of two ACKs that look alike are called lost: which is not known", claims(j))
	}
}
