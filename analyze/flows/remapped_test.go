package flows

import (
	"net/netip"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
	"github.com/closecap/closecap/internal/story"
)

// TestRemappedEarlier resets the connection that a NAT forgot, later: that RST answers nothing that went on with other
// numbers.
func TestRemappedEarlier(t *testing.T) {
	conns := followAll(analyze.Options{AllSegments: true}, story.Parse(t, `
1 0.000000 client > server S seq 1000 win 64240
2 0.001000 server > client S. seq 5000 ack 1001 win 64240
3 0.002000 client > server . seq 1001 ack 5001 win 502
4 0.003000 client > server P. seq 1001 ack 5001 len 12 win 502
5 0.004000 server > client P. seq 5001 ack 1013 len 10 win 509
6 0.005000 client > server . seq 1013 ack 5011 win 502
7 400.000000 10.0.0.1:50000 > server P. seq 1013 ack 5011 len 12 win 502
8 400.000100 server > 10.0.0.1:50000 R seq 5011
9 900.000000 server > client R. seq 5011 ack 1013 win 509`))
	for _, c := range conns {
		if c.ID != 1 {
			continue
		}
		if r := c.Remapped; r == nil || r.Earlier {
			t.Errorf("remapped: %+v, want the later one", r)
		}
		if c.Closer != analyze.Server || c.Reset.Cause != analyze.Aborted {
			t.Errorf("closed by %q, reset by cause %q, want server, aborted", c.Closer, c.Reset.Cause)
		}
	}
}

// TestManyStrays holds the search for what strays go on with to a bounded part of the work: each of many
// connections to one server goes on under another port, and each is answered by an RST.
func TestManyStrays(t *testing.T) {
	server := netip.MustParseAddrPort("10.0.0.2:80")
	at := func(net byte, n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, net, byte(n >> 8), byte(n)}), 40000)
	}
	frame := uint64(0)
	found, conns := 0, 0
	f := NewFollower(analyze.Options{MaxConnections: 1 << 20}, func(c *analyze.Connection) {
		conns++
		if r := c.Remapped; r != nil && r.Earlier {
			found++
		}
	})
	send := func(src, dst netip.AddrPort, flags event.Flags, seq, ack, n uint32) {
		frame++
		f.Segment(&event.Segment{Frame: frame, Time: event.Time(frame) * 1000, Src: src, Dst: dst, Flags: flags,
			Seq: seqnum.Value(seq), Ack: seqnum.Value(ack), Len: n, Window: 512})
	}
	const n = 4000
	for i := range n {
		isn := uint32(i) * 100_000
		send(at(1, i), server, event.SYN, isn, 0, 0)
		send(server, at(1, i), event.SYN|event.ACK, isn+7, isn+1, 0)
		send(at(1, i), server, event.ACK, isn+1, isn+8, 0)
	}
	for i := range n {
		isn := uint32(i) * 100_000
		send(at(2, i), server, event.ACK|event.PSH, isn+1, isn+8, 5)
		send(server, at(2, i), event.RST, isn+8, 0, 0)
	}
	f.Finish()
	if conns != 2*n || found == 0 || found == n {
		t.Errorf("%d connections, %d go on with another; want %d, and some but not all", conns, found, 2*n)
	}
	if most := looks*f.stats.Segments + credit + asked; f.looked > most {
		t.Errorf("%d connections looked at, want no more than %d", f.looked, most)
	}
}
