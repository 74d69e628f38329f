package analyze

import (
	"encoding/binary"
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

// keyOf returns the key of two endpoints; swapped says that src is the higher one.
func keyOf(src, dst netip.AddrPort) (k key, swapped bool) {
	a, b := src.Addr().As16(), dst.Addr().As16()
	aHi, aLo := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])
	bHi, bLo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	ap, bp := uint32(src.Port()), uint32(dst.Port())
	swapped = aHi > bHi || aHi == bHi && (aLo > bLo || aLo == bLo && ap > bp)
	if swapped {
		return key{bHi, bLo, aHi, aLo, bp<<16 | ap}, true
	}
	return key{aHi, aLo, bHi, bLo, ap<<16 | bp}, false
}
