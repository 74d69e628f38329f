package points

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestForgotten claims nothing of packets that passed under other addresses, which a translator gave them when it had
// forgotten the connection: at two points behind it, or at the beginning, when the SYN was sent again.
func TestForgotten(t *testing.T) {
	other := netip.MustParseAddrPort("192.0.2.1:61000")
	w := &wire{delay: 20 * ms}
	w.handshake()
	w.put(100*ms, client, seenBoth, event.ACK, 1, 1, 10)
	w.put(400*ms, server, seenBoth, event.RST, 1, 0, 0)
	w.put(500*ms, server, seenBoth, event.ACK, 1, 1, 5)
	for i := range w.points[1].Segments {
		switch s := &w.points[1].Segments[i]; {
		case s.Flags&event.RST != 0:
			s.Dst = other
		case s.Len == 10:
			s.Src = other
		}
	}
	far := w.further()
	all := append(w.captures(), far)
	parts := slices.Clone(all[1:])
	if j := Join(slices.Clone(all)); claims(j) != 0 {
		t.Errorf("behind a handshake: %d packets lost or made, want none", claims(j))
	}

	for i := range parts { // what came of ten bytes is their second half
		parts[i].Segments = slices.Clone(parts[i].Segments)
		for k := range parts[i].Segments {
			if s := &parts[i].Segments[k]; s.Len == 10 {
				s.Seq, s.Len = s.Seq+5, 5
			}
		}
	}
	if j := Join(append(all[:1:1], parts...)); claims(j) != 0 {
		t.Errorf("in part: %d packets lost or made, want none", claims(j))
	}

	w = &wire{delay: 20 * ms, nat: other}
	w.put(0, client, seenBoth, event.SYN, 0, 0, 0)
	w.put(20*ms, server, seenRight, event.SYN|event.ACK, 5000, 1, 0)
	w.nat = netip.MustParseAddrPort("192.0.2.1:61001")
	w.put(time.Second, client, seenBoth, event.SYN, 0, 0, 0)
	w.put(time.Second+20*ms, server, seenBoth, event.SYN|event.ACK, 0, 1, 0)
	w.put(time.Second+40*ms, client, seenBoth, event.ACK, 1, 1, 0)
	if j := w.join(); claims(j) != 0 {
		t.Errorf("at the beginning: %d packets lost or made, want none", claims(j))
	}
}

// TestAnsweredTwice takes a connection for one that a point saw begin twice: a firewall kept the first SYN,ACK from the
// client, and reset the server, which answered the SYN with another number when it came again.
func TestAnsweredTwice(t *testing.T) {
	w := &wire{delay: 20 * ms}
	w.put(0, client, seenBoth, event.SYN, 0, 0, 0)
	w.put(20*ms, server, seenRight, event.SYN|event.ACK, 3_000_000, 1, 0)
	w.put(25*ms, client, seenRight, event.RST, 1, 0, 0)
	last := &w.points[1].Segments[len(w.points[1].Segments)-1]
	last.TTL, last.Seq = 60, 1001
	w.put(time.Second, client, seenBoth, event.SYN, 0, 0, 0)
	w.put(time.Second+20*ms, server, seenBoth, event.SYN|event.ACK, 0, 1, 0)
	w.put(time.Second+40*ms, client, seenBoth, event.ACK, 1, 1, 0)
	w.put(time.Second+50*ms, client, seenBoth, event.ACK, 1, 1, 5)
	w.put(time.Second+70*ms, server, seenBoth, event.ACK, 1, 6, 0)
	for order := range 2 {
		all := slices.Clone(w.captures())
		for i := range all {
			all[i].Segments = slices.Clone(all[i].Segments)
		}
		if order == 1 {
			slices.Reverse(all)
		}
		j := Join(all)
		g := j.of[0].group
		if len(j.Segments) != 8 || j.Connections != 1 || len(j.Unsound) != 0 || len(g.lost) != 1 || len(g.made) != 1 {
			t.Errorf("%d packets of %d connections, unsound %v, lost %v, made %v, want 8 of 1, one lost, one made", len(j.Segments), j.Connections, j.Unsound, g.lost, g.made)
		}
	}
}

// claims counts what was lost and made in all connections.
func claims(j *Joined) (n int) {
	counted := map[*group]bool{}
	for _, p := range j.of {
		if !counted[p.group] {
			counted[p.group], n = true, n+len(p.group.lost)+len(p.group.made)
		}
	}
	return n
}

// TestOver withholds why an end sent an RST that the point nearest to it lacks, when its capture may have been over but the
// TTL is another's; without that sign it may well have come from there.
func TestOver(t *testing.T) {
	for ttl, want := range map[uint8]analyze.ResetCause{60: analyze.UnknownCause, 63: analyze.NoSocket} {
		w := &wire{delay: 5 * ms}
		w.handshake()
		w.put(50*ms, client, seenBoth, event.ACK, 1, 1, 10)
		w.put(time.Second, client, seenRight, event.RST, 11, 0, 0)
		w.points[1].Segments[len(w.points[1].Segments)-1].TTL = ttl
		all := w.captures()
		all[0].Last = all[0].Segments[len(all[0].Segments)-1].Time
		j := Join(all)
		c := &analyze.Connection{
			FirstFrame: 1, LastFrame: 5, Client: left, Server: right, Ending: analyze.WasReset,
			Reset: &analyze.Reset{By: analyze.Client, Frame: 5, Cause: analyze.NoSocket, Confidence: analyze.Inferred},
		}
		if j.Annotate(c); c.Reset.Cause != want || c.Path != nil {
			t.Errorf("TTL %d: cause %s, path %v, want %s", ttl, c.Reset.Cause, c.Path, want)
		}
	}
}
