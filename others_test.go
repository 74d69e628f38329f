package closecap

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/closecap/closecap/analyze/event"
)

// packets is a source of Ethernet frames.
type packets [][]byte

func (p packets) Records(context.Context) iter.Seq2[*event.Record, error] {
	return func(yield func(*event.Record, error) bool) {
		for i, b := range p {
			rec := &event.Record{Packet: event.Packet{Frame: uint64(i) + 1, Time: event.Time(i), WireLen: len(b), LinkType: 1, Data: b}}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

func (packets) LinkTypes() []uint16 { return []uint16{1} }
func (packets) Dropped() uint64     { return 0 }

// What was not decoded is named where no connection was found, and where it may hide one.
func TestOthersWarning(t *testing.T) {
	frame := func(kind uint16, rest ...byte) []byte {
		return append(append(make([]byte, 12), byte(kind>>8), byte(kind)), rest...)
	}
	ip := func(proto byte, rest ...byte) []byte {
		return frame(0x0800, append([]byte{0x45, 0, 0, byte(20 + len(rest)), 0, 1, 0, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, rest...)...)
	}
	arp, udp, vendor := frame(0x0806, 0, 1), ip(17, 0, 53, 0, 53, 0, 8, 0, 0), frame(0xfedc)
	gre := ip(47, 0, 0, 0xfe, 0xdd)
	syn := ip(6, 0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 16, 0, 0, 0, 0, 0)
	for _, tt := range []struct {
		packets packets
		want    []string
	}{
		{packets{arp, udp, udp, vendor, udp, vendor}, []string{
			"no TCP packet; 3 packets: UDP; 2: unknown EtherType 0xfedc; 1: ARP"}},
		{packets{syn, arp, udp}, []string{}},
		{packets{syn, arp, gre, gre}, []string{
			"not looked into, and may carry TCP: 2 packets: unknown EtherType 0xfedd in GRE"}},
		{nil, []string{}},
	} {
		a := New(tt.packets, Options{})
		for _, err := range a.Connections(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := a.Result().Warnings; !slices.Equal(got, tt.want) {
			t.Errorf("warnings of %d packets = %q, want %q", len(tt.packets), got, tt.want)
		}
	}
}

// A wrong checksum is Zeek's C, unless checksums are not looked at.
func TestSkipChecksums(t *testing.T) {
	syn := append(make([]byte, 12), 8, 0, 0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 16, 0, 1, 1, 0, 0)
	for skip, want := range map[bool]string{false: "OTH C", true: "S0 S"} {
		for c, err := range New(packets{syn}, Options{SkipChecksums: skip}).Connections(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Compat.ZeekConnState + " " + c.Compat.ZeekHistory; got != want {
				t.Errorf("with SkipChecksums %v: Zeek's fields %q, want %q", skip, got, want)
			}
		}
	}
}
