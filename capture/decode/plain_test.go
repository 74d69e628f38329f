package decode

import (
	"bytes"
	"testing"

	"github.com/closecap/closecap/analyze/event"

	"github.com/google/gopacket/layers"
)

// checkPlain holds the shortcut against the long way, and reports whether it takes p.
func checkPlain(t *testing.T, p *event.Packet) bool {
	t.Helper()
	d, s := New(), event.Segment{Src: want(true).Src, Options: event.Options{MSS: 1, SACKLeft: 2}, Has: event.Fragmented}
	before := s
	if !d.plain(p, &s) {
		if s != before {
			t.Errorf("plain refuses and leaves %+v\n% x", s, p.Data)
		}
		return false
	}
	var long event.Segment
	if v := d.layers(p, &long); v != TCP || s != long {
		t.Errorf("plain  %+v\nlayers %+v, %v\n% x", s, long, v, p.Data)
	}
	return true
}

// TestPlain gives each byte of the headers each value, cuts the packet everywhere and lets
// bytes follow it.
func TestPlain(t *testing.T) {
	ip := ip4(layers.IPProtocolTCP)
	whole := serialize(t, eth(layers.EthernetTypeIPv4), ip, syn(ip), hello)
	taken := func(b []byte, wire int) bool {
		return checkPlain(t, &event.Packet{Frame: 1, Time: 5, LinkType: 1, Data: b, WireLen: wire, Direction: event.Incoming, Interface: 3})
	}
	accepted := 0
	for i := range whole {
		b := bytes.Clone(whole)
		for v := range 256 {
			b[i] = byte(v)
			if taken(b, len(b)) {
				accepted++
			}
		}
	}
	// A byte of the two types, of version and length, the protocol's and the offset's high ones
	// must not change; the lengths, the flags of fragments and TCP's offset have some choice.
	if all := 256 * len(whole); accepted < all*8/10 || accepted > all*95/100 {
		t.Errorf("plain takes %d of %d", accepted, all)
	}
	for n := range whole {
		if want := n >= 14+20+40; taken(whole[:n], len(whole)) != want {
			t.Errorf("plain takes the first %d bytes: %v", n, !want)
		}
	}
	if !taken(append(whole, "trailer"...), len(whole)+7) {
		t.Error("plain refuses a packet with a trailer")
	}
	if p := (&event.Packet{LinkType: 101, Data: whole, WireLen: len(whole)}); checkPlain(t, p) {
		t.Error("plain takes another link type")
	}
}
