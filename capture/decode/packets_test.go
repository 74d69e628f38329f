package decode

import (
	"testing"

	"github.com/closecap/closecap/analyze/event"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// sample is a packet whose segment is want(v6).
type sample struct {
	name string
	link uint16
	data []byte
	v6   bool
}

type stack = []gopacket.SerializableLayer

func vlan(kind layers.EthernetType) *layers.Dot1Q {
	return &layers.Dot1Q{VLANIdentifier: 5, Type: kind}
}

func udp(port layers.UDPPort) *layers.UDP { return &layers.UDP{SrcPort: 50000, DstPort: port} }

// samples are all the encapsulations, each of a complete packet.
func samples(t testing.TB) []sample {
	var all []sample
	add := func(name string, link uint16, v6 bool, under stack, prefix ...byte) {
		var ip gopacket.SerializableLayer = ip4(layers.IPProtocolTCP)
		if v6 {
			ip = ip6(layers.IPProtocolTCP)
		}
		ls := append(under, ip, syn(ip.(gopacket.NetworkLayer)), hello)
		all = append(all, sample{name, link, append(prefix, serialize(t, ls...)...), v6})
	}
	v4, v6 := layers.EthernetTypeIPv4, layers.EthernetTypeIPv6

	add("ethernet", 1, false, stack{eth(v4)})
	add("ethernet, IPv6", 1, true, stack{eth(v6)})
	add("802.1Q", 1, false, stack{eth(layers.EthernetTypeDot1Q), vlan(v4)})
	add("QinQ", 1, true, stack{eth(layers.EthernetTypeQinQ), vlan(layers.EthernetTypeDot1Q), vlan(v6)})
	add("802.3 SNAP", 1, false, nil,
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0, 73, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0)
	add("VN-Tag", 1, false, stack{eth(0x8926), gopacket.Payload{0, 1, 0, 2, 8, 0}})
	add("802.1ah", 1, false, stack{eth(0x88e7), gopacket.Payload{0, 0, 0, 7}, eth(v4)})
	add("FabricPath", 1, false, stack{eth(0x8903), gopacket.Payload{0, 1}, eth(v4)})
	add("ENC", 109, false, nil, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	add("PFLOG", 117, false, nil, append([]byte{61, 2}, make([]byte, 62)...)...)
	add("NFLOG", 239, false, nil,
		2, 0, 0, 1, 6, 0, 10, 0, 'a', 0, 0, 0, 8, 0, 5, 0, 0, 0, 0, 1, 69, 0, 9, 0)
	add("NFLOG, big-endian", 239, true, nil, 10, 0, 0, 1, 0, 5, 0, 10, 0, 0, 0, 0, 0, 89, 0, 9)
	add("FDDI", 10, false, nil, 0x50, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0)
	add("A-MSDU", 105, false, nil, append(append([]byte{0x88, 2}, make([]byte, 22)...), 0x80, 0,
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0, 73, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0)...)
	add("raw", 101, false, nil)
	add("raw IPv6", 229, true, nil)
	add("null, little-endian", 0, false, nil, 2, 0, 0, 0)
	add("null, big-endian, Darwin", 0, true, nil, 0, 0, 0, 30)
	add("loop, FreeBSD", 108, true, nil, 0, 0, 0, 28)
	add("PPP", 9, false, stack{&layers.PPP{PPPType: layers.PPPTypeIPv4}})
	add("PPP with address and control", 50, true, nil, 0xff, 3, 0, 0x57)
	add("PPP, compressed protocol", 9, false, nil, 0x21)
	add("PPP of pppd", 166, false, nil, 1, 3, 0, 0x21)
	add("PPP link of Cisco's framing", 50, true, nil, 0x8f, 0, 0x86, 0xdd)
	add("IP over Infiniband", 242, false, nil, append(make([]byte, 40), 8, 0, 0, 0)...)
	add("PPP with direction", 204, false, nil, 1, 0xff, 3, 0, 0x21)
	add("Cisco HDLC", 104, false, nil, 0x0f, 0, 8, 0)
	add("PPPoE", 1, false, stack{eth(layers.EthernetTypePPPoESession),
		&layers.PPPoE{Version: 1, Type: 1, SessionId: 7}, &layers.PPP{PPPType: layers.PPPTypeIPv4}})
	add("PPPoE link", 51, true, stack{
		&layers.PPPoE{Version: 1, Type: 1, SessionId: 7}, &layers.PPP{PPPType: layers.PPPTypeIPv6}})
	add("MPLS", 1, false, stack{eth(layers.EthernetTypeMPLSUnicast),
		&layers.MPLS{Label: 20, TTL: 9}, &layers.MPLS{Label: 21, TTL: 9, StackBottom: true}})
	add("MPLS pseudowire", 1, false, stack{eth(layers.EthernetTypeMPLSUnicast),
		&layers.MPLS{Label: 20, TTL: 9, StackBottom: true}, gopacket.Payload{0, 0, 0, 1}, eth(v4)})
	add("MPLS link", 219, true, stack{&layers.MPLS{Label: 20, TTL: 9, StackBottom: true}})
	add("IPv4 in IPv4", 1, false, stack{eth(v4), ip4(layers.IPProtocolIPv4)})
	add("6in4", 1, true, stack{eth(v4), ip4(layers.IPProtocolIPv6)})
	add("4in6", 1, false, stack{eth(v6), ip6(layers.IPProtocolIPv4)})
	add("GRE", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE), &layers.GRE{Protocol: v4}})
	add("GRE with all", 1, true, stack{eth(v4), ip4(layers.IPProtocolGRE),
		&layers.GRE{Protocol: v6, ChecksumPresent: true, KeyPresent: true, SeqPresent: true}})
	add("Aruba", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE), &layers.GRE{Protocol: 0x8210},
		gopacket.Payload(append(append([]byte{8, 2}, make([]byte, 22)...), 0xaa, 0xaa, 3, 0, 0, 0, 8, 0))})
	add("GRE Ethernet", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE),
		&layers.GRE{Protocol: layers.EthernetTypeTransparentEthernetBridging}, eth(v4)})
	add("PPTP", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE),
		&layers.GRE{Protocol: layers.EthernetTypePPP, KeyPresent: true, SeqPresent: true, AckPresent: true, Version: 1},
		&layers.PPP{PPPType: layers.PPPTypeIPv4}})
	add("ERSPAN II", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE),
		&layers.GRE{Protocol: layers.EthernetTypeERSPAN, SeqPresent: true},
		gopacket.Payload{0x10, 1, 2, 3, 4, 5, 6, 7}, eth(v4)})
	add("ERSPAN I", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE),
		&layers.GRE{Protocol: layers.EthernetTypeERSPAN}, eth(v4)})
	add("ERSPAN III", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE), &layers.GRE{Protocol: 0x22eb, SeqPresent: true},
		gopacket.Payload{0x20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0}, eth(v4)})
	add("ERSPAN III of IP", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE), &layers.GRE{Protocol: 0x22eb, SeqPresent: true},
		gopacket.Payload{0x20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0}})
	addUDP := func(name string, port layers.UDPPort, v6in bool, inner ...gopacket.SerializableLayer) {
		outer, u := ip4(layers.IPProtocolUDP), udp(port)
		if err := u.SetNetworkLayerForChecksum(outer); err != nil {
			t.Fatal(err)
		}
		add(name, 1, v6in, append(stack{eth(v4), outer, u}, inner...))
	}
	addUDP("VXLAN", 4789, true, &layers.VXLAN{ValidIDFlag: true, VNI: 7}, eth(v6))
	addUDP("VXLAN on Linux's old port", 8472, false, &layers.VXLAN{ValidIDFlag: true, VNI: 7}, eth(v4))
	addUDP("VXLAN-GPE", 4790, false, gopacket.Payload{0x0c, 0, 0, 1, 0, 0, 7, 0})
	addUDP("Geneve", 6081, false, gopacket.Payload{0, 0, 0x65, 0x58, 0, 0, 7, 0}, eth(v4))
	addUDP("Geneve with options", 6081, true, gopacket.Payload{2, 0, 0x86, 0xdd, 0, 0, 7, 0, 1, 2, 3, 1, 9, 9, 9, 9})
	addUDP("Teredo", 3544, true)
	addUDP("Teredo with indications", 3544, true,
		gopacket.Payload{0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0x63, 0xbf, 0xf5, 0xff, 0xff, 0xfe})
	addUDP("GTP-U", 2152, false, gopacket.Payload{0x30, 0xff, 0, 65, 0, 0, 0, 1})
	addUDP("GTP-U with extension", 2152, false,
		gopacket.Payload{0x34, 0xff, 0, 73, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0})
	addUDP("L2TP", 1701, true, gopacket.Payload{0, 2, 0, 1, 0, 2, 0xff, 3, 0, 0x57})
	addUDP("L2TP with all", 1701, false,
		gopacket.Payload{0x4a, 2, 0, 99, 0, 1, 0, 2, 0, 3, 0, 4, 0, 2, 9, 9, 0, 0x21})
	addUDP("GRE in UDP", 4754, false, gopacket.Payload{0, 0, 8, 0})
	addUDP("AYIYA", 5072, true, gopacket.Payload(append([]byte{0x44, 0x52, 0x11, 41, 0, 0, 0, 9}, make([]byte, 16+20)...)))
	add("EtherIP", 1, false, stack{eth(v4), ip4(97), gopacket.Payload{0x30, 0}, eth(v4)})
	moreTunnels(add, addUDP)
	linux := linuxSamples(t, add)
	all = append(all, linux...)
	wifiSamples(add)
	return all
}

// moreTunnels are what few but Wireshark read.
func moreTunnels(add func(string, uint16, bool, stack, ...byte), addUDP func(string, layers.UDPPort, bool, ...gopacket.SerializableLayer)) {
	v4, v6 := layers.EthernetTypeIPv4, layers.EthernetTypeIPv6
	addUDP("VXLAN-GPE with NSH", 4790, true, gopacket.Payload{0x0c, 0, 0, 4, 0, 0, 7, 0, 0x0f, 0xc2, 2, 2, 0, 0, 7, 255})
	addUDP("VXLAN-GPE with MPLS", 4790, false, gopacket.Payload{0x0c, 0, 0, 5, 0, 0, 7, 0, 0, 1, 0x41, 9})
	addUDP("MPLS in UDP", 6635, true, gopacket.Payload{0, 1, 0x41, 9})
	addUDP("LISP", 4341, true, gopacket.Payload{0x80, 0, 0, 7, 0, 0, 0, 1})
	addUDP("TZSP", 37008, false, gopacket.Payload{1, 0, 0, 1, 10, 1, 5, 0, 1}, eth(v4))
	addUDP("TZSP of Wi-Fi", 37008, true, gopacket.Payload(append(append([]byte{1, 0, 0, 18, 1, 8, 1}, make([]byte, 22)...), 0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd)))
	addUDP("CAPWAP", 5247, false, gopacket.Payload{0, 0x10, 2, 0, 0, 0, 0, 0}, eth(v4))
	addUDP("CAPWAP of Wi-Fi", 5247, false, gopacket.Payload(append(append([]byte{0, 0x20, 3, 0x10, 0, 0, 0, 0, 4, 9, 9, 9, 9, 0, 0, 0, 1, 8},
		make([]byte, 22)...), 0xaa, 0xaa, 3, 0, 0, 0, 8, 0)))
	add("WCCP", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE), &layers.GRE{Protocol: 0x883e}, gopacket.Payload{0, 9, 0, 9}})
	add("EoIP", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE), gopacket.Payload{0x20, 1, 0x64, 0, 0, 59, 7, 0}, eth(v4)})
	add("Aruba, later queues", 1, false, stack{eth(v4), ip4(layers.IPProtocolGRE), &layers.GRE{Protocol: 0x8370},
		gopacket.Payload(append(append([]byte{8, 2}, make([]byte, 22)...), 0xaa, 0xaa, 3, 0, 0, 0, 8, 0))})
	add("NSH in GRE", 1, true, stack{eth(v4), ip4(layers.IPProtocolGRE), &layers.GRE{Protocol: 0x894f}, gopacket.Payload{0x0f, 0xc2, 2, 3, 0, 0, 7, 255}, eth(v6)})
	add("Ethernet in IP", 1, true, stack{eth(v4), ip4(143), eth(v6)})
	add("HSR", 1, false, stack{eth(0x892f), gopacket.Payload{0, 79, 0, 1, 8, 0}})
	add("E-TAG", 1, false, stack{eth(0x893f), gopacket.Payload{0, 1, 0, 2, 0, 0, 8, 0}})
	add("R-TAG", 1, false, stack{eth(0xf1c1), gopacket.Payload{0, 0, 0, 2, 8, 0}})
	add("Cisco's metadata", 1, false, stack{eth(0x8909), gopacket.Payload{1, 1, 0, 1, 0, 20, 8, 0}})
}

// linuxSamples are the cooked headers and the extension headers of IPv6.
func linuxSamples(t testing.TB, add func(string, uint16, bool, stack, ...byte)) []sample {
	add("SLL other host", 113, false, nil, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0)
	add("SLL2 other host", 276, true, nil,
		0x86, 0xdd, 0, 0, 0, 0, 0, 2, 0, 1, 3, 6, 2, 0, 0, 0, 0, 1, 0, 0)
	v6 := ip6(layers.IPProtocolIPv6HopByHop)
	extensions := []byte{
		60, 0, 1, 4, 0, 0, 0, 0, // hop by hop
		43, 0, 1, 4, 0, 0, 0, 0, // destination options
		44, 0, 0, 0, 0, 0, 0, 0, // routing, no segments left
		51, 0, 0, 0, 0, 0, 0, 9, // an atomic fragment
		6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, // authentication
	}
	b := serialize(t, v6, gopacket.Payload(extensions), syn(v6), hello)
	options := ip4(layers.IPProtocolTCP)
	options.Options = []layers.IPv4Option{{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}}
	return []sample{
		{"IPv6 extension headers", 101, b, true},
		{"IPv4 options", 101, serialize(t, options, syn(options), hello), false},
	}
}

// wifiSamples are 802.11 data frames behind each header that captures put before them.
func wifiSamples(add func(string, uint16, bool, stack, ...byte)) {
	address := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 3, 0x10, 0}
	snap := []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}
	cat := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	plain := cat([]byte{0x08, 1, 0, 0}, address, snap)
	qos := cat([]byte{0x88, 1, 0, 0}, address, []byte{0, 0}, snap)
	bridge := cat([]byte{0x88, 0x83, 0, 0}, address, []byte{2, 0, 0, 0, 0, 4, 0, 0, 1, 1, 1, 1}, snap)
	padded := cat([]byte{0x88, 1, 0, 0}, address, []byte{0, 0, 0, 0}, snap)
	radiotap := []byte{0, 0, 9, 0, 2, 0, 0, 0, 0x00}
	radiotapPad := []byte{0, 0, 21, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	radiotapPad = append(radiotapPad, 0, 0, 0, 0x20)
	radiotapPad[2] = 25

	add("802.11", 105, false, nil, plain...)
	add("802.11 QoS", 105, false, nil, qos...)
	add("802.11 between access points", 105, false, nil, bridge...)
	add("radiotap", 127, false, nil, cat(radiotap, qos)...)
	add("radiotap with padding", 127, false, nil, cat(radiotapPad, padded)...)
	add("prism", 119, false, nil, cat([]byte{0x44, 0, 0, 0, 144, 0, 0, 0}, make([]byte, 136), plain)...)
	add("AVS", 119, false, nil, cat([]byte{0x80, 0x21, 0x10, 1, 0, 0, 0, 12, 0, 0, 0, 0}, plain)...)
	add("PPI", 192, false, nil, cat([]byte{0, 0, 8, 0, 105, 0, 0, 0}, plain)...)
	add("PKTAP", 258, false, nil, cat([]byte{16, 0, 0, 0, 1, 0, 0, 0, 101, 0, 0, 0, 0, 0, 0, 0})...)
}

func TestEveryEncapsulation(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			decode(t, s.link, s.data, want(s.v6))
			decode(t, s.link, append(s.data, "trailer"...), want(s.v6))
		})
	}
}

// A snap length takes payload and options away, and never changes what is left.
func TestSnapLength(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			header := len(s.data) - len(hello) - 40
			for n := range len(s.data) {
				checkCut(t, s, n, header)
			}
		})
	}
}

func checkCut(t *testing.T, s sample, n, header int) {
	d := New()
	p := event.Packet{Frame: 1, Time: 5, WireLen: len(s.data), LinkType: s.link, Data: s.data[:n]}
	var got event.Segment
	content := d.Segment(&p, &got)
	if n < header+tcpLeast {
		if content != Unparsed || d.Why() != CutOff {
			t.Fatalf("cut at %d: %v (%v), want unparsed (cut off)", n, content, d.Why())
		}
		return
	}
	if content != TCP {
		t.Fatalf("cut at %d: %v (%v), want tcp", n, content, d.Why())
	}
	w := want(s.v6)
	w.Has |= event.Truncated
	if n < header+40 {
		w.Has |= event.OptionsTruncated
		for _, o := range []struct {
			has event.Has
			end int
		}{{event.HasMSS, 24}, {event.HasSACKPermitted, 26}, {event.HasTimestamps, 36}, {event.HasWScale, 40}} {
			if n < header+o.end {
				w.Has &^= o.has
			}
		}
		clearOptions(&w)
	}
	if got != w {
		t.Fatalf("cut at %d:\n got %+v\nwant %+v", n, got, w)
	}
}

func clearOptions(s *event.Segment) {
	if s.Has&event.HasMSS == 0 {
		s.Options.MSS = 0
	}
	if s.Has&event.HasTimestamps == 0 {
		s.Options.TSVal, s.Options.TSEcr = 0, 0
	}
	if s.Has&event.HasWScale == 0 {
		s.Options.WScale = 0
	}
}
