package decode

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestSum compares with the two bytes at a time of RFC 1071, 4.1.
func TestSum(t *testing.T) {
	plain := func(b []byte) uint16 {
		var n uint32
		for i, c := range b {
			n += uint32(c) << (8 * (1 - i%2))
			n = n>>16 + n&0xffff
		}
		return uint16(n)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for size := range 600 {
		b := bytes.Repeat([]byte{0xff}, size)
		for range 10 {
			if got, want := fold(sum(b)), plain(b); got != want {
				t.Fatalf("% x: %04x, want %04x", b, got, want)
			}
			for i := range b {
				if r.IntN(2) == 0 {
					b[i] = byte(r.Uint32())
				}
			}
		}
	}
}

func BenchmarkSum(b *testing.B) {
	payload := bytes.Repeat([]byte{1, 2, 3}, 500)
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		sum(payload)
	}
}
