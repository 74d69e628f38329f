package decode

import (
	"net"
	"net/netip"
	"testing"

	"github.com/closecap/closecap/analyze/event"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

var (
	client4 = net.IPv4(10, 0, 0, 1)
	server4 = net.IPv4(10, 0, 0, 2)
	client6 = net.ParseIP("2001:db8::1")
	server6 = net.ParseIP("2001:db8::2")
)

func eth(kind layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{
		SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2},
		EthernetType: kind,
	}
}

func ip4(proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{
		Version: 4, IHL: 5, TTL: 61, Id: 0x1234, Protocol: proto, SrcIP: client4, DstIP: server4,
	}
}

func ip6(next layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 61, NextHeader: next, SrcIP: client6, DstIP: server6}
}

// syn is the segment that every packet of these tests carries, at the bottom of its layers.
func syn(under gopacket.NetworkLayer) *layers.TCP {
	t := &layers.TCP{
		SrcPort: 40000, DstPort: 80, Seq: 0xfffffff0, Ack: 7, SYN: true, ACK: true, Window: 4711,
		Options: []layers.TCPOption{
			{OptionType: 2, OptionLength: 4, OptionData: []byte{0x05, 0xb4}},
			{OptionType: 4, OptionLength: 2},
			{OptionType: 8, OptionLength: 10, OptionData: []byte{0, 0, 0, 9, 0, 0, 0, 8}},
			{OptionType: 1},
			{OptionType: 3, OptionLength: 3, OptionData: []byte{7}},
		},
	}
	if err := t.SetNetworkLayerForChecksum(under); err != nil {
		panic(err)
	}
	return t
}

func serialize(t testing.TB, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	opt := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buf, opt, ls...); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func want(v6 bool) event.Segment {
	s := event.Segment{
		Frame: 1, Time: 5, Seq: 0xfffffff0, Ack: 7, Len: 5, Window: 4711,
		IPID: 0x1234, Flags: event.SYN | event.ACK, TTL: 61,
		Src: netip.MustParseAddrPort("10.0.0.1:40000"), Dst: netip.MustParseAddrPort("10.0.0.2:80"),
		Has:     event.HasMSS | event.HasWScale | event.HasSACKPermitted | event.HasTimestamps | event.HasIPID,
		Options: event.Options{MSS: 1460, WScale: 7, TSVal: 9, TSEcr: 8},
	}
	if v6 {
		s.IPID, s.Has = 0, s.Has&^event.HasIPID
		s.Src = netip.MustParseAddrPort("[2001:db8::1]:40000")
		s.Dst = netip.MustParseAddrPort("[2001:db8::2]:80")
	}
	return s
}

func decode(t testing.TB, link uint16, b []byte, want event.Segment) {
	t.Helper()
	d := New()
	p := event.Packet{Frame: 1, Time: 5, WireLen: len(b), LinkType: link, Data: b}
	var got event.Segment
	if v := d.Segment(&p, &got); v != TCP {
		t.Fatalf("Segment = %v (%v), want tcp", v, d.Why())
	}
	if got != want {
		t.Errorf("Segment\n got %+v\nwant %+v", got, want)
	}
}

var hello = gopacket.Payload("hello")

func TestEthernet(t *testing.T) {
	ip := ip4(layers.IPProtocolTCP)
	b := serialize(t, eth(layers.EthernetTypeIPv4), ip, syn(ip), hello)
	decode(t, 1, b, want(false))
	decode(t, 1, append(b, "trailer"...), want(false))
	decode(t, 101, b[14:], want(false))

	v6 := ip6(layers.IPProtocolTCP)
	b = serialize(t, eth(layers.EthernetTypeIPv6), v6, syn(v6), hello)
	decode(t, 1, b, want(true))
	decode(t, 101, b[14:], want(true))
}
