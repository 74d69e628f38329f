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

// sum adds b up in ones' complement, sixteen bytes at a time in two sums that do not wait for
// each other (RFC 1071 2(A) and 2(C)), in the order that the machine's loads have: the sum is
// the same but for the order of its bytes (2(B)), which is put right at the end.
func sum(b []byte) uint64 {
	var t, u, c, d uint64
	for len(b) >= 64 {
		x := (*[64]byte)(b)
		t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[0:]), 0)
		t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[8:]), c)
		t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[16:]), c)
		t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[24:]), c)
		t = add(t, c)
		u, d = bits.Add64(u, binary.LittleEndian.Uint64(x[32:]), 0)
		u, d = bits.Add64(u, binary.LittleEndian.Uint64(x[40:]), d)
		u, d = bits.Add64(u, binary.LittleEndian.Uint64(x[48:]), d)
		u, d = bits.Add64(u, binary.LittleEndian.Uint64(x[56:]), d)
		u = add(u, d)
		b = b[64:]
	}
	t = add(t, u)
	for len(b) >= 8 {
		t = add(t, binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		copy(last[:], b)
		t = add(t, binary.LittleEndian.Uint64(last[:]))
	}
	return bits.ReverseBytes64(t)
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
