package decode

import (
	"maps"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// What a packet was instead of TCP is named, and so is what may hide TCP.
func TestOther(t *testing.T) {
	frame := func(kind uint16, rest ...byte) []byte {
		return append(append(make([]byte, 12), byte(kind>>8), byte(kind)), rest...)
	}
	in4 := func(proto layers.IPProtocol, rest ...byte) []byte {
		return serialize(t, eth(layers.EthernetTypeIPv4), ip4(proto), gopacket.Payload(rest))
	}
	udp := func(port uint16, rest ...byte) []byte {
		return in4(layers.IPProtocolUDP, append([]byte{0, 1, byte(port >> 8), byte(port), 0, byte(8 + len(rest)), 0, 0}, rest...)...)
	}
	gre := func(kind uint16, rest ...byte) []byte {
		return in4(layers.IPProtocolGRE, append([]byte{0, 0, byte(kind >> 8), byte(kind)}, rest...)...)
	}
	wifi := func(kind, flags byte) []byte { return append([]byte{kind, flags}, make([]byte, 40)...) }
	for _, tt := range []struct {
		link   uint16
		data   []byte
		want   string
		hidden bool
	}{
		{1, frame(0x0806, 0, 1), "ARP", false},
		{1, frame(0xfedc, 0, 1), "unknown EtherType 0xfedc", true},
		{1, frame(0x88e5, 0, 1), "MACsec", true},
		{1, frame(3, 0x42, 0x42, 3), "spanning tree", false},
		{1, frame(9, 0x42, 0x42, 3, 0, 0, 0, 0, 0, 0), "spanning tree", false},
		{1, frame(9, 0xaa, 0xaa, 3, 0, 0, 12, 0x20, 0, 0), "CDP", false},
		{1, in4(layers.IPProtocolICMPv4, 8, 0), "ICMP", false},
		{1, in4(layers.IPProtocolESP, 8, 0), "ESP", true},
		{1, in4(200, 8, 0), "unknown IP protocol 200", true},
		{1, udp(53), "UDP", false},
		{1, udp(4789, make([]byte, 8)...), "VXLAN without user data, or of another version", false},
		{1, udp(4789, append([]byte{8, 0, 0, 0, 0, 0, 7, 0}, frame(0x0806)...)...), "ARP in VXLAN", false},
		{1, udp(4790, 0x0c, 0, 0, 99, 0, 0, 7, 0), "unknown next protocol 99 in VXLAN", true},
		{1, udp(2152, 0x30, 1, 0, 0, 0, 0, 0, 0), "GTP without user data, or of another version", false},
		{1, udp(1701, 0xc8, 2, 0, 12, 0, 0, 0, 0), "L2TP without user data, or of another version", false},
		{1, gre(0x0101), "unknown EtherType 0x0101 in GRE", true},
		{1, gre(0), "keep-alive in GRE", false},
		{1, gre(0x880b, 0xff, 3, 0xc0, 0x21), "LCP in GRE", false},
		{1, in4(layers.IPProtocolGRE, 0x40, 0, 8, 0), "GRE with source routes, or of another version", true},
		{1, in4(layers.IPProtocolIPv4, serialize(t, ip4(layers.IPProtocolICMPv4))...), "ICMP in IP in IP", false},
		{1, frame(0x8847, 0, 0, 1, 9, 0xf0), "MPLS over what is neither IP nor Ethernet", true},
		{1, frame(0x8864, 0x11, 9, 0, 0, 0, 0), "PPPoE discovery", false},
		{113, []byte{0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0c}, "unknown Linux cooked type 0x000c", true},
		{0, []byte{99, 0, 0, 0}, "unknown address family 99", true},
		{105, wifi(0x80, 0), "Wi-Fi without data", false},
		{105, wifi(0x88, 0x41), "Wi-Fi, encrypted", true},
		{10, make([]byte, 20), "FDDI without LLC", false},
	} {
		d := New()
		_, v := read(d, tt.link, tt.data)
		if got := d.Other(); v != NotTCP || got.String() != tt.want || got.Hidden() != tt.hidden {
			t.Errorf("link type %d, %x: %v, Other = %q (hidden %v), want %q (%v)", tt.link, tt.data, v, got, got.Hidden(), tt.want, tt.hidden)
		}
	}
	d := New()
	read(d, 1, frame(0x0806, 0, 1))
	if _, v := read(d, 101, piece(t, 9, 0, 504)); v != NotTCP || d.Other() != (Other{}) {
		t.Errorf("a fragment that waits: %v, Other = %q, want none", v, d.Other())
	}
}

// Of the subframes of an A-MSDU but the first it is said that they were not read.
func TestAggregate(t *testing.T) {
	ip := ip4(layers.IPProtocolTCP)
	segment := serialize(t, ip, syn(ip), hello)
	head := append(append([]byte{0x88, 2}, make([]byte, 22)...), 0x80, 0)
	subframe := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0, byte(8 + len(segment)), 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, segment...)
	padded := append(subframe, make([]byte, -len(subframe)&3)...)
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"one":               {append(head, subframe...), ""},
		"one and check sum": {append(append(head, padded...), 1, 2, 3, 4), ""},
		"two":               {append(append(head, padded...), padded...), "A-MSDU, of which only the first part is read"},
		"two, in GRE": {serialize(t, ip4(layers.IPProtocolGRE), &layers.GRE{Protocol: 0x8200},
			gopacket.Payload(append(append(head, padded...), padded...))), "A-MSDU, of which only the first part is read in GRE"},
	} {
		link := uint16(105)
		if tt.data[0] == 0x45 {
			link = 101
		}
		d := New()
		got, v := read(d, link, tt.data)
		other := ""
		if d.Other() != (Other{}) {
			other = d.Other().String()
		}
		if v != TCP || got.Len != want(false).Len || other != tt.want {
			t.Errorf("%s: %v of %d bytes, Other = %q, want %q", name, v, got.Len, other, tt.want)
		}
	}
}

func TestOthers(t *testing.T) {
	var o Others
	for i := range uint16(100) {
		for range i {
			o.Add(Other{stop: stopEtherType, number: 100 - i})
		}
	}
	got, packets := maps.Collect(o.All()), o.Rest()
	for _, n := range got {
		packets += n
	}
	if len(got) != maxOthers || packets != 99*100/2 {
		t.Errorf("%d kinds of %d packets, want %d of %d", len(got), packets, maxOthers, 99*100/2)
	}
	if n := testing.AllocsPerRun(100, func() { o.Add(Other{stop: stopIP, number: 17}) }); n != 0 {
		t.Errorf("Add allocates %v times", n)
	}
}

func TestTunnelsHaveNames(t *testing.T) {
	for i := tunnel(1); i < tunnelKinds; i++ {
		if tunnels[i] == "" {
			t.Errorf("tunnel %d has no name", i)
		}
	}
}
