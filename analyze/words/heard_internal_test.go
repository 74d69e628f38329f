package words

import (
	"testing"
	"unsafe"
)

// TestHeardLines holds that a Heard takes whole cache lines and begins with one, as neighbours may be in
// two cores' hands.
func TestHeardLines(t *testing.T) {
	const line, small = 64, 32 << 10 // what is not small begins with a page
	if n := unsafe.Sizeof(Heard{}); n%line != 0 || n*slabSize <= small {
		t.Errorf("a Heard takes %d bytes, a slab %d: want whole lines of %d, and more than %d", n, n*slabSize, line, small)
	}
	m := newMemory()
	if a := uintptr(unsafe.Pointer(m.at(1))); a%line != 0 {
		t.Errorf("the first Heard is at %#x, not the beginning of a line", a)
	}
}
