package flows

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
	"github.com/closecap/closecap/internal/story"
)

// traffic makes the segments of a few connections, most of them usual and some not.
func traffic(r *rand.Rand) []event.Segment {
	server := netip.MustParseAddrPort("10.0.1.1:80")
	var out []event.Segment
	var next [4][2]seqnum.Value
	now := event.Time(1e18)
	for i := range 400 {
		c, e := r.IntN(len(next)), r.IntN(2)
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(c)}), 40000)
		now += event.Time(r.IntN(3e6))
		s := event.Segment{Frame: uint64(i + 1), Time: now, Window: 500, Has: event.HasIPID, IPID: uint16(r.IntN(4)),
			Src: client, Dst: server, Flags: event.ACK, Len: uint32(r.IntN(2) * 700)}
		switch i / 4 {
		case 0, 1, 2: // the handshakes
			c, e, s.Len = i%4, i/4%2, 0
			s.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(c)}), 40000)
			s.Flags = []event.Flags{event.SYN, event.SYN | event.ACK, event.ACK}[i/4]
			client = s.Src
		default:
			switch x := r.IntN(200); {
			case x == 0:
				s.Flags |= event.FIN
			case x == 1:
				s.Flags |= event.RST
			case x < 6:
				s.Window = 0
			case x < 10:
				next[c][e] -= 700
			}
		}
		if e == 1 {
			s.Src, s.Dst = server, client
		}
		s.Seq, s.Ack = next[c][e], next[c][1-e]
		next[c][e] = s.End()
		out = append(out, s)
	}
	return out
}

// TestCalmWay follows the same traffic the short way, looking ahead, and wholly the long way.
func TestCalmWay(t *testing.T) {
	short := 0
	for seed := range uint64(200) {
		segments := traffic(rand.New(rand.NewPCG(seed, 1)))
		var got, want []*analyze.Connection
		f := NewFollower(analyze.Options{}, func(c *analyze.Connection) { got = append(got, c) })
		g := NewFollower(analyze.Options{}, func(c *analyze.Connection) { want = append(want, c) })
		for batch := range slices.Chunk(segments, 100) {
			f.Segments(batch)
		}
		for i := range segments {
			g.Segment(&segments[i])
			for _, p := range g.table.all(nil) {
				g.catchUp(p)
				if fl := g.roster.flows[p]; fl.steady {
					short++
					fl.steady = false
				}
			}
		}
		f.Finish()
		g.Finish()
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Fatalf("seed %d: the short way gives\n%s\nthe long way\n%s", seed, a, b)
		}
	}
	if short == 0 {
		t.Error("no flow was ever calm")
	}
}

// TestCalmCompleteness has its only pure ACK in the calm middle of the connection.
func TestCalmCompleteness(t *testing.T) {
	got := followAll(analyze.Options{}, story.Parse(t, `
1 0.000 client > server S seq 1000 win 64240
2 0.001 server > client S. seq 5000 ack 1001 win 65160
3 0.002 client > server P. seq 1001 ack 5001 len 12 win 502
4 0.003 server > client P. seq 5001 ack 1013 len 12 win 502
5 0.004 client > server P. seq 1013 ack 5013 len 12 win 502
6 0.005 server > client . seq 5013 ack 1025 win 502
`))
	if want := 15; len(got) != 1 || got[0].Compat.Completeness != want { // SYN, SYN,ACK, ACK and data
		t.Errorf("completeness %d, want %d", got[0].Compat.Completeness, want)
	}
}
