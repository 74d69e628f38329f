package flows

import (
	"math/rand/v2"
	"testing"
)

// TestTable puts places in and takes them out beside a map.
func TestTable(t *testing.T) {
	table, want := newTable(1), map[key]place{}
	heads := []head{{}}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		k := key{loLo: r.Uint64N(500), ports: uint32(r.Uint64N(3))}
		hash := k.hash(table.seed)
		got := table.find(heads, &k, hash)
		if got != want[k] {
			t.Fatalf("find(%v) = %d, want %d", k, got, want[k])
		}
		if likely := table.likely(hash); got != 0 && likely == 0 {
			t.Fatalf("likely(%v) = 0, want a place", k)
		}
		if got == 0 && r.IntN(3) > 0 {
			heads = append(heads, head{key: k})
			p := place(len(heads) - 1)
			table.add(p, hash)
			want[k] = p
		} else if got != 0 {
			table.remove(heads, got)
			delete(want, k)
		}
		if table.n != len(want) {
			t.Fatalf("%d places, want %d", table.n, len(want))
		}
	}
	if got := len(table.all(nil)); got != len(want) {
		t.Errorf("all: %d places, want %d", got, len(want))
	}
}

// TestNoAddressMakesHashesCollide has keys that differ in one address, beside another for which a factor of the
// hash would be 0 if the seed were not in it.
func TestNoAddressMakesHashesCollide(t *testing.T) {
	for name, of := range map[string]func(n uint64) key{
		"lower half": func(n uint64) key { return key{loLo: n, hiLo: 0xA0761D6478BD642F} },
		"upper half": func(n uint64) key { return key{loHi: n, hiHi: 0xE7037ED1A0B428DB} },
	} {
		seen := map[uint64]bool{}
		for n := range uint64(1000) {
			k := of(n)
			seen[k.hash(0x0123456789ABCDEF)] = true
		}
		if len(seen) < 1000 {
			t.Errorf("%s: 1000 keys have %d hashes", name, len(seen))
		}
	}
}
