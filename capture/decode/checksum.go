package decode

import (
	"encoding/binary"
	"math/bits"

	"closecap/analyze/event"
)

// checksumOK reports whether the TCP checksum over b, a whole segment, is right, or is the
// pseudo header's sum alone: what Linux leaves there for the network card to complete
// (CHECKSUM_PARTIAL), so that nothing was ever computed that could be wrong.
func checksumOK(b []byte, s *event.Segment) bool {
	var pseudo uint64
	if src := s.Src.Addr(); src.Is4() {
		a, z := src.As4(), s.Dst.Addr().As4()
		pseudo = uint64(binary.BigEndian.Uint32(a[:])) + uint64(binary.BigEndian.Uint32(z[:]))
	} else {
		a, z := src.As16(), s.Dst.Addr().As16()
		pseudo = add(sum(a[:]), sum(z[:]))
	}
	pseudo = add(pseudo, uint64(len(b))+protoTCP)
	if len(b) < 20 {
		return true
	}
	if binary.BigEndian.Uint16(b[16:]) == fold(pseudo) {
		return true
	}
	return fold(add(pseudo, sum(b))) == 0xffff
}

// sum adds b up in ones' complement, eight bytes at a time (RFC 1071 2(C)).
func sum(b []byte) uint64 {
	var t, c uint64
	for len(b) >= 32 {
		t, c = bits.Add64(t, binary.BigEndian.Uint64(b), c)
		t, c = bits.Add64(t, binary.BigEndian.Uint64(b[8:]), c)
		t, c = bits.Add64(t, binary.BigEndian.Uint64(b[16:]), c)
		t, c = bits.Add64(t, binary.BigEndian.Uint64(b[24:]), c)
		b = b[32:]
	}
	t = add(t, c)
	for len(b) >= 8 {
		t = add(t, binary.BigEndian.Uint64(b))
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		copy(last[:], b)
		t = add(t, binary.BigEndian.Uint64(last[:]))
	}
	return t
}

func add(x, y uint64) uint64 {
	t, c := bits.Add64(x, y, 0)
	return t + c
}

func fold(t uint64) uint16 {
	t = t>>32 + t&0xffffffff
	t = t>>16 + t&0xffff
	t = t>>16 + t&0xffff
	t = t>>16 + t&0xffff
	return uint16(t)
}
