package decode

import (
	"encoding/binary"
	"math/bits"
)

// checksumOK reports whether the TCP checksum over b, a whole segment between addresses of
// that sum, is right, or is the pseudo header's sum alone: what Linux leaves there for the
// network card to complete (CHECKSUM_PARTIAL), so that nothing was ever computed that could be
// wrong.
func checksumOK(b []byte, addresses uint64) bool {
	if len(b) < 20 {
		return true
	}
	pseudo, field := add(addresses, number(uint32(len(b))+protoTCP)), binary.LittleEndian.Uint16(b[16:])
	return add(pseudo, uint64(^field))%0xffff == 0 && field != 0 || add(pseudo, sum(b))%0xffff == 0
}

// headerSumOK reports whether the checksum of the IPv4 header at b, between addresses of that sum, is
// right, or was left for the network card to compute.
func headerSumOK(b []byte, header int, addresses uint64) bool {
	if b[10]|b[11] == 0 || len(b) < header {
		return true
	}
	t, c := bits.Add64(addresses, binary.LittleEndian.Uint64(b), 0)
	t, c = bits.Add64(t, uint64(binary.LittleEndian.Uint32(b[8:])), c)
	t += c // which can't overflow it again: where there is one, t is next to nothing
	if header > 20 {
		t = add(t, sum(b[20:header]))
	}
	return t%0xffff == 0
}

// sum adds b up in ones' complement, in two sums that do not wait for each other (RFC 1071 2(A)
// and 2(C)). It has the order of bytes that the loads have (2(B)); fold puts it right.
func sum(b []byte) uint64 {
	all := b
	var t, u uint64
	for len(b) >= 128 {
		t, u = add64(t, (*[64]byte)(b)), add64(u, (*[64]byte)(b[64:]))
		b = b[128:]
	}
	t = add(t, u)
	for len(b) >= 32 {
		t = add32(t, (*[32]byte)(b))
		b = b[32:]
	}
	for len(b) >= 8 {
		t = add(t, binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	switch rest := len(b); {
	case rest == 0:
	case len(all) >= 8: // the last eight bytes, without those added before
		t = add(t, binary.LittleEndian.Uint64(all[len(all)-8:])>>(64-8*rest))
	default:
		var last [8]byte
		copy(last[:], b)
		t = add(t, binary.LittleEndian.Uint64(last[:]))
	}
	return t
}

// add64 adds 64 bytes to a sum. The last carry can't overflow it again: where there is one, what
// it is added to is no longer all ones.
func add64(t uint64, x *[64]byte) uint64 {
	var c uint64
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[0:]), 0)
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[8:]), c)
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[16:]), c)
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[24:]), c)
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[32:]), c)
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[40:]), c)
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[48:]), c)
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[56:]), c)
	t, _ = bits.Add64(t, 0, c)
	return t
}

func add32(t uint64, x *[32]byte) uint64 {
	var c uint64
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[0:]), 0)
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[8:]), c)
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[16:]), c)
	t, c = bits.Add64(t, binary.LittleEndian.Uint64(x[24:]), c)
	t, _ = bits.Add64(t, 0, c)
	return t
}

// number is what sum gives for the bytes of n.
func number(n uint32) uint64 { return uint64(bits.ReverseBytes32(n)) }

func add(x, y uint64) uint64 {
	t, c := bits.Add64(x, y, 0)
	return t + c
}

// fold returns the sixteen bits of a sum: 0 only of no bytes but zeros.
func fold(t uint64) uint16 {
	r := t % 0xffff
	if r == 0 && t != 0 {
		r = 0xffff
	}
	return bits.ReverseBytes16(uint16(r))
}
