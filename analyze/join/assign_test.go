package join

import (
	"net/netip"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestToldByTimeIsInferred joins connects that failed and lost their own address with two refused
// connections to one server.
func TestToldByTimeIsInferred(t *testing.T) {
	server := netip.MustParseAddrPort("10.0.0.2:80")
	clients := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.1:40001")}
	unknown := analyze.Root{Kind: analyze.RootUnknown, Why: "several sockets called connect() at that time, and their own addresses are not known"}
	remote := analyze.Root{Kind: analyze.RootRemote, Confidence: analyze.Observed}
	connect := func(id int, start, end event.Time, local netip.AddrPort) *event.Call {
		return &event.Call{ID: id, PID: 7, TID: 10 + id, FD: 2 + id, Name: "connect", Local: local, Remote: server,
			Ret: -1, Errno: "ECONNREFUSED", Start: start, End: end, RecvQ: -1}
	}
	tests := map[string]struct {
		calls []*event.Call
		want  [2]analyze.Root // of the two SYNs, at 100 and at 200
	}{
		"one at a time": {
			[]*event.Call{connect(1, 90, 120, netip.AddrPort{}), connect(2, 190, 220, netip.AddrPort{})},
			[2]analyze.Root{{Kind: analyze.RootCall, Call: 1, Confidence: analyze.Inferred}, {Kind: analyze.RootCall, Call: 2, Confidence: analyze.Inferred}},
		},
		"both overlap": {
			[]*event.Call{connect(1, 90, 320, netip.AddrPort{}), connect(2, 91, 320, netip.AddrPort{})},
			[2]analyze.Root{unknown, unknown},
		},
		"one has an address": {
			[]*event.Call{connect(1, 90, 320, netip.AddrPort{}), connect(2, 91, 320, clients[1])},
			[2]analyze.Root{{Kind: analyze.RootCall, Call: 1, Confidence: analyze.Inferred}, {Kind: analyze.RootCall, Call: 2, Confidence: analyze.Observed}},
		},
		"two for one SYN": {
			[]*event.Call{connect(1, 90, 120, netip.AddrPort{}), connect(2, 91, 120, netip.AddrPort{})},
			[2]analyze.Root{unknown, remote},
		},
		"bound to any address": {
			[]*event.Call{connect(1, 90, 320, netip.MustParseAddrPort("0.0.0.0:40001"))},
			[2]analyze.Root{remote, {Kind: analyze.RootCall, Call: 1, Confidence: analyze.Inferred}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rec := &event.Recording{Calls: tt.calls}
			for i, client := range clients {
				at := event.Time(100 * (i + 1))
				rec.Segments = append(rec.Segments,
					event.Segment{Frame: uint64(2*i + 1), Time: at, Src: client, Dst: server, Flags: event.SYN, Seq: 7},
					event.Segment{Frame: uint64(2*i + 2), Time: at + 1, Src: server, Dst: client, Flags: event.RST | event.ACK, Ack: 8})
			}
			res := Join(rec, analyze.Options{})
			for i, want := range tt.want {
				got := res.Connections[i].Segments[0].Root
				if got.Kind != want.Kind || got.Call != want.Call || got.Confidence != want.Confidence || got.Why != want.Why {
					t.Errorf("SYN %d: root %+v, want %+v", i, got, want)
				}
			}
		})
	}
}

// TestToldByDescriptorIsInferred closes a connection by a descriptor whose socket has no address
// and no identity any more.
func TestToldByDescriptorIsInferred(t *testing.T) {
	for _, socket := range []uint64{0, 5} {
		rec := parseEvents(t, `
1 0.000 10.0.0.1:40000 > 10.0.0.2:80 S seq 100
2 0.001 10.0.0.2:80 > 10.0.0.1:40000 S. seq 500 ack 101
3 0.002 10.0.0.1:40000 > 10.0.0.2:80 . seq 101 ack 501
5 0.101 10.0.0.1:40000 > 10.0.0.2:80 F. seq 101 ack 501
9 0.000-0.002 client connect() = 0
4 0.100-0.102 client close() = 0`)
		for i := range rec.Calls {
			rec.Calls[i].Socket = socket
		}
		rec.Calls[1].Local, rec.Calls[1].Remote = netip.AddrPort{}, netip.AddrPort{}
		want := map[uint64]analyze.Confidence{0: analyze.Inferred, 5: analyze.Observed}[socket]
		got := Join(rec, analyze.Options{}).Connections[0].Segments[3].Root
		if got.Kind != analyze.RootCall || got.Call != 4 || got.Confidence != want {
			t.Errorf("socket %d: FIN by %+v, want call 4, %s", socket, got, want)
		}
	}
}
