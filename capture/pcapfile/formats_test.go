package pcapfile

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"

	"github.com/google/go-cmp/cmp"
)

func TestPcapVariants(t *testing.T) {
	const second = 1700000000 * 1e9
	for _, c := range []struct {
		name  string
		order binary.AppendByteOrder
		magic uint32
		minor uint16
		unit  event.Time
	}{
		{"little-endian", binary.LittleEndian, magicMicro, 4, 1000},
		{"big-endian", binary.BigEndian, magicMicro, 4, 1000},
		{"nanoseconds", binary.LittleEndian, magicNano, 4, 1},
		{"big-endian nanoseconds", binary.BigEndian, magicNano, 4, 1},
		{"Kuznetzov", binary.LittleEndian, magicKuznetzov, 4, 1000},
		{"2.2, lengths swapped", binary.BigEndian, magicMicro, 2, 1000},
		{"2.3, lengths swapped", binary.LittleEndian, magicMicro, 3, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAll(t, pcapBytes(c.order, c.magic, c.minor, 0x14000000|113, "one", "three"))
			if err != nil {
				t.Fatal(err)
			}
			want := []event.Packet{
				{Frame: 1, Time: second + c.unit, WireLen: 103, LinkType: 113, Data: []byte("one")},
				{Frame: 2, Time: second + 2*c.unit, WireLen: 105, LinkType: 113, Data: []byte("three")},
			}
			if d := cmp.Diff(want, packetsOf(got)); d != "" {
				t.Errorf("packets (-want +got):\n%s", d)
			}
		})
	}
}

func TestPcapngSectionsAndClocks(t *testing.T) {
	n := &ng{order: binary.BigEndian}
	n.section()
	n.iface(1, 0, n.option(nil, optName, "eth0"), n.option(nil, optFilter, "\x00tcp"))
	n.iface(113, 3, n.option(nil, optResolution, "\x09"), n.option(nil, optOffset, "\x00\x00\x00\x00\x00\x00\x00\x0a"))
	n.packet(0, 5_000_001, "a", n.option(nil, optFlags, "\x00\x00\x00\x02"))
	n.packet(1, 5, "b", n.option(nil, optComment, "first"), n.option(nil, optComment, "second"),
		n.option(nil, optDropCount, "\x00\x00\x00\x00\x00\x00\x00\x02"))
	n.block(0x80001234, []byte("unknown"))
	n.block(4, []byte("names"))

	n.order = binary.LittleEndian
	n.section()
	n.iface(101, 3, n.option(nil, optResolution, "\x8a")) // 1/1024 s
	n.packet(0, 1024+512, "c", n.option(nil, optFlags, "\xfd\xff\xff\xff"))
	n.block(blockSimple, append(n.order.AppendUint32(nil, 9), "dddd"...))
	obsolete := []byte{0, 0, 7, 0, 0, 0, 0, 0, 0, 4, 0, 0, 2, 0, 0, 0, 60, 0, 0, 0, 'e', 'e'}
	n.block(blockPacket, obsolete)
	n.block(blockStats, append(make([]byte, 12), appendCount(nil, optIfDrop, 40)...))

	r := NewReader(strings.NewReader(string(n.b)), "ng", Options{})
	var got []event.Packet
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p := rec.Packet
		p.Data = append([]byte(nil), p.Data...)
		got = append(got, p)
	}
	want := []event.Packet{
		{Frame: 1, Time: 5_000_001_000, WireLen: 1, LinkType: 1, Direction: event.Outgoing, Data: []byte("a")},
		{Frame: 2, Time: 10_000_000_005, WireLen: 1, LinkType: 113, Interface: 1, Data: []byte("b"), Comment: "first\nsecond"},
		{Frame: 3, Time: 1_500_000_000, WireLen: 1, LinkType: 101, Interface: 2, Direction: event.Incoming, Data: []byte("c")},
		{Frame: 4, WireLen: 9, LinkType: 101, Interface: 2, Data: []byte("ddd")},
		{Frame: 5, Time: 1_000_000_000, WireLen: 60, LinkType: 101, Interface: 2, Data: []byte("ee")},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("packets (-want +got):\n%s", d)
	}
	interfaces := []Interface{
		{File: "ng", Name: "eth0", Filter: "tcp", LinkType: 1},
		{File: "ng", LinkType: 113, SnapLen: 3, Dropped: 2},
		{File: "ng", LinkType: 101, SnapLen: 3, Dropped: 40},
	}
	if d := cmp.Diff(interfaces, r.Interfaces()); d != "" {
		t.Errorf("Interfaces (-want +got):\n%s", d)
	}
	if n := r.Dropped(); n != 42 {
		t.Errorf("Dropped() = %d, want 42", n)
	}
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		resolution byte
		offset     int64
		ticks      uint64
		want       event.Time
	}{
		{6, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000},
		{9, 0, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789},
		{0, 0, 7, 7_000_000_000},
		{12, 0, 1_999_999_999_999, 1_999_999_999},
		{19, 0, 15_000_000_000_000_000_000, 1_500_000_000},
		{0x80 | 20, 0, 3 << 19, 1_500_000_000},
		{0x80 | 63, 0, 3 << 62, 1_500_000_000},
		{6, -5, 6_000_001, 1_000_001_000},
		{3, 1 << 40, 1, math.MaxInt64},
		{3, math.MaxInt64, math.MaxUint64, math.MaxInt64},
		{3, math.MinInt64, 1, math.MinInt64},
		{9, 0, math.MaxUint64, math.MaxInt64},
		{0, 0, math.MaxUint64, math.MaxInt64},
	} {
		k := clock{offset: c.offset}
		if err := k.resolution(c.resolution); err != nil {
			t.Fatal(err)
		}
		k.settle()
		if got := k.time(c.ticks); got != c.want {
			t.Errorf("time(%d) at resolution %#x offset %d = %d, want %d", c.ticks, c.resolution, c.offset, got, c.want)
		}
	}
	for _, bad := range []byte{20, 127, 0x80 | 64, 255} {
		if err := new(clock).resolution(bad); err == nil {
			t.Errorf("resolution(%#x) is accepted", bad)
		}
	}
}

func TestErrorsNameTheByte(t *testing.T) {
	good := pcapBytes(binary.LittleEndian, magicMicro, 4, 1, "one")
	huge := append(good[:len(good):len(good)], 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0)
	section := func(then func(n *ng)) []byte {
		n := &ng{order: binary.LittleEndian}
		n.section()
		then(n)
		return n.b
	}
	for _, c := range []struct {
		name   string
		b      []byte
		want   string
		offset int64
		cut    bool
	}{
		{"empty", nil, "the file is empty", 0, false},
		{"three bytes", []byte{1, 2, 3}, "too short for a capture", 0, true},
		{"text", []byte("hello, world"), "not a pcap or pcapng file (it starts with 68 65 6c 6c)", 0, false},
		{"xz", []byte("\xfd7zXZ\x00"), "compressed with xz, which is not supported", 0, false},
		{"header cut", good[:20], "file header", 0, true},
		{"packet header cut", good[:30], "packet header", 24, true},
		{"packet cut", good[:41], "packet data: 1 of 3 bytes", 24, true},
		{"length beyond bounds", huge, "packet header: captured length 4294967295 is beyond 16777216", 43, false},
		{"block cut", section(func(n *ng) { n.iface(1, 0); n.b = n.b[:len(n.b)-1] }), "block type 0x1: 19 of 20 bytes", 28, true},
		{"no interface", section(func(n *ng) { n.packet(0, 0, "x") }), "packet of interface 0, of which 0 are described", 28, false},
		{"lengths differ", section(func(n *ng) { n.iface(1, 0); n.b[len(n.b)-4] = 24 }),
			"block type 0x1: length 20 at its start, 24 at its end", 28, false},
		{"length not of 4", section(func(n *ng) { n.b = append(n.b, 1, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0) }),
			"block type 0x1: impossible length 13", 28, false},
		{"giant block", section(func(n *ng) { n.b = append(n.b, 1, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0) }),
			"block type 0x1: length 2147483648 is beyond 16842752", 28, false},
		{"captured beyond block", section(func(n *ng) { n.iface(1, 0); n.packet(0, 0, "x"); n.b[28+20+20] = 99 }),
			"packet: captured length 99 in a block of 36", 48, false},
		{"bad call", section(func(n *ng) { n.block(blockJournal, []byte("CLOSECAP_CALL={\n\n")) }),
			"journal entry: CLOSECAP_CALL", 28, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readAll(t, c.b)
			var fe *FileError
			if !errors.As(err, &fe) {
				t.Fatalf("error %v is no FileError", err)
			}
			if fe.File != "test" || fe.What != c.want || fe.Offset != c.offset {
				t.Errorf("error %v\nwant %q at byte %d", fe, c.want, c.offset)
			}
			if got := errors.Is(err, io.ErrUnexpectedEOF); got != c.cut {
				t.Errorf("error %v is an unexpected EOF: %v, want %v", err, got, c.cut)
			}
		})
	}
}
