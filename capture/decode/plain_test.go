package decode

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/closecap/closecap/analyze/event"
)

// walked is what the walk alone says of p.
func walked(t testing.TB, d *Decoder, p *event.Packet) (s event.Segment, v Content) {
	t.Helper()
	d.begin(p, &s)
	return s, d.walk(linkLayer(p.LinkType))
}

// checkWalk holds what is said of p, also by a shorter way, to what the walk alone says.
func checkWalk(t testing.TB, p *event.Packet, skipSums bool) {
	t.Helper()
	a, b := New(), New()
	a.SkipChecksums, b.SkipChecksums = skipSums, skipSums
	var got event.Segment
	v := a.Segment(p, &got)
	want, content := walked(t, b, p)
	switch {
	case v != content || a.Why() != b.Why() || a.Other() != b.Other():
		t.Errorf("%x: %v, %v, %+v; the walk says %v, %v, %+v", p.Data, v, a.Why(), a.Other(), content, b.Why(), b.Other())
	case v != TCP:
	case got != want:
		t.Errorf("%x: got %+v, the walk says %+v", p.Data, got, want)
	case !bytes.Equal(a.Payload(), b.Payload()):
		t.Errorf("%x: the payload is %x, of the walk %x", p.Data, a.Payload(), b.Payload())
	}
}

// TestPlain holds the short way to the walk, on frames that are cut, longer than their packet, or wrong in a byte or two.
func TestPlain(t *testing.T) {
	whole := packet4(t)
	r, plain := rand.New(rand.NewPCG(5, 6)), 0
	for range 200_000 {
		b := append(bytes.Clone(whole), make([]byte, r.IntN(8))...)
		for range r.IntN(3) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		p := event.Packet{Frame: 1, Time: 5, LinkType: 1, WireLen: len(b) + r.IntN(2)*100, Data: b}
		if r.IntN(3) == 0 {
			p.Data = b[:r.IntN(len(b)+1)]
		}
		skip := r.IntN(4) == 0
		checkWalk(t, &p, skip)
		d := New()
		d.seg = new(event.Segment)
		if d.plain(p.Data) {
			plain++
		}
	}
	if plain < 50_000 || plain > 190_000 {
		t.Errorf("%d of 200,000 frames are plain", plain)
	}
}
