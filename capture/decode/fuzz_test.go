package decode

import (
	"testing"

	"github.com/closecap/closecap/analyze/event"
)

// linkTypes are those that the fuzzer may choose from.
var linkTypes = []uint16{1, 113, 0, 101, 9, 276, 51, 105, 127, 119, 192, 258, 204, 219, 104, 108, 12, 65535, 109, 117, 239, 166}

// likeReference says that gopacket knows the link type well enough to be the reference.
func likeReference(link uint16) bool { return link == 1 || link == 113 || link == 0 || link == 101 }

func FuzzSegment(f *testing.F) {
	for _, s := range samples(f) {
		for i, link := range linkTypes {
			if link == s.link {
				f.Add(uint8(i), uint16(0), s.data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, link uint8, cut uint16, b []byte) {
		p := event.Packet{
			Frame: 1, Time: 5, LinkType: linkTypes[int(link)%len(linkTypes)],
			WireLen: len(b) + int(cut), Data: b,
		}
		checkWalk(t, &p, cut%2 == 1)
		d := New()
		var s event.Segment
		v := d.Segment(&p, &s)
		checkContent(t, d, v, &s)
		if cut == 0 && likeReference(p.LinkType) {
			checkReference(t, &p, v, &s)
		}
		again := d.Segment(&p, &s)
		if v == Unparsed && again == TCP {
			t.Errorf("Segment = %v, then %v", v, again)
		}
	})
}

// checkContent holds what must be true of any bytes.
func checkContent(t *testing.T, d *Decoder, v Content, s *event.Segment) {
	if (v == Unparsed) != (d.Why() != 0) {
		t.Errorf("Segment = %v, Why() = %d", v, d.Why())
	}
	if v != TCP {
		return
	}
	if !s.Src.IsValid() || !s.Dst.IsValid() || s.Src.Addr().Is4() != s.Dst.Addr().Is4() {
		t.Errorf("Segment is from %v to %v", s.Src, s.Dst)
	}
	if s.Has&event.Truncated != 0 && s.Has&event.BadChecksum != 0 {
		t.Errorf("Segment verified the checksum of a truncated segment")
	}
}

func checkReference(t *testing.T, p *event.Packet, v Content, got *event.Segment) {
	want := event.Segment{Frame: p.Frame, Time: p.Time, Interface: p.Interface}
	a := reference(p.LinkType, p.Data, &want)
	switch a {
	case unsure:
	case refuses:
		// gopacket refuses any header that was cut; the walk needs no more than the window.
		if v == TCP && got.Has&event.OptionsTruncated == 0 {
			t.Errorf("Segment accepts what gopacket refuses: %+v\n% x", got, p.Data)
		}
	case accepts, perhaps:
		// gopacket's PPPoE also reads what lies behind the packet in memory.
		if a == perhaps && (v != TCP || got.Has&event.OptionsTruncated != 0) {
			return
		}
		if v != TCP {
			t.Fatalf("Segment = %v, gopacket reads %+v\n% x", v, want, p.Data)
		}
		s := *got
		const mine = event.BadChecksum | event.BadIPChecksum | event.Truncated | event.Outgoing | event.Incoming | event.HasFastOpen
		s.Has &^= mine
		s.Options.FastOpenLen = 0
		// gopacket only knows the bytes that are there, and lets UDP's length cut what is inside.
		if got.Has&event.Truncated != 0 || a == perhaps {
			s.Len = want.Len
		}
		if s != want {
			t.Errorf("Segment\n    got %+v\ngopacket %+v\n% x", s, want, p.Data)
		}
	}
}

func TestReferenceAgrees(t *testing.T) {
	compared := 0
	for _, s := range samples(t) {
		if !likeReference(s.link) {
			continue
		}
		p := event.Packet{Frame: 1, Time: 5, LinkType: s.link, WireLen: len(s.data), Data: s.data}
		var got, want event.Segment
		v := New().Segment(&p, &got)
		checkReference(t, &p, v, &got)
		if a := reference(s.link, s.data, &want); a == accepts || a == perhaps {
			compared++
		}
	}
	if compared < 15 {
		t.Errorf("the reference reads only %d of the samples", compared)
	}
}
