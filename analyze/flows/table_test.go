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
