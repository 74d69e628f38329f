package decode

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// piece is an IPv4 fragment: bytes [from, to) of a datagram that has 1000 of payload.
func piece(t testing.TB, id uint16, from, to int) []byte {
	ip := ip4(layers.IPProtocolTCP)
	whole := serialize(t, ip, syn(ip), make(gopacket.Payload, 1000))
	b := append(append([]byte(nil), whole[:20]...), whole[20+from:min(20+to, len(whole))]...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[4:], id)
	word := uint16(from / 8)
	if 20+to < len(whole) {
		word |= 0x2000
	}
	binary.BigEndian.PutUint16(b[6:], word)
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], ^fold(sum(b[:20])))
	return b
}

func TestFragmentsInAnyOrder(t *testing.T) {
	type span struct{ from, to int }
	for _, order := range [][]span{
		{{0, 504}, {504, 1100}},
		{{504, 1100}, {0, 504}},
		{{0, 8}, {8, 16}, {16, 1100}}, // the header itself in pieces
		{{800, 1100}, {0, 400}, {400, 800}},
		{{0, 504}, {0, 504}, {496, 1100}}, // repeated and overlapping
	} {
		d := New()
		for i, o := range order {
			s, v := read(d, 101, piece(t, 0x1234, o.from, o.to))
			if i < len(order)-1 {
				if v != NotTCP {
					t.Errorf("%v: Segment of piece %d = %v, want not tcp", order, i, v)
				}
				continue
			}
			w := want(false)
			w.Len = 1000
			if v != TCP || s != w {
				t.Errorf("%v: %v\n got %+v\nwant %+v", order, v, s, w)
			}
		}
		d.Flush()
		if d.Abandoned(&event.Segment{}) {
			t.Errorf("%v: something is left over", order)
		}
	}
}

// A router's capture shows each piece as it comes and as it leaves: that is two datagrams.
func TestFragmentsBothWays(t *testing.T) {
	cooked := func(packetType uint8, b []byte) []byte {
		return append([]byte{0, packetType, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}, b...)
	}
	d := New()
	var whole []event.Has
	for _, o := range []struct {
		packetType uint8
		from, to   int
	}{{0, 0, 504}, {4, 0, 504}, {0, 504, 1100}, {4, 504, 1100}} {
		if s, v := read(d, 113, cooked(o.packetType, piece(t, 0x1234, o.from, o.to))); v == TCP {
			whole = append(whole, s.Has&(event.Incoming|event.Outgoing))
		}
	}
	if len(whole) != 2 || whole[0] != event.Incoming || whole[1] != event.Outgoing {
		t.Errorf("put together: %v, want what came and what left", whole)
	}
}

func TestIPv6Fragments(t *testing.T) {
	ip := ip6(layers.IPProtocolTCP)
	whole := serialize(t, ip, syn(ip), make(gopacket.Payload, 1000))
	d := New()
	for i, c := range []struct {
		from, to int
		word     uint16
	}{{0, 600, 1}, {600, 1040, 600}} {
		b := append([]byte(nil), whole[:40]...)
		b[6] = protoFragment
		b = append(b, 6, 0, byte(c.word>>8), byte(c.word), 1, 2, 3, 4)
		b = append(b, whole[40+c.from:40+c.to]...)
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
		s, v := read(d, 101, b)
		if i == 0 {
			if v != NotTCP {
				t.Errorf("first piece = %v, want not tcp", v)
			}
			continue
		}
		w := want(true)
		w.Len = 1000
		if v != TCP || s != w {
			t.Errorf("%v\n got %+v\nwant %+v", v, s, w)
		}
	}
}

// A first fragment on its own is still told, at the end or after 30 seconds.
func TestFirstFragmentAlone(t *testing.T) {
	w := want(false)
	w.Len, w.Has = 504-40, w.Has|event.Fragmented
	var s event.Segment
	d := New()
	read(d, 101, piece(t, 0x1234, 0, 504))
	d.Flush()
	if !d.Abandoned(&s) || s != w {
		t.Errorf("Abandoned after Flush\n got %+v\nwant %+v", s, w)
	}

	d = New()
	read(d, 101, piece(t, 0x1234, 0, 504))
	late := piece(t, 0x4321, 0, 504)
	p := event.Packet{Frame: 2, Time: event.Time(31 * time.Second), LinkType: 101, WireLen: len(late), Data: late}
	d.Segment(&p, new(event.Segment))
	if !d.Abandoned(&s) || s != w {
		t.Errorf("Abandoned after 31 s\n got %+v\nwant %+v", s, w)
	}

	// From here on it is plain that no later fragments pass the capture's filter.
	w.IPID = 7
	if s, v := read(d, 101, piece(t, 7, 0, 504)); v != TCP || s != w {
		t.Errorf("next first fragment: %v\n got %+v\nwant %+v", v, s, w)
	}
}

// Of a tunnel's packet in fragments the first has the inner headers: the capture lacks nothing of
// the segment, unless the snap length cut that piece.
func TestTunnelInFragments(t *testing.T) {
	inner := ip4(layers.IPProtocolTCP)
	gtp := gopacket.Payload{0x30, 0xff, 4, 64, 0, 0, 0, 1}
	u, outer := udp(2152), ip4(layers.IPProtocolUDP)
	if err := u.SetNetworkLayerForChecksum(outer); err != nil {
		t.Fatal(err)
	}
	whole := serialize(t, outer, u, gtp, inner, syn(inner), make(gopacket.Payload, 1000))
	first := append([]byte(nil), whole[:20+512]...)
	binary.BigEndian.PutUint16(first[2:], uint16(len(first)))
	binary.BigEndian.PutUint16(first[6:], 0x2000)
	first[10], first[11] = 0, 0
	w := want(false)
	w.Len = 1000
	for _, snap := range []int{len(first), 200} {
		var s event.Segment
		if snap < len(first) {
			w.Has |= event.Truncated
		}
		v := New().Segment(&event.Packet{Frame: 1, Time: 5, LinkType: 101, WireLen: len(first), Data: first[:snap]}, &s)
		if v != TCP || s != w {
			t.Errorf("first fragment, %d bytes captured: %v\n got %+v\nwant %+v", snap, v, s, w)
		}
	}
}

func TestFragmentsAreBounded(t *testing.T) {
	d := New()
	for id := range 5 * maxDatagrams {
		read(d, 101, piece(t, uint16(id), 504, 1100))
		read(d, 101, piece(t, uint16(id), 0, 400))
	}
	f := &d.fragments
	if len(f.pending) > maxDatagrams || len(f.order) > maxDatagrams ||
		len(f.free) > maxDatagrams || len(f.abandoned) > maxDatagrams {
		t.Errorf("waiting %d, in order %d, free %d, abandoned %d; want at most %d each",
			len(f.pending), len(f.order), len(f.free), len(f.abandoned), maxDatagrams)
	}
}

func TestImpossibleFragments(t *testing.T) {
	odd := piece(t, 1, 0, 504)
	odd = odd[:len(odd)-3]
	binary.BigEndian.PutUint16(odd[2:], uint16(len(odd)))
	far := piece(t, 1, 504, 1100)
	binary.BigEndian.PutUint16(far[6:], 0x1fff)
	for name, b := range map[string][]byte{"not a multiple of 8": odd, "beyond 64 KiB": far} {
		d := New()
		if _, v := read(d, 101, b); v != Unparsed || d.Why() != BadIPLength {
			t.Errorf("%s: Segment = %v (%v), want unparsed (bad IP length)", name, v, d.Why())
		}
	}
}
