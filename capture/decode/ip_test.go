package decode

import (
	"encoding/binary"
	"testing"

	"github.com/closecap/closecap/analyze/event"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

func packet4(t testing.TB) []byte {
	ip := ip4(layers.IPProtocolTCP)
	return serialize(t, eth(layers.EthernetTypeIPv4), ip, syn(ip), hello)
}

func read(d *Decoder, link uint16, b []byte) (event.Segment, Content) {
	p := event.Packet{Frame: 1, Time: 5, LinkType: link, WireLen: len(b), Data: b}
	var s event.Segment
	v := d.Segment(&p, &s)
	return s, v
}

// A super-segment is longer than an IP length field can say, which then is 0.
func TestLengthZeroMeansTheFrame(t *testing.T) {
	big := gopacket.Payload(make([]byte, 80_000))
	for _, v6 := range []bool{false, true} {
		var ip gopacket.SerializableLayer = ip4(layers.IPProtocolTCP)
		if v6 {
			ip = ip6(layers.IPProtocolTCP)
		}
		head := serialize(t, ip, syn(ip.(gopacket.NetworkLayer)))
		b := append(head, big...)
		at := 2
		if v6 {
			at = 4
		}
		binary.BigEndian.PutUint16(b[at:], 0)
		s, v := read(New(), 101, b)
		if v != TCP || s.Len != 80_000 {
			t.Errorf("IPv6 %v: Segment = %v, length %d, want 80000", v6, v, s.Len)
		}
		p := event.Packet{LinkType: 101, WireLen: len(b), Data: b[:200]}
		if v := New().Segment(&p, &s); v != TCP || s.Len != 80_000 || s.Has&event.Truncated == 0 {
			t.Errorf("IPv6 %v, cut: Segment = %v, length %d, want 80000, truncated", v6, v, s.Len)
		}
	}
}

func TestChecksum(t *testing.T) {
	whole := packet4(t)
	for _, c := range []struct {
		name string
		bad  bool
		set  func(b []byte)
	}{
		{"right", false, func([]byte) {}},
		{"payload changed", true, func(b []byte) { b[len(b)-1]++ }},
		{"address changed", true, func(b []byte) { b[29]++ }},
		{"left to the card", false, func(b []byte) {
			pseudo := add(sum(b[26:34]), number(protoTCP+uint32(len(b)-34)))
			binary.BigEndian.PutUint16(b[50:], fold(pseudo))
		}},
	} {
		b := append([]byte(nil), whole...)
		c.set(b)
		s, v := read(New(), 1, b)
		if got := s.Has&event.BadChecksum != 0; v != TCP || got != c.bad {
			t.Errorf("%s: Segment = %v, bad checksum %v, want %v", c.name, v, got, c.bad)
		}
		d := New()
		d.SkipChecksums = true
		if s, _ := read(d, 1, b); s.Has&event.BadChecksum != 0 {
			t.Errorf("%s: bad checksum though SkipChecksums", c.name)
		}
	}
}

func TestTLSAlert(t *testing.T) {
	alert := []byte{21, 3, 3, 0, 2, 1, 0}
	encrypted := append([]byte{21, 3, 3, 0, 26}, make([]byte, 26)...)
	for name, tt := range map[string]struct {
		payload []byte
		want    bool
	}{
		"close_notify": {alert, true}, "encrypted": {encrypted, true}, "two": {append(alert[:7:7], encrypted...), true},
		"data":             {append([]byte{23, 3, 3, 0, 26}, make([]byte, 26)...), false},
		"data behind it":   {append(alert[:7:7], 23, 3, 3, 0, 1, 0), false},
		"longer than that": {alert[:6], false},
		"nothing":          {nil, false},
		"another protocol": {[]byte{21, 9, 9, 0, 2, 1, 0}, false},
		"too much":         {append([]byte{21, 3, 3, 1, 0}, make([]byte, 256)...), false},
	} {
		ip := ip4(layers.IPProtocolTCP)
		b := serialize(t, eth(layers.EthernetTypeIPv4), ip, syn(ip), gopacket.Payload(tt.payload))
		if s, v := read(New(), 1, b); v != TCP || s.Options.TLSAlert != tt.want {
			t.Errorf("%s: Segment = %v, alert %v, want %v", name, v, s.Options.TLSAlert, tt.want)
		}
		if s, _ := read(New(), 1, b[:len(b)-1]); s.Options.TLSAlert {
			t.Errorf("%s, cut: alert, want none", name)
		}
	}
}

func TestIPChecksum(t *testing.T) {
	for _, c := range []struct {
		name string
		bad  bool
		sum  uint16 // added to the right one
	}{
		{"right", false, 0}, {"wrong", true, 1}, {"wrong in a tunnel", true, 1},
	} {
		b := packet4(t)[14:]
		binary.BigEndian.PutUint16(b[10:], binary.BigEndian.Uint16(b[10:])+c.sum)
		if c.name == "wrong in a tunnel" {
			b = serialize(t, ip4(layers.IPProtocolIPv4), gopacket.Payload(b))
		}
		d := New()
		s, v := read(d, 101, b)
		if got := s.Has&event.BadIPChecksum != 0; v != TCP || got != c.bad {
			t.Errorf("%s: Segment = %v, bad IP checksum %v, want %v", c.name, v, got, c.bad)
		}
		d.SkipChecksums = true
		if s, _ := read(d, 101, b); s.Has&event.BadIPChecksum != 0 {
			t.Errorf("%s: bad IP checksum though SkipChecksums", c.name)
		}
	}
	b := packet4(t)
	b[24], b[25] = 0, 0
	if s, v := read(New(), 1, b); v != TCP || s.Has&event.BadIPChecksum != 0 {
		t.Errorf("left to the card: Segment = %v, bad IP checksum %v, want false", v, s.Has&event.BadIPChecksum != 0)
	}
}

func TestSumOfEveryLength(t *testing.T) {
	b := make([]byte, 100)
	for i := range b {
		b[i] = byte(i*37 + 200)
	}
	for n := range len(b) {
		var plain uint32
		for i, v := range b[:n] {
			plain += uint32(v) << (8 * (1 - i%2))
		}
		if got, want := fold(sum(b[:n])), fold(number(plain)); got != want {
			t.Errorf("sum of %d bytes = %#x, want %#x", n, got, want)
		}
	}
}

func TestDirectionFromCookedHeader(t *testing.T) {
	ip := packet4(t)[14:]
	for kind, want := range map[byte]event.Has{
		0: event.Incoming, 1: event.Incoming, 2: event.Incoming, 3: 0, 4: event.Outgoing,
	} {
		sll := append([]byte{0, kind, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}, ip...)
		sll2 := append([]byte{8, 0, 0, 0, 0, 0, 0, 1, 0, 1, kind, 6, 0, 0, 0, 0, 0, 0, 0, 0}, ip...)
		for link, b := range map[uint16][]byte{113: sll, 276: sll2} {
			s, v := read(New(), link, b)
			if got := s.Has & (event.Incoming | event.Outgoing); v != TCP || got != want {
				t.Errorf("link type %d, packet type %d: %v, direction %v, want %v", link, kind, v, got, want)
			}
		}
	}
}

func TestDirectionFromFile(t *testing.T) {
	for _, want := range []event.Has{0, event.Incoming, event.Outgoing} {
		var s event.Segment
		v := New().Segment(&event.Packet{LinkType: 1, Direction: want, Data: packet4(t)}, &s)
		if got := s.Has & (event.Incoming | event.Outgoing); v != TCP || got != want {
			t.Errorf("Segment of a packet with direction %v: %v, direction %v", want, v, got)
		}
	}
}

// A router quotes the segment that it could not deliver; nobody sent that again.
func TestQuotedInICMPIsNoSegment(t *testing.T) {
	quoted := gopacket.Payload(packet4(t)[14:])
	icmp := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 1)}
	b := serialize(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolICMPv4), icmp, quoted)
	if _, v := read(New(), 1, b); v != NotTCP {
		t.Errorf("Segment of an ICMP error = %v, want not tcp", v)
	}
}

func TestNotTCP(t *testing.T) {
	for name, b := range map[string][]byte{
		"ARP":       append(make([]byte, 12), 8, 6, 0, 1),
		"LLC":       append(make([]byte, 12), 0, 3, 0x42, 0x42, 3),
		"UDP":       serialize(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolUDP), gopacket.Payload{0, 1, 0, 53, 0, 8, 0, 0}),
		"VXLAN off": serialize(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolUDP), gopacket.Payload{0, 1, 0x12, 0xb5, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
	} {
		if _, v := read(New(), 1, b); v != NotTCP {
			t.Errorf("%s: Segment = %v, want not tcp", name, v)
		}
	}
}

func TestUnparsedSaysWhy(t *testing.T) {
	change := func(at int, to ...byte) []byte {
		b := packet4(t)
		copy(b[at:], to)
		return b
	}
	for _, c := range []struct {
		name string
		link uint16
		b    []byte
		want Reason
	}{
		{"link type", 147, packet4(t), UnknownLink},
		{"version", 1, change(14, 0x65), BadIPVersion},
		{"header length", 1, change(14, 0x44), BadIPLength},
		{"total below header", 1, change(16, 0, 19), BadIPLength},
		{"no room for TCP", 1, change(16, 0, 30), TooShort},
		{"data offset small", 1, change(46, 0x40), BadTCPOffset},
		{"data offset beyond", 1, change(46, 0xf0), BadTCPOffset},
		{"frame ends", 1, packet4(t)[:33], TooShort},
		{"PPPoE version", 51, []byte{0x21, 0, 0, 0, 0, 0, 0, 0x21}, BadLinkHeader},
		{"VLANs without end", 1, vlans(40), TooDeep},
	} {
		d := New()
		if _, v := read(d, c.link, c.b); v != Unparsed || d.Why() != c.want {
			t.Errorf("%s: Segment = %v (%v), want unparsed (%v)", c.name, v, d.Why(), c.want)
		}
	}
}

func vlans(n int) []byte {
	b := append(make([]byte, 12), 0x81, 0)
	for range n {
		b = append(b, 0, 1, 0x81, 0)
	}
	return b
}

func TestMalformedOptions(t *testing.T) {
	for name, c := range map[string]struct {
		options []byte
		want    event.Has
	}{
		"length 0":      {[]byte{4, 2, 2, 0, 5, 180, 3, 3}, event.HasSACKPermitted},
		"length 1":      {[]byte{4, 2, 2, 1, 5, 180, 3, 3}, event.HasSACKPermitted},
		"runs over":     {[]byte{4, 2, 2, 40, 5, 180, 3, 3}, event.HasSACKPermitted},
		"no length":     {[]byte{1, 1, 1, 1, 1, 4, 2, 2}, event.HasSACKPermitted},
		"wrong length":  {[]byte{2, 3, 5, 4, 2, 3, 2, 0}, event.HasSACKPermitted},
		"end of list":   {[]byte{0, 4, 2, 2, 4, 5, 180, 0}, 0},
		"cookie ask":    {[]byte{34, 2, 0, 0}, event.HasFastOpen},
		"experimental":  {[]byte{254, 4, 0xf9, 0x89}, event.HasFastOpen},
		"other's":       {[]byte{254, 4, 1, 2}, 0},
		"SACK of a bit": {[]byte{5, 6, 0, 0, 0, 1, 0, 0}, 0},
	} {
		var s event.Segment
		readOptions(c.options, &s)
		if s.Has != c.want {
			t.Errorf("%s: readOptions found %#x, want %#x", name, s.Has, c.want)
		}
	}
}

func TestSegmentAllocatesNothing(t *testing.T) {
	d := New()
	var s event.Segment
	for _, c := range samples(t) {
		p := event.Packet{Frame: 1, LinkType: c.link, WireLen: len(c.data), Data: c.data}
		if n := testing.AllocsPerRun(100, func() { d.Segment(&p, &s) }); n != 0 {
			t.Errorf("%s: %v allocations a packet, want none", c.name, n)
		}
	}
}

// TestSACKTwice: the first block says what came twice where the second holds it (RFC 2883 4).
func TestSACKTwice(t *testing.T) {
	for name, c := range map[string]struct {
		blocks []byte
		want   bool
	}{
		"within":      {[]byte{0, 0, 0, 20, 0, 0, 0, 30, 0, 0, 0, 10, 0, 0, 0, 40}, true},
		"the same":    {[]byte{0, 0, 0, 20, 0, 0, 0, 30, 0, 0, 0, 20, 0, 0, 0, 30}, true},
		"beside":      {[]byte{0, 0, 0, 30, 0, 0, 0, 40, 0, 0, 0, 10, 0, 0, 0, 20}, false},
		"round zero":  {[]byte{255, 255, 255, 250, 0, 0, 0, 2, 255, 255, 255, 240, 0, 0, 0, 9}, true},
		"only beyond": {[]byte{0, 0, 0, 20, 0, 0, 0, 50, 0, 0, 0, 10, 0, 0, 0, 40}, false},
		"one":         {[]byte{0, 0, 0, 20, 0, 0, 0, 30}, false},
	} {
		var s event.Segment
		readOptions(append([]byte{5, byte(2 + len(c.blocks))}, c.blocks...), &s)
		if s.Options.SACKTwice != c.want {
			t.Errorf("%s: SACKTwice = %v, want %v", name, s.Options.SACKTwice, c.want)
		}
	}
}
