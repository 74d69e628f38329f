package flows

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// key is a 4-tuple without direction: the lower endpoint comes first.
type key struct {
	loHi, loLo, hiHi, hiLo uint64
	ports                  uint32
}

// equal compares field by field: the compiler's == of such a struct is a call.
func (k *key) equal(o *key) bool {
	return k.loLo == o.loLo && k.hiLo == o.hiLo && k.ports == o.ports && k.loHi == o.loHi && k.hiHi == o.hiHi
}

// hash mixes a key with a seed (the multiply-and-fold of wyhash). Both factors have a part of the seed: an address
// that makes one of them 0, so that the other no longer counts, can't be chosen without knowing it.
func (k *key) hash(seed uint64) uint64 {
	const m1, m2 = 0xA0761D6478BD642F, 0xE7037ED1A0B428DB
	other := bits.RotateLeft64(seed, 32)
	h := fold(k.loLo^seed, k.hiLo^other^m1)
	h = fold(h^k.loHi^seed, k.hiHi^other^m2)
	return fold(h^uint64(k.ports), seed^m1)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// aim says which flow a segment is for.
type aim struct {
	key     key
	hash    uint64
	swapped bool // the segment's source is the higher endpoint
}

// set aims at the flow of two endpoints.
func (a *aim) set(src, dst netip.AddrPort, seed uint64) {
	sHi, sLo := halves(src.Addr())
	dHi, dLo := halves(dst.Addr())
	sPort, dPort := uint32(src.Port()), uint32(dst.Port())
	a.swapped = sHi > dHi || sHi == dHi && (sLo > dLo || sLo == dLo && sPort > dPort)
	k := &a.key
	if a.swapped {
		k.loHi, k.loLo, k.hiHi, k.hiLo, k.ports = dHi, dLo, sHi, sLo, dPort<<16|sPort
	} else {
		k.loHi, k.loLo, k.hiHi, k.hiLo, k.ports = sHi, sLo, dHi, dLo, sPort<<16|dPort
	}
	a.hash = k.hash(seed)
}

// halves returns an address as two numbers, an IPv4 address as if mapped into IPv6.
func halves(a netip.Addr) (hi, lo uint64) {
	if a.Is4() {
		b := a.As4()
		return 0, 0xffff<<32 | uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// addr is the reverse of halves.
func addr(hi, lo uint64, is4 bool) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[8:], lo)
	if is4 {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	binary.BigEndian.PutUint64(b[:8], hi)
	return netip.AddrFrom16(b)
}
