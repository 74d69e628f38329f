package decode

import (
	"bytes"
	"encoding/binary"
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

// TestChecksumOK compares with what RFC 1071 and CHECKSUM_PARTIAL say, spelled out: of sums that are right, left to
// the network card, one beside either, and of the two that stand for nothing.
func TestChecksumOK(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	right := 0
	for range 20000 {
		b := make([]byte, 20+r.IntN(40))
		for i := range b[:min(len(b), 20+r.IntN(8))] {
			b[i] = byte(r.Uint32()) * byte(r.IntN(2))
		}
		addresses := uint64(r.Uint32())<<32 | uint64(r.Uint32())
		if r.IntN(4) == 0 {
			addresses = ^uint64(0) - uint64(r.IntN(3)) // sums that carry
		}
		pseudo := add(addresses, number(uint32(len(b))+protoTCP))
		clear(b[16:18])
		full := ^fold(add(pseudo, sum(b)))
		for _, field := range []uint16{full, full + 1, fold(pseudo), fold(pseudo) - 1, ^fold(pseudo), 0, 0xffff} {
			binary.BigEndian.PutUint16(b[16:], field)
			want := field == fold(pseudo) || fold(add(pseudo, sum(b))) == 0xffff
			if got := checksumOK(b, addresses); got != want {
				t.Fatalf("% x, addresses %x: %v, want %v", b, addresses, got, want)
			}
			if want {
				right++
			}
		}
	}
	if right < 40000 || right > 100000 {
		t.Errorf("%d sums of 140000 are right, want both kinds", right)
	}
}
