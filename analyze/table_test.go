package analyze

import (
	"math/rand/v2"
	"testing"
)

// TestFlowTable puts flows in and takes them out beside a map.
func TestFlowTable(t *testing.T) {
	table, want := flowTable{seed: 1}, map[key]*flow{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		k := key{loLo: r.Uint64N(500), ports: uint32(r.Uint64N(3))}
		hash := k.hash(table.seed)
		got := table.find(&k, hash)
		if got != want[k] {
			t.Fatalf("find(%v) = %p, want %p", k, got, want[k])
		}
		if got == nil && r.IntN(3) > 0 {
			fl := &flow{key: k}
			table.add(fl)
			want[k] = fl
		} else if got != nil {
			table.remove(got)
			delete(want, k)
		}
		if table.n != len(want) {
			t.Fatalf("%d flows, want %d", table.n, len(want))
		}
	}
	if got := len(table.all(nil)); got != len(want) {
		t.Errorf("all: %d flows, want %d", got, len(want))
	}
}
