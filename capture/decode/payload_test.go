package decode

import (
	"bytes"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/closecap/closecap/analyze/event"
)

// TestPayload holds that the payload is what the packet holds of it, without an Ethernet trailer.
func TestPayload(t *testing.T) {
	want := []byte("-ERR max number of clients reached\r\n")
	ip := ip4(layers.IPProtocolTCP)
	b := serialize(t, eth(layers.EthernetTypeIPv4), ip, syn(ip), gopacket.Payload(want))
	for name, tt := range map[string]struct {
		frame []byte
		wire  int
		want  []byte
	}{
		"whole":          {b, len(b), want},
		"with a trailer": {append(b[:len(b):len(b)], 1, 2, 3, 4), len(b) + 4, want},
		"cut":            {b[:len(b)-5], len(b), want[:len(want)-5]},
		"cut to nothing": {b[:len(b)-len(want)], len(b), nil},
		"cut header":     {b[:len(b)-len(want)-2], len(b), nil},
	} {
		d := New()
		var s event.Segment
		if v := d.Segment(&event.Packet{Frame: 1, LinkType: 1, WireLen: tt.wire, Data: tt.frame}, &s); v != TCP {
			t.Fatalf("%s: Segment = %v", name, v)
		}
		if got := d.Payload(); !bytes.Equal(got, tt.want) || int(s.Len) != len(want) {
			t.Errorf("%s: Payload = %q of %d bytes, want %q of %d", name, got, s.Len, tt.want, len(want))
		}
	}
}
