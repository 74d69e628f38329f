package words

import (
	"math/rand/v2"
	"testing"
)

// TestPlaces holds places to the language's map, with hashes that collide in their lower bits.
func TestPlaces(t *testing.T) {
	p, want := newPlaces(), map[uint64]place{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		hash := uint64(r.IntN(200))<<32 | uint64(r.IntN(40))
		at := place(0)
		if i/20_000%2 == 0 && r.IntN(3) > 0 {
			at = place(1 + r.IntN(1<<20))
		}
		if p.set(hash, at); at == 0 {
			delete(want, hash)
		} else {
			want[hash] = at
		}
		for _, probe := range []uint64{hash, uint64(r.IntN(200))<<32 | uint64(r.IntN(40))} {
			if got := p.of(probe); got != want[probe] {
				t.Fatalf("step %d: the place of %x is %d, want %d", i, probe, got, want[probe])
			}
		}
		if p.n != len(want) {
			t.Fatalf("step %d: %d places, want %d", i, p.n, len(want))
		}
	}
}
